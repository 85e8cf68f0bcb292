"""One walk over a jaxpr: writes the tape, and computes along when there is a run.

So a value of a run is the value of the tape with the same number.  Calls are followed inside,
and what depends on neither image nor parameter is computed on the way: index arithmetic, masks,
divisors.  Nothing here knows which JAX library wrote the jaxpr.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Literal

from conformance.graph.model import Where
from conformance.trace.evaluation import evaluate
from conformance.trace.jax.equations import (
    LOOPS,
    REDUCTIONS,
    called,
    has_layers,
    is_cast,
    is_identity,
    is_uniform,
    literal,
    lower,
    with_last_uses,
)
from conformance.trace.jax.execution import DOUBLE, as_array, computing, given, lower_type
from conformance.trace.jax.operators import COMPARISONS, TABLE
from conformance.trace.jax.program import Program, blank
from conformance.trace.jax.steps import computed, fold, plain
from conformance.trace.places import is_library, reason
from conformance.trace.port import PLAIN, CannotExecute, Observer, Retraced, Run, UntraceableModel
from conformance.trace.tape import Tape


@dataclass(slots=True, eq=False)
class Value:
    """A value of the jaxpr: where it is on the tape, and its array where there is one.

    A constant gets onto the tape when an operation first reads it, and so does a comparison,
    because the choice that usually follows may turn the two into a maximum.  What is stacked is
    usually taken apart again.
    """

    index: int | None = None
    array: Any = None
    constant: bool = False
    comparison: tuple[str, Value, Value] | None = None
    stacked: tuple[int, tuple[Value, ...]] | None = None
    load: Callable[[], Any] | None = None

    def read(self) -> Any:
        """The array, loaded when it is first needed."""
        if self.array is None and self.load is not None:
            self.array = self.load()
        return self.array


@dataclass(frozen=True, slots=True)
class Watched:
    """A run, and what of it is handed out."""

    run: Run
    wanted: frozenset[int]
    observe: Observer


def record(program: Program) -> Tape:
    """What the program computes, on shapes alone."""
    return _walked(program, None)[0]


def replay(
    program: Program, run: Run, wanted: frozenset[int], observe: Observer
) -> dict[str, np.ndarray]:
    """Execute the program step by step; returns what is replaced."""
    return _walked(program, Watched(run, wanted, observe))[1]


def _walked(program: Program, watched: Watched | None) -> tuple[Tape, dict[str, np.ndarray]]:
    walk = Walk(program, watched)
    # Float64 unless asked otherwise: constants are exact and no bug hides behind rounding.
    with computing(watched.run.how if watched else PLAIN) as walk.arithmetic:
        inputs = walk.inputs()
        outputs = walk.jaxpr(program.jaxpr.jaxpr, program.jaxpr.consts, inputs, Where())
        values = [walk.of(value) for value in outputs]
        kept = len(values) - len(program.updates)
        walk.tape.outputs = tuple(values[:kept])
        walk.tape.updates = dict(zip(program.updates, values[kept:], strict=True))
        new = zip(program.updates, outputs[kept:], strict=True)
        return walk.tape, {h: as_array(v.read()) for h, v in new} if watched else {}


class Walk:
    """One pass over a program."""

    def __init__(self, program: Program, watched: Watched | None) -> None:
        self.program = program
        self.watched = watched
        self.tape = Retraced(watched.run.tape) if watched else Tape()
        self.arithmetic = DOUBLE
        self.observed: set[int] = set()

    def inputs(self) -> list[Value]:
        """The image and the parameters, in the order of the jaxpr; a run loads them when read."""
        *state, image = (v.aval for v in self.program.jaxpr.jaxpr.invars)
        picture = Value(self.tape.input(image.shape, self.program.axes))
        values = [self._state(*pair) for pair in zip(self.program.handles, state, strict=True)]
        if self.watched:
            picture.array = given(self.watched.run.image, self.arithmetic.dtype)
            self._observe(picture)
        return [*values, picture]

    def _state(self, handle: str | None, aval: Any) -> Value:
        shape = tuple(aval.shape)
        if handle is not None:
            index = self.tape.parameter(handle, shape)
            if low := self.program.low.get(handle):
                self.tape.lowered[index] = low
            return Value(index, load=lambda: self._load(handle, shape))
        index = self.tape.unknown("state", (), shape)
        return Value(index, load=lambda: blank(shape, aval.dtype))

    def _load(self, handle: str, shape: tuple[int, ...]) -> jax.Array:
        assert self.watched is not None
        array = self.watched.run.values(handle)
        if array.shape != shape:
            raise ValueError(f"{handle} has shape {shape} and was given values of {array.shape}")
        return given(array, self.arithmetic.dtype)

    def jaxpr(
        self, jaxpr: Jaxpr, consts: Sequence[Any], inputs: list[Value], outer: Where
    ) -> list[Value]:
        """Walk a jaxpr; ``inputs`` is emptied, so that a value is freed after its last use."""
        environment = dict(zip(jaxpr.invars, inputs, strict=True))
        inputs.clear()
        for var, array in zip(jaxpr.constvars, consts, strict=True):
            environment[var] = Value(array=array, constant=True)
        for equation, dead in with_last_uses(jaxpr):
            operands = [_read(environment, atom) for atom in equation.invars]
            for var in dead:
                environment.pop(var, None)
            results = self.equation(equation, operands, outer)
            operands.clear()
            environment.update(zip(equation.outvars, results, strict=True))
            for var in dead:
                environment.pop(var, None)
        return [_read(environment, atom) for atom in jaxpr.outvars]

    def equation(self, equation: JaxprEqn, operands: list[Value], outer: Where) -> list[Value]:
        """The results of one equation."""
        name = equation.primitive.name
        if not equation.outvars:
            return []  # a debugging callback
        where = self._where(equation, outer)
        if is_uniform(equation):
            self.tape.where = where
            return [self._drawn(tuple(equation.outvars[0].aval.shape), _is_seed(operands[0]))]
        inner = called(equation)
        if name == "cond" and operands[0].constant:
            inner = equation.params["branches"][int(operands.pop(0).array)]
        if inner is not None:
            return self.jaxpr(inner.jaxpr, inner.consts, operands, where)
        if is_cast(equation):
            self._lifted(equation, operands)
        if is_identity(equation) or is_cast(equation) or _is_by_one(equation, operands):
            return operands[:1] if name == "div" else list(operands)
        if all(value.constant for value in operands):
            folded = fold(equation, [value.array for value in operands])
            return [Value(array=array, constant=True) for array in folded]
        self.tape.where = where
        before = len(self.tape)
        results = self._translate(equation, operands)
        if low := lower(equation):
            self.tape.lowered |= {v.index: low for v in results if v.index is not None}
        if self.watched:
            arrays = self._computed(equation, [value.read() for value in operands])
            for value, array in zip(results, arrays, strict=True):
                if value.array is None:
                    value.array = array
            self._observe_between(before, operands, results)
        return results

    def _lifted(self, equation: JaxprEqn, operands: list[Value]) -> None:
        """Note what was brought down to a lower precision and back, with nothing in between."""
        low, index = lower(equation), operands[0].index
        up = not lower_type(equation.outvars[0].aval.dtype)
        if low and up and index is not None and not self._is_stored(index):
            self.tape.lowered.setdefault(index, low)

    def _is_stored(self, index: int) -> bool:
        return self.tape[index].name in ("parameter", "constant")

    def _drawn(self, shape: tuple[int, ...], seeded: bool) -> Value:
        index = self.tape.random(shape, seeded)
        draw = self.watched.run.draws.get(index, 0.5) if self.watched else 0.5
        return Value(index, load=lambda: jnp.full(shape, draw))

    def _computed(self, equation: JaxprEqn, arrays: list[Any]) -> list[Any]:
        try:
            return computed(equation, arrays, self.arithmetic)
        except Exception as error:
            kind = UntraceableModel if self.arithmetic == DOUBLE else CannotExecute
            raise kind(
                f"{equation.primitive.name} at {self.tape.where} cannot be run in"
                f" {self.arithmetic.dtype}: {reason(error)}"
            ) from error

    def _translate(self, equation: JaxprEqn, operands: list[Value]) -> list[Value]:
        """Write an equation down: one value for each of its results."""
        name, shapes = equation.primitive.name, [tuple(v.aval.shape) for v in equation.outvars]
        if name in COMPARISONS:
            left, right = operands
            return [Value(comparison=(name, left, right))]
        if name in REDUCTIONS:
            axes = [axis for axis in equation.params["axes"] if isinstance(axis, int)]
            return [
                Value(self.tape.reduce(self.of(operand), REDUCTIONS[name], axes))
                for operand in operands
            ]
        if name == "stack":
            return [Value(stacked=(equation.params["axis"], tuple(operands)))]
        if translate := TABLE.get(name):
            result = translate(self, equation.params, shapes[0], *operands)
            if isinstance(result, list):
                return [Value(index) for index in result]
            if result is not None:
                return [Value(result)]
        if name in LOOPS and has_layers(equation.params[LOOPS[name]].jaxpr):
            raise UntraceableModel(
                f"layers are repeated by a loop of JAX ({name}) at {self.tape.where}, which is not"
                " read: return the model with a Python loop in place of nn.scan or lax.scan, so"
                " that each block has parameters of its own"
            )
        read = [self.of(operand) for operand in operands]
        return [
            Value(self.tape.unknown(name, read, shape, output=position))
            for position, shape in enumerate(shapes)
        ]

    def of(self, value: Value) -> int:
        """Where a value is on the tape; writes a constant or a comparison down at first use."""
        if value.index is None and value.comparison:
            name, left, right = value.comparison
            operands = self.of(left), self.of(right)
            value.index = self.tape.elementwise(COMPARISONS[name], *operands)
        elif value.index is None and value.stacked:
            axis, parts = value.stacked
            value.index = self.tape.stack([self.of(part) for part in parts], axis)
        elif value.index is None and jnp.issubdtype(value.array.dtype, jax.dtypes.prng_key):
            value.index = self.tape.unknown("state", (), value.array.shape)
        elif value.index is None:
            value.index = self.tape.constant(plain(value.array))
        return value.index

    def _observe(self, value: Value) -> None:
        assert self.watched is not None
        index = value.index
        if index is not None and index in self.watched.wanted and index not in self.observed:
            self.observed.add(index)
            self.watched.observe(index, as_array(value.array))

    def _observe_between(self, before: int, operands: list[Value], results: list[Value]) -> None:
        """Hand out what an equation made, its intermediate operations included."""
        assert self.watched is not None
        made = {value.index for value in results}
        for index in range(before, len(self.tape)):
            if index in self.watched.wanted and index not in made:
                known = {v.index: as_array(v.array) for v in operands if v.index is not None}
                self._observe(Value(index, evaluate(self.tape, index, known)))
        for value in results:
            self._observe(value)

    def _where(self, equation: JaxprEqn, outer: Where) -> Where:
        """Module path and source line; a cached call keeps the line where it was called now."""
        stack = "/".join(filter(None, [outer.path, str(equation.source_info.name_stack)]))
        frames = getattr(equation.source_info.traceback, "frames", ())
        found = [f"{f.file_name}:{f.line_num}" for f in frames if not is_library(f.file_name)]
        own = found[0] if found and (not outer.line or outer.line in found) else outer.line
        return Where(self.program.path(stack), own)


def _is_seed(key: Value) -> bool:
    """Whether a key is the one that a seed in the program makes; a stream's is folded or split."""
    return key.constant and not np.any(jax.random.key_data(key.array)[..., 0])


