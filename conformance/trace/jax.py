"""JAX: a jaxpr, read equation by equation onto the tape, and replayed with real arrays.

One walk does both, so that a value of a run is the value of the tape with the same number.
Calls are followed inside, and what depends on neither image nor parameter is computed on the
way: index arithmetic, masks, divisors.  Nothing here knows which JAX library wrote the jaxpr.
"""

from __future__ import annotations

import concurrent.futures.thread
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from conformance.graph.model import Where
from conformance.trace.jax_execution import DOUBLE, Arithmetic, computing
from conformance.trace.port import (
    NO_DRAWS,
    PLAIN,
    CannotExecute,
    Execution,
    Own,
    Size,
    UntraceableModel,
    drawn,
)
from conformance.trace.tape import BINARY, UNARY, Tape, evaluate


@dataclass(frozen=True, slots=True)
class Program:
    """A model as a jaxpr of its parameters, its other state and, last, one batch of images.

    ``handles`` names each input but the image: the parameter's handle, or None for state that
    holds no weights.  The last results, as many as there are ``updates``, replace the parameters
    of these handles.  ``path`` reads the module's address out of a JAX name stack, and ``axes``
    spells the layout of the images.
    """

    jaxpr: ClosedJaxpr
    handles: tuple[str | None, ...]
    path: Callable[[str], str] = str
    updates: tuple[str, ...] = ()
    axes: str = "NHWC"


class Run(NamedTuple):
    """What turns the walk into an execution; see :meth:`conformance.trace.port.Port.run`."""

    tape: Tape
    values: Callable[[str], np.ndarray]
    image: np.ndarray
    wanted: frozenset[int]
    observe: Callable[[int, np.ndarray], None]
    draws: Mapping[int, float] = NO_DRAWS
    how: Execution = PLAIN


def versions() -> dict[str, str]:
    """The release that decides what a jaxpr looks like."""
    return {"jax": jax.__version__}


def port(factory: Callable[[], Any]) -> JaxPort:
    """The model of a ``factory()`` that returns a pair ``(apply, variables)``."""
    return JaxPort(factory)