def _is_by_one(equation: JaxprEqn, operands: list[Value]) -> bool:
    """Whether an equation divides by one, as a mean over one device does."""
    if equation.primitive.name != "div" or not operands[1].constant or operands[0].constant:
        return False
    same = equation.invars[0].aval.shape == equation.outvars[0].aval.shape
    return same and bool(np.all(np.asarray(operands[1].array) == 1.0))


def _read(environment: dict[Any, Value], atom: Any) -> Value:
    if isinstance(atom, Literal):
        return Value(array=literal(atom), constant=True)
    return environment[atom]


class Places(Walk):
    """A walk that notes which variables of the jaxpr are a value of the tape.

    What a rule of differentiation has inside has no gradient, and a variable of what is called
    twice is two values.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program, None)
        self._ruled = 0
        self._made: list[tuple[Any, Value]] = []

    def equation(self, equation: JaxprEqn, operands: list[Value], outer: Where) -> list[Value]:
        """See :class:`Walk`."""
        ruled = equation.primitive.name.startswith("custom_")
        self._ruled += ruled
        results = super().equation(equation, operands, outer)
        self._ruled -= ruled
        if not self._ruled:
            self._made += zip(equation.outvars, results, strict=True)
        return results

    def found(self) -> dict[int, list[Any]]:
        """The variables of each value, in order of execution."""
        with computing(PLAIN) as self.arithmetic:
            self.jaxpr(self.program.jaxpr.jaxpr, self.program.jaxpr.consts, self.inputs(), Where())
        often = Counter(var for var, _ in self._made)
        places: dict[int, list[Any]] = {}
        for var, value in self._made:
            if value.index is not None and often[var] == 1:
                places.setdefault(value.index, []).append(var)
        return places