class JaxPort:
    """``apply(variables, images)`` of any JAX library; see :class:`conformance.trace.port.Port`.

    Images are batch x height x width x channels.  A variable's handle is its path, joined by /.
    """

    framework = "jax"

    @property
    def trains(self) -> bool:
        """Nothing tells a pair that it is training."""
        return False

    def __init__(self, factory: Callable[..., Any]) -> None:
        self.factory = factory

    def trace(self, size: Size, training: bool = False) -> Tape:
        """What the model computes for one image; for two in training."""
        return record(self.program((2 if training else 1, *size), training))

    def run(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        wanted: frozenset[int],
        observe: Callable[[int, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
        how: Execution = PLAIN,
    ) -> dict[str, np.ndarray]:
        """See :class:`conformance.trace.port.Port`; compiled by XLA."""
        run = Run(tape, values, image, wanted, observe, draws, how)
        return replay(self.program(image.shape, training), run)

    def gradient(
        self,
        tape: Tape,
        values: Callable[[str], np.ndarray],
        image: np.ndarray,
        cotangents: Sequence[np.ndarray],
        wanted: frozenset[str],
        observe: Callable[[str | None, np.ndarray], None],
        training: bool = False,
        draws: Mapping[int, float] = NO_DRAWS,
    ) -> None:
        """See :class:`conformance.trace.port.Port`."""
        program = self.program(image.shape, training)
        randoms = tuple(drawn(tape, draws))
        differentiate(program, values, image, cotangents, wanted, observe, randoms)

    def own(self) -> Own:
        """What the pair's variables hold."""
        try:
            _, variables = self.factory()
            return stored(variables)
        except Exception as error:
            raise UntraceableModel(f"the factory does not build: {told(error)}") from error

    def program(self, shape: tuple[int, ...], training: bool = False) -> Program:
        """The model as a jaxpr for a batch of images; a pair does the same in training."""
        apply, variables = self._model
        return program(apply, variables, shape)

    @cached_property
    def _model(self) -> Any:
        return _build(self.factory)


def _build(factory: Callable[[], Any]) -> tuple[Callable[..., Any], Any]:
    """What the factory returns, with variables that have shapes only."""
    applies = []

    def variables() -> Any:
        apply, result = factory()
        applies.append(apply)
        return result

    with jax.enable_x64(True):
        try:
            abstract = jax.eval_shape(variables)
        except Exception as error:
            raise UntraceableModel(
                f"the factory does not build a pair (apply, variables): {told(error)}"
            ) from error
    return applies[-1], abstract


def program(
    apply: Callable[[Any, Any], Any],
    variables: Any,
    shape: tuple[int, ...],
    handles: Sequence[str | None] | None = None,
    path: Callable[[str], str] = str,
    updates: Sequence[str] = (),
) -> Program:
    """``apply(variables, images)`` as a jaxpr in float64, for a batch of images of this shape.

    An ``apply`` that refuses channels last is given them first.
    """
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    structure = jax.tree.structure(variables)
    if handles is None:
        handles = [
            jax.tree_util.keystr(where, simple=True, separator="/")
            if jnp.issubdtype(leaf.dtype, jnp.floating)
            else None
            for where, leaf in leaves
        ]

    def flat(*arrays: Any) -> list[Any]:
        *state, images = arrays
        return jax.tree.leaves(apply(jax.tree.unflatten(structure, state), images))

    def channels_first(*arrays: Any) -> list[Any]:
        return flat(*arrays[:-1], arrays[-1].transpose(0, 3, 1, 2))

    with jax.enable_x64(True):
        inputs = [
            jax.ShapeDtypeStruct(leaf.shape, _in(DOUBLE.dtype, leaf.dtype)) for _, leaf in leaves
        ]
        inputs.append(jax.ShapeDtypeStruct(shape, jnp.float64))
        try:
            jaxpr = jax.make_jaxpr(flat)(*inputs)
        except Exception as error:
            try:
                jaxpr = jax.make_jaxpr(channels_first)(*inputs)
            except Exception:
                size = "x".join(map(str, shape))
                raise UntraceableModel(
                    f"the model cannot be called with an image batch of {size}: {told(error)}"
                ) from error
    return Program(jaxpr, tuple(handles), path, tuple(updates))


def stored(variables: Any) -> Own:
    """The floating-point arrays of a tree of variables, by the handles of :func:`program`."""
    return Own(
        {
            jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
            if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        }
    )


def told(error: Exception) -> str:
    """What was wrong, in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def record(program: Program) -> Tape:
    """What the program computes, on shapes alone."""
    return _walk(program, None)[0]


def replay(program: Program, run: Run) -> dict[str, np.ndarray]:
    """Execute the program, handing out what is wanted; returns what is replaced."""
    if run.how.compiled:
        _compiled(program, run)
        return {}
    return _walk(program, run)[1]


def _compiled(program: Program, run: Run) -> None:
    """Hand out the outputs of a program as XLA makes code of it."""
    with computing(run.how) as arithmetic:
        *state, _ = (v.aval for v in program.jaxpr.jaxpr.invars)
        arrays = [
            _blank(aval.shape, aval.dtype)
            if handle is None
            else jnp.asarray(run.values(handle), arithmetic.dtype)
            for handle, aval in zip(program.handles, state, strict=True)
        ]

        def call(*inputs: Any) -> list[Any]:
            return _evaluated(program.jaxpr.jaxpr, program.jaxpr.consts, inputs, arithmetic)

        try:
            results = jax.jit(call)(*arrays, jnp.asarray(run.image, arithmetic.dtype))
        except Exception as error:
            raise CannotExecute(f"the model is not compiled here: {told(error)}") from error
    for value, result in zip(run.tape.outputs, results, strict=True):
        if value in run.wanted:
            run.observe(value, _observed(result))


def differentiate(
    program: Program,
    values: Callable[[str], np.ndarray],
    image: np.ndarray,
    cotangents: Sequence[np.ndarray],
    wanted: frozenset[str],
    observe: Callable[[str | None, np.ndarray], None],
    draws: Sequence[float | None] = (),
) -> None:
    """Hand out the gradients of a program by JAX's own reverse mode, custom rules included.

    ``draws`` are what is drawn at random, in order.
    """
    *state, _ = (v.aval for v in program.jaxpr.jaxpr.invars)
    chosen = [i for i, handle in enumerate(program.handles) if handle in wanted]
    with computing():
        arrays = [
            _blank(aval.shape, aval.dtype)
            if handle is None
            else jnp.asarray(values(handle), jnp.float64)
            for handle, aval in zip(program.handles, state, strict=True)
        ]

        def main(picture: Any, *some: Any) -> Any:
            given = dict(zip(chosen, some, strict=True))
            inputs = [given.get(i, array) for i, array in enumerate(arrays)]
            whole = program.jaxpr
            results = _evaluated(whole.jaxpr, whole.consts, [*inputs, picture], draws=iter(draws))
            return results[: len(cotangents)]

        def pulled(above: Any, *inputs: Any) -> Any:
            return jax.vjp(main, *inputs)[1](above)

        picture = jnp.asarray(image, jnp.float64)
        try:
            above = [jnp.asarray(cotangent) for cotangent in cotangents]
            found = jax.jit(pulled)(above, picture, *(arrays[i] for i in chosen))
        except Exception as error:
            raise UntraceableModel(f"the model has no gradient: {told(error)}") from error
    for handle, gradient in zip([None, *(program.handles[i] for i in chosen)], found, strict=True):
        observe(handle, np.asarray(gradient))


def _evaluated(
    jaxpr: Jaxpr,
    consts: Sequence[Any],
    inputs: Sequence[Any],
    arithmetic: Arithmetic = DOUBLE,
    draws: Iterator[float | None] | None = None,
) -> list[Any]:
    """A jaxpr's results; in float64 a rule of differentiation that it brings along stays."""
    environment = dict(zip([*jaxpr.invars, *jaxpr.constvars], [*inputs, *consts], strict=True))

    def read(atom: Any) -> Any:
        return np.asarray(atom.val, atom.aval.dtype) if isinstance(atom, Literal) else (
            environment[atom]
        )  # fmt: skip

    for equation, dead in _with_last_uses(jaxpr):
        name, operands = equation.primitive.name, [read(atom) for atom in equation.invars]
        inner = equation.params.get(_CALLS.get(name, ""))
        ruled = name.startswith("custom_") and arithmetic == DOUBLE
        if _is_cast(equation):
            results = operands
        elif _is_uniform(equation):
            draw = next(draws, None) if draws else None
            results = [jnp.full(equation.outvars[0].aval.shape, 0.5 if draw is None else draw)]
        elif inner is not None and not ruled:
            closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
            results = _evaluated(closed.jaxpr, closed.consts, operands, arithmetic, draws)
        elif name.startswith("custom_"):
            params = equation.primitive.get_bind_params(equation.params)
            results = equation.primitive.bind(*operands, **params)
        else:
            results = _bind(equation, operands, arithmetic)
        environment.update(zip(equation.outvars, results, strict=True))
        for var in dead:
            environment.pop(var, None)
    return [read(atom) for atom in jaxpr.outvars]


# ---------------------------------------------------------------------------------------------
# The walk


@dataclass(slots=True, eq=False)
class _Value:
    """A value of the jaxpr: where it is on the tape, and its array where there is one.

    A constant gets onto the tape when an operation first reads it, and so does a comparison,
    because the choice that usually follows may turn the two into a maximum.
    """

    index: int | None = None
    array: Any = None
    constant: bool = False
    comparison: tuple[str, _Value, _Value, tuple[int, ...]] | None = None
    load: Callable[[], Any] | None = None

    def read(self) -> Any:
        if self.array is None and self.load is not None:
            self.array = self.load()
        return self.array


_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
}
_IDENTITIES = frozenset(
    {"copy", "copy_p", "stop_gradient", "reduce_precision", "optimization_barrier", "device_put"}
    | {"name", "sharding_constraint", "reshard", "pvary"}
)
_COMPARISONS = {"gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal"}


def _walk(program: Program, run: Run | None) -> tuple[Tape, dict[str, np.ndarray]]:
    walk = _Walk(program, run)
    # Float64 unless asked otherwise: constants are exact and no bug hides behind rounding.
    with computing(run.how if run else PLAIN) as walk.arithmetic:
        inputs = walk.inputs()
        outputs = walk.jaxpr(program.jaxpr.jaxpr, program.jaxpr.consts, inputs, Where())
        values = [walk.index(value) for value in outputs]
        kept = len(values) - len(program.updates)
        walk.tape.outputs = tuple(values[:kept])
        walk.tape.updates = dict(zip(program.updates, values[kept:], strict=True))
        new = zip(program.updates, outputs[kept:], strict=True)
        return walk.tape, {h: _observed(v.read()) for h, v in new} if run else {}


class _Walk:
    """One pass over a program: writes the tape, and computes along when there is a run."""

    def __init__(self, program: Program, run: Run | None) -> None:
        self.program = program
        self.run = run
        self.tape = Tape()
        self.where = Where()
        self.primitive = ""
        self.arithmetic = DOUBLE
        self.shape: tuple[int, ...] = ()
        self.observed: set[int] = set()

    def inputs(self) -> list[_Value]:
        """The image and the parameters, in the order of the jaxpr; a run loads them when read."""
        *state, image = (v.aval for v in self.program.jaxpr.jaxpr.invars)
        index = self.tape.input(tuple(image.shape), self.program.axes)
        values = [self._state(*pair) for pair in zip(self.program.handles, state, strict=True)]
        picture = _Value(self._same(index))
        if self.run:
            picture.array = jnp.asarray(self.run.image, self.arithmetic.dtype)
            self._observe(picture)
        return [*values, picture]

    def _state(self, handle: str | None, aval: Any) -> _Value:
        shape = tuple(aval.shape)
        if handle is not None:
            index = self.tape.parameter(handle, shape)
            return _Value(self._same(index), load=lambda: self._load(handle, shape))
        index = self.tape.emit("state", (), shape, unknown=True)
        return _Value(self._same(index), load=lambda: _blank(shape, aval.dtype))

    def _load(self, handle: str, shape: tuple[int, ...]) -> jax.Array:
        assert self.run is not None
        array = np.asarray(self.run.values(handle), np.float64)
        if array.shape != shape:
            raise ValueError(f"{handle} has shape {shape} and was given values of {array.shape}")
        return jnp.asarray(array, self.arithmetic.dtype)

    def jaxpr(
        self, jaxpr: Jaxpr, consts: Sequence[Any], inputs: list[_Value], outer: Where
    ) -> list[_Value]:
        """Walk a jaxpr; ``inputs`` is emptied, so that a value is freed after its last use."""
        environment = dict(zip(jaxpr.invars, inputs, strict=True))
        inputs.clear()
        for var, array in zip(jaxpr.constvars, consts, strict=True):
            environment[var] = _Value(array=array, constant=True)
        for equation, dead in _with_last_uses(jaxpr):
            operands = [_read(environment, atom) for atom in equation.invars]
            for var in dead:
                environment.pop(var, None)
            results = self.equation(equation, operands, outer)
            operands.clear()
            environment.update(zip(equation.outvars, results, strict=True))
            for var in dead:
                environment.pop(var, None)
        return [_read(environment, atom) for atom in jaxpr.outvars]

    def equation(self, equation: JaxprEqn, operands: list[_Value], outer: Where) -> list[_Value]:
        """The results of one equation."""
        name = equation.primitive.name
        if not equation.outvars:
            return []  # a debugging callback
        where = self._where(equation, outer)
        if _is_uniform(equation):
            self.where, shape = where, tuple(equation.outvars[0].aval.shape)
            index = self.emit("random", shape=shape)
            draw = self.run.draws.get(index, 0.5) if self.run else 0.5
            return [_Value(index, load=lambda: jnp.full(shape, draw))]
        inner = equation.params[_CALLS[name]] if name in _CALLS else None
        if name == "cond" and operands[0].constant:
            inner = equation.params["branches"][int(operands.pop(0).array)]
        if isinstance(inner, ClosedJaxpr):
            return self.jaxpr(inner.jaxpr, inner.consts, operands, where)
        if inner is not None:
            return self.jaxpr(inner, (), operands, where)
        if name in _IDENTITIES or _is_cast(equation):
            return list(operands)
        if all(value.constant for value in operands):
            return [_Value(array=array, constant=True) for array in _fold(equation, operands)]
        self.where = where
        before = len(self.tape)
        results = self._translate(equation, operands)
        if self.run:
            arrays = self._computed(equation, [value.read() for value in operands])
            for value, array in zip(results, arrays, strict=True):
                if value.array is None:
                    value.array = array
            self._observe_between(before, operands, results)
        return results

    def _computed(self, equation: JaxprEqn, arrays: list[Any]) -> list[Any]:
        try:
            return _bind(equation, arrays, self.arithmetic)
        except Exception as error:
            kind = UntraceableModel if self.arithmetic == DOUBLE else CannotExecute
            raise kind(
                f"{equation.primitive.name} at {self.where} cannot be run in"
                f" {self.arithmetic.dtype}: {told(error)}"
            ) from error

    def _translate(self, equation: JaxprEqn, operands: list[_Value]) -> list[_Value]:
        name, shapes = equation.primitive.name, [tuple(v.aval.shape) for v in equation.outvars]
        self.primitive, self.shape = name, shapes[0]
        if name in _COMPARISONS:
            left, right = operands
            return [_Value(comparison=(name, left, right, self.shape))]
        if translator := _TRANSLATORS.get(name):
            result = translator(self, equation.params, *operands)
            if isinstance(result, list):
                return [_Value(index) for index in result]
            if result is not None:
                return [_Value(result)]
        return [
            _Value(self.emit(name, *operands, shape=shape, output=position, unknown=True))
            for position, shape in enumerate(shapes)
        ]

    def emit(
        self, name: str, *operands: _Value | int, shape: tuple[int, ...] | None = None, **rest: Any
    ) -> int:
        """Write an operation down; its shape is that of the equation unless given."""
        inputs = tuple(v if isinstance(v, int) else self.index(v) for v in operands)
        shape = self.shape if shape is None else shape
        return self._same(self.tape.emit(name, inputs, shape, self.where, **rest))

    def constant(self, array: Any) -> int:
        """Write down a constant."""
        return self._same(self.tape.constant(array))

    def index(self, value: _Value) -> int:
        """Where a value is on the tape; writes a constant or a comparison down at first use."""
        if value.index is None and value.comparison:
            name, left, right, shape = value.comparison
            value.index = self.emit(_COMPARISONS[name], left, right, shape=shape)
        elif value.index is None:
            value.index = self.constant(_plain(value.array))
        return value.index

    def shape_of(self, value: _Value) -> tuple[int, ...]:
        """The shape of an operand."""
        return self.tape[self.index(value)].shape

    def _same(self, index: int) -> int:
        """In a run: what was just written must be what the trace has in this place."""
        if self.run:
            ours, theirs = self.tape[index], self.run.tape.operations[index : index + 1]
            if not theirs or (ours.name, ours.inputs) != (theirs[0].name, theirs[0].inputs):
                raise UntraceableModel(
                    f"the model computes a batch of {len(self.run.image)} images otherwise than"
                    f" one image: {ours.name} at {self.where}"
                )
        return index

    def _observe(self, value: _Value) -> None:
        assert self.run is not None
        index = value.index
        if index is not None and index in self.run.wanted and index not in self.observed:
            self.observed.add(index)
            self.run.observe(index, _observed(value.array))

    def _observe_between(self, before: int, operands: list[_Value], results: list[_Value]) -> None:
        """Hand out what an equation made, its intermediate operations included."""
        assert self.run is not None
        made = {value.index for value in results}
        for index in range(before, len(self.tape)):
            if index in self.run.wanted and index not in made:
                known = {v.index: _observed(v.array) for v in operands if v.index is not None}
                self._observe(_Value(index, evaluate(self.tape, index, known)))
        for value in results:
            self._observe(value)

    def _where(self, equation: JaxprEqn, outer: Where) -> Where:
        """Module path and source line; a cached call keeps the line where it was called now."""
        stack = "/".join(filter(None, [outer.path, str(equation.source_info.name_stack)]))
        lines = _lines(equation.source_info.traceback)
        line = lines[0] if lines and (not outer.line or outer.line in lines) else outer.line
        return Where(self.program.path(stack), line)


def _read(environment: dict[Any, _Value], atom: Any) -> _Value:
    if isinstance(atom, Literal):
        return _Value(array=np.asarray(atom.val, atom.aval.dtype), constant=True)
    return environment[atom]


def _with_last_uses(jaxpr: Jaxpr) -> Iterator[tuple[JaxprEqn, list[Any]]]:
    """Each equation with the variables that nothing reads after it."""
    last: dict[Any, int] = {}
    for number, equation in enumerate(jaxpr.eqns):
        for atom in (*equation.invars, *equation.outvars):
            if not isinstance(atom, Literal):
                last[atom] = number
    for atom in jaxpr.outvars:
        if not isinstance(atom, Literal):
            last[atom] = len(jaxpr.eqns)
    dying: dict[int, list[Any]] = {}
    for var, number in last.items():
        dying.setdefault(number, []).append(var)
    for number, equation in enumerate(jaxpr.eqns):
        yield equation, dying.get(number, [])


def _is_uniform(equation: JaxprEqn) -> bool:
    """Whether a number is drawn: however its bits are made, it is uniform in [0, 1)."""
    return equation.primitive.name in _CALLS and equation.params.get("name") == "_uniform"


def _is_cast(equation: JaxprEqn) -> bool:
    """Whether an equation only changes the precision, which is one throughout here."""
    if equation.primitive.name != "convert_element_type":
        return False
    before, after = equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype
    return before == after or all(jnp.issubdtype(d, jnp.floating) for d in (before, after))


def _bind(equation: JaxprEqn, arrays: Sequence[Any], arithmetic: Arithmetic = DOUBLE) -> list[Any]:
    """Compute an equation, its own precision replaced by the one given."""
    params, dtype = dict(equation.params), arithmetic.dtype
    if equation.primitive.name != "bitcast_convert_type":  # It reads bits, not numbers.
        params = {name: _in(dtype, value) for name, value in params.items()}
    if equation.primitive.name in arithmetic.products:
        params["precision"] = arithmetic.products[equation.primitive.name]
    cast = (array.astype(dtype) if _is_floating(array.dtype) else array for array in arrays)
    results = equation.primitive.bind(*cast, **params)
    return list(results) if equation.primitive.multiple_results else [results]


def _fold(equation: JaxprEqn, operands: list[_Value]) -> list[Any]:
    """Compute an equation of constants; a broadcast stays the small array that it is."""
    arrays = [_plain(value.array) for value in operands]
    if equation.primitive.name == "broadcast_in_dim" and len(arrays) == 1:
        shape, axes = equation.params["shape"], equation.params["broadcast_dimensions"]
        places = [1] * len(shape)
        for axis, size in zip(axes, arrays[0].shape, strict=True):
            places[axis] = size
        return [np.broadcast_to(arrays[0].reshape(places), shape)]
    return [_plain(array) for array in _bind(equation, arrays)]


def _is_floating(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and bool(jnp.issubdtype(dtype, jnp.floating))


def _in(precision: Any, value: Any) -> Any:
    """A precision in the place of a type of numbers with a fraction; anything else as it is."""
    return precision if _is_floating(value) else value


def _observed(array: Any) -> np.ndarray:
    """An array for eyes that know no bfloat16; float32 holds its numbers and float16's."""
    return np.asarray(array.astype(jnp.float32) if array.dtype.itemsize < 4 else array)


def _plain(array: Any) -> Any:
    """A constant as a NumPy array; a random key as it is."""
    return array if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) else np.asarray(array)


def _blank(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """State that holds no weights: a random stream that nobody has drawn from, a counter."""
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return jnp.broadcast_to(jax.random.key(0), shape)
    return jnp.zeros(shape, dtype)


def _lines(traceback: Any) -> list[str]:
    """Where a port's own code is on the stack, the innermost frame first."""
    if traceback is None:
        return []
    frames = traceback.frames
    return [f"{f.file_name}:{f.line_num}" for f in frames if not _is_library(f.file_name)]


#: A trace in a thread of its own has the thread's beginning on its stack.
_STARTED = {threading.__file__, concurrent.futures.thread.__file__}


@cache
def _is_library(file: str) -> bool:
    """Whether a file belongs to JAX, to a library of layers or to this package."""
    names = ("jax", "jaxlib", "flax", "haiku", "equinox", "keras", "conformance.trace")
    origins = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return file in _STARTED or any(
        file.startswith(f"{Path(origin).parent}/") for origin in origins if origin
    )


# ---------------------------------------------------------------------------------------------
# The vocabulary

_Translator = Callable[..., "int | list[int] | None"]
_TRANSLATORS: dict[str, _Translator] = {}


def _translates(*primitives: str) -> Callable[[_Translator], _Translator]:
    """Register a translator; it answers None where the tape has no words."""

    def register(translator: _Translator) -> _Translator:
        _TRANSLATORS.update(dict.fromkeys(primitives, translator))
        return translator

    return register


@_translates(*(set(UNARY) | set(BINARY)) - {"relu"})
def _elementwise(walk: _Walk, params: dict[str, Any], *operands: _Value) -> int:
    return walk.emit(walk.primitive, *operands)


@_translates("max", "min")
def _extremum(walk: _Walk, params: dict[str, Any], left: _Value, right: _Value) -> int:
    nothing = -math.inf if walk.primitive == "max" else math.inf
    for kept, other in ((left, right), (right, left)):
        if other.constant and np.all(np.asarray(other.array) == nothing):
            return walk.index(kept)
    return walk.emit(walk.primitive, left, right)


@_translates("add_any")
def _add_any(walk: _Walk, params: dict[str, Any], left: _Value, right: _Value) -> int:
    return walk.emit("add", left, right)


@_translates("square")
def _square(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("mul", x, x)


@_translates("integer_pow")
def _integer_pow(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    if params["y"] == 2:
        return walk.emit("mul", x, x)
    return walk.emit("pow", x, walk.constant(float(params["y"])))


@_translates("log1p")
def _log1p(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("log", walk.emit("add", x, walk.constant(1.0)))


@_translates("expm1")
def _expm1(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("sub", walk.emit("exp", x), walk.constant(1.0))


@_translates("exp2")
def _exp2(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("pow", walk.constant(2.0), x)


@_translates("clamp")
def _clamp(walk: _Walk, params: dict[str, Any], low: _Value, x: _Value, high: _Value) -> int:
    return walk.emit("min", walk.emit("max", x, low), high)


@_translates("select_n")
def _select(walk: _Walk, params: dict[str, Any], which: _Value, *cases: _Value) -> int | None:
    """A choice that is settled, a mask, the larger or smaller of two, or any other choice."""
    if len(cases) != 2:
        return None
    no, yes = cases
    if which.constant:
        mask = np.broadcast_to(np.asarray(which.array), walk.shape)
        if mask.all() or not mask.any():
            return walk.index(yes if mask.all() else no)
        if _is_constant(no, 0):
            return walk.emit("mul", yes, walk.constant(mask.astype(float)))
        if _is_constant(yes, 0):
            return walk.emit("mul", no, walk.constant((~mask).astype(float)))
    if which.comparison is None:
        return walk.emit("select", which, yes, no)
    how, left, right, _ = which.comparison
    if how in ("lt", "le"):
        left, right = right, left
    if _is(yes, left) and _is(no, right):
        return walk.emit("max", left, right)
    if _is(yes, right) and _is(no, left):
        return walk.emit("min", left, right)
    return walk.emit("select", which, yes, no)


def _is_constant(value: _Value, number: float) -> bool:
    return value.constant and bool(np.all(np.asarray(value.array) == number))


def _is(a: _Value, b: _Value) -> bool:
    """Whether two operands are one value, or the same number."""
    if a.constant and b.constant:
        first, second = np.asarray(a.array), np.asarray(b.array)
        return bool((first == first.flat[0]).all() and (second == first.flat[0]).all())
    return a is b


@_translates("conv_general_dilated")
def _convolution(walk: _Walk, params: dict[str, Any], x: _Value, kernel: _Value) -> int | None:
    spec = params["dimension_numbers"]
    padding = tuple((int(low), int(high)) for low, high in params["padding"])
    if len(spec.lhs_spec) != 4 or set(params["lhs_dilation"]) != {1} or min(map(min, padding)) < 0:
        return None
    if params["batch_group_count"] != 1:
        return None
    return walk.emit(
        "conv",
        x,
        kernel,
        lhs=tuple(spec.lhs_spec),
        rhs=tuple(spec.rhs_spec),
        out=tuple(spec.out_spec),
        stride=tuple(params["window_strides"]),
        padding=padding,
        dilation=tuple(params["rhs_dilation"]),
        groups=params["feature_group_count"],
    )


@_translates("dot_general")
def _dot(walk: _Walk, params: dict[str, Any], left: _Value, right: _Value) -> int | None:
    """A product over one axis; several axes are merged into one before."""
    (on_left, on_right), (batch, _) = params["dimension_numbers"]
    if batch or not on_left:
        return None
    if len(on_left) == 1:
        return walk.emit("dot", left, right, contract=(int(on_left[0]), int(on_right[0])))
    merged_left, merged_right = _merged(walk, left, on_left), _merged(walk, right, on_right)
    last = [len(walk.tape[merged].shape) - 1 for merged in (merged_left, merged_right)]
    return walk.emit("dot", merged_left, merged_right, contract=(last[0], last[1]))


def _merged(walk: _Walk, x: _Value, axes: Sequence[int]) -> int:
    """An operand with some of its axes as one last axis, in the order given."""
    shape = walk.shape_of(x)
    order = (*(i for i in range(len(shape)) if i not in axes), *map(int, axes))
    turned = tuple(shape[i] for i in order)
    index = walk.index(x)
    if order != tuple(range(len(shape))):
        index = walk.emit("transpose", x, shape=turned, axes=order)
    rest = turned[: len(shape) - len(axes)]
    return walk.emit("reshape", index, shape=(*rest, math.prod(turned[len(rest) :])))


@_translates("reduce_window_sum", "reduce_window_max")
def _window(walk: _Walk, params: dict[str, Any], x: _Value) -> int | None:
    return _windows(walk, params, x, walk.primitive.removeprefix("reduce_window_"))


@_translates("reduce_window")
def _any_window(walk: _Walk, params: dict[str, Any], x: _Value, init: _Value) -> int | None:
    """A window reduction by a function of the port's own, if that is a sum or a maximum."""
    inner = params["jaxpr"]
    inner = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
    body = [equation.primitive.name for equation in inner.eqns]
    if body == ["add"] and _is_constant(init, 0.0):
        return _windows(walk, params, x, "sum")
    if body == ["max"] and _is_constant(init, -math.inf):
        return _windows(walk, params, x, "max")
    return None


def _windows(walk: _Walk, params: dict[str, Any], x: _Value, how: str) -> int | None:
    if set(params["base_dilation"]) != {1} or set(params["window_dilation"]) != {1}:
        return None
    return walk.emit(
        "window",
        x,
        reduce=how,
        size=tuple(params["window_dimensions"]),
        stride=tuple(params["window_strides"]),
        padding=tuple((int(low), int(high)) for low, high in params["padding"]),
    )


@_translates("cumsum")
def _cumulative_sum(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    """A running sum is a window as long as the axis, over all that lies before."""
    axis, rank = params["axis"], len(walk.shape)
    before = (walk.shape[axis] - 1, 0)
    return walk.emit(
        "window",
        x,
        reduce="sum",
        size=tuple(walk.shape[axis] if i == axis else 1 for i in range(rank)),
        stride=(1,) * rank,
        padding=tuple(
            (before[::-1] if params["reverse"] else before) if i == axis else (0, 0)
            for i in range(rank)
        ),
    )


@_translates("reduce_sum", "reduce_max", "reduce_min")
def _reduce(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    how = walk.primitive.removeprefix("reduce_")
    return walk.emit("reduce", x, reduce=how, axes=tuple(map(int, params["axes"])), keep=False)


@_translates("reshape", "squeeze", "expand_dims")
def _reshape(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("reshape", x)


@_translates("broadcast_in_dim")
def _broadcast(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    if walk.shape == walk.shape_of(x):
        return walk.index(x)
    return walk.emit("broadcast", x, axes=tuple(params["broadcast_dimensions"]))


@_translates("transpose")
def _transpose(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("transpose", x, axes=tuple(map(int, params["permutation"])))


@_translates("rev")
def _reverse(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return walk.emit("reverse", x, axes=tuple(params["dimensions"]))


@_translates("concatenate")
def _concatenate(walk: _Walk, params: dict[str, Any], *parts: _Value) -> int:
    return walk.emit("concat", *parts, axis=params["dimension"])


@_translates("pad")
def _pad(walk: _Walk, params: dict[str, Any], x: _Value, fill: _Value) -> int | None:
    """Padding; where it is negative, the cells are cut off first."""
    config = [tuple(map(int, axis)) for axis in params["padding_config"]]
    if any(interior for _, _, interior in config) or not fill.constant:
        return None
    shape = walk.shape_of(x)
    start = tuple(max(0, -low) for low, _, _ in config)
    stop = tuple(n - max(0, -high) for n, (_, high, _) in zip(shape, config, strict=True))
    kept = walk.index(x)
    if any(start) or stop != shape:
        kept = _cut(walk, x, start, stop)
    padding = tuple((max(0, low), max(0, high)) for low, high, _ in config)
    if not any(map(any, padding)):
        return kept
    return walk.emit("pad", kept, padding=padding, value=float(np.asarray(fill.array)))


def _cut(
    walk: _Walk,
    x: _Value,
    start: Sequence[int],
    stop: Sequence[int],
    step: Sequence[int] | None = None,
) -> int:
    steps = tuple(step or (1,) * len(start))
    spans = [range(*span) for span in zip(start, stop, steps, strict=True)]
    shape = tuple(len(span) for span in spans)
    return walk.emit("slice", x, shape=shape, start=tuple(start), stop=tuple(stop), step=steps)


@_translates("slice")
def _slice(walk: _Walk, params: dict[str, Any], x: _Value) -> int:
    return _cut(walk, x, params["start_indices"], params["limit_indices"], params["strides"])


@_translates("dynamic_slice")
def _dynamic_slice(walk: _Walk, params: dict[str, Any], x: _Value, *starts: _Value) -> int | None:
    if not all(start.constant for start in starts):
        return None
    rooms = [n - size for n, size in zip(walk.shape_of(x), walk.shape, strict=True)]
    start = [min(max(int(value.array), 0), room) for value, room in zip(starts, rooms, strict=True)]
    return _cut(walk, x, start, [i + size for i, size in zip(start, walk.shape, strict=True)])


@_translates("split")
def _split(walk: _Walk, params: dict[str, Any], x: _Value) -> list[int]:
    shape, axis, begin, parts = walk.shape_of(x), params["axis"], 0, []
    for size in params["sizes"]:
        start = [begin if i == axis else 0 for i in range(len(shape))]
        stop = [begin + size if i == axis else n for i, n in enumerate(shape)]
        parts.append(_cut(walk, x, start, stop))
        begin += size
    return parts


@_translates("gather")
def _gather(walk: _Walk, params: dict[str, Any], x: _Value, indices: _Value) -> int | None:
    """Whole slices along one axis, at places that are known."""
    numbers, shape = params["dimension_numbers"], walk.shape_of(x)
    if not indices.constant or len(numbers.start_index_map) != 1:
        return None
    (axis,) = numbers.start_index_map
    whole = tuple(1 if i == axis else n for i, n in enumerate(shape))
    places = np.asarray(indices.array)[..., 0]
    taken = range(axis, axis + places.ndim)
    others = tuple(i for i in range(len(walk.shape)) if i not in taken)
    if (
        tuple(params["slice_sizes"]) != whole
        or tuple(numbers.collapsed_slice_dims) != (axis,)
        or tuple(numbers.offset_dims) != others
        or places.min(initial=0) < 0
        or places.max(initial=0) >= shape[axis]
    ):
        return None
    return walk.emit("take", x, axis=axis, indices=places)
