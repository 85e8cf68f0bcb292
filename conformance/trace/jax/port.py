"""JAX's tracer: ``apply(variables, images)`` of any JAX library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.trace.fresh import Fresh
from conformance.trace.jax.equations import evaluated
from conformance.trace.jax.execution import as_array, computing, gpu, let_go, lightly
from conformance.trace.jax.plain import filled, plainly
from conformance.trace.jax.program import KEPT, Program, program, shapes, stored
from conformance.trace.jax.steps import once
from conformance.trace.jax.walk import Places, record, replay
from conformance.trace.places import refusing
from conformance.trace.port import (
    Arrays,
    CannotExecute,
    Gradients,
    Inside,
    NoGradient,
    Observer,
    Own,
    Run,
    Size,
    UntraceableModel,
    checked,
    images,
)
from conformance.trace.tape import Tape

__all__ = ["JaxPort", "differentiate", "execute", "gpu", "inside", "port", "versions"]


def versions() -> dict[str, str]:
    """The release that decides what a jaxpr looks like."""
    return {"jax": jax.__version__}


def port(factory: Callable[[], Any]) -> JaxPort:
    """The model of a ``factory()`` that returns a pair ``(apply, variables)``."""
    return JaxPort(factory)


class JaxPort:
    """A pair ``(apply, variables)``; see :class:`conformance.trace.port.Port`.

    Images are batch x height x width x channels.  A variable's handle is its path, joined by /.
    """

    framework = "flax"

    def __init__(self, factory: Callable[..., Any]) -> None:
        self.factory = Fresh(factory, whole)
        self._kept: tuple[tuple[tuple[int, ...], bool], Program] | None = None

    @property
    def trains(self) -> bool:
        """A pair has no training flag."""
        return False

    def built(self) -> object:
        """What the factory returns, with variables that have shapes only."""
        return self._model

    def trace(self, size: Size, training: bool = False, batch: int | None = None) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        return checked(record(self.program((images(training, batch), *size), training)))

    def run(self, run: Run, wanted: frozenset[int], observe: Observer) -> dict[str, np.ndarray]:
        """See :class:`conformance.trace.port.Port`; compiled by XLA."""
        let_go()
        return execute(self._running(run), run, wanted, observe)

    def gradient(self, run: Run, cotangents: Arrays, wanted: frozenset[str]) -> Gradients:
        """See :class:`conformance.trace.port.Port`."""
        let_go()
        program = self.program(run.image.shape, run.training)
        return differentiate(program, run, cotangents, wanted)

    def inside(self, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
        """See :class:`conformance.trace.port.Port`."""
        program = self.program(run.image.shape, run.training)
        return inside(program, run, cotangents, wanted)

    def _running(self, run: Run) -> Program:
        """What is run: traced once more than the tape, which a model that is another one each
        time does not fit, and then kept for runs in other precisions."""
        asked = run.image.shape, run.training
        if self._kept is None or self._kept[0] != asked:
            self._kept = asked, self.program(*asked)
        return self._kept[1]

    @lightly()
    def own(self) -> Own:
        """What the pair's variables hold."""
        with refusing("the factory does not build"):
            _, variables = self.factory()
            return stored(variables)

    def plain(self, values: Mapping[str, np.ndarray], images: np.ndarray) -> list[np.ndarray]:
        """See :class:`conformance.trace.port.Port`."""
        return plainly(self._callable, values, images)

    @lightly()
    def _callable(
        self, values: Mapping[str, np.ndarray], shape: tuple[int, ...]
    ) -> Callable[[Any], Any]:
        """What the factory makes now, as a function of images, holding these values."""
        apply, variables = self.factory()
        return partial(apply, filled(variables, values))

    def program(self, shape: tuple[int, ...], training: bool = False) -> Program:
        """The model as a jaxpr for a batch of images; a pair does the same in training."""
        return self._called(shape)

    def _called(self, shape: tuple[int, ...]) -> Program:
        """A pair as a jaxpr; with arrays where ``apply`` has kept some of those it was built of."""
        apply, variables = self._model
        try:
            found = program(apply, variables, shape)
            if whole(found.jaxpr.consts):
                return found
        except UntraceableModel as refused:
            if not isinstance(refused.__cause__, KEPT):
                raise
        self._model = with_arrays(self.factory)
        apply, variables = self._model
        return program(apply, variables, shape)

    @cached_property
    def _model(self) -> Any:
        return _build(self.factory)


def whole(model: Any) -> bool:
    """Whether a pair, or a tree of modules, has all of its numbers."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(model))


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
        except Exception:  # such as a factory that looks at its weights, or loads them
            return with_arrays(factory)
    return applies[-1], abstract


@lightly()
def with_arrays(factory: Callable[[], Any]) -> tuple[Callable[..., Any], Any]:
    """The same of a factory that needs real weights, of which the shapes are kept."""
    # A state's counters have the type that they get in the trace.
    with refusing("the factory does not build a pair (apply, variables)"), jax.enable_x64(True):
        apply, variables = factory()
        return apply, shapes(variables)


def execute(
    program: Program, run: Run, wanted: frozenset[int], observe: Observer
) -> dict[str, np.ndarray]:
    """Execute a program, handing out what is wanted; returns what is replaced."""
    if not run.how.compiled:
        return replay(program, run, wanted, observe)
    with computing(run.how) as arithmetic:
        arrays = program.inputs(run.values, arithmetic.dtype)

        def call(*inputs: Any) -> list[Any]:
            whole = program.jaxpr
            return evaluated(whole.jaxpr, whole.consts, inputs, arithmetic)

        with refusing("the model is not compiled here", CannotExecute):
            results = jax.jit(call)(*arrays, jnp.asarray(run.image, arithmetic.dtype))
    for value, result in zip(run.tape.outputs, results, strict=True):
        if value in wanted:
            observe(value, as_array(result))
    return {}


def differentiate(
    program: Program, run: Run, cotangents: Arrays, wanted: frozenset[str]
) -> Gradients:
    """The gradients of a program by JAX's own reverse mode, custom rules included."""
    chosen = [i for i, handle in enumerate(program.handles) if handle in wanted]
    draws = tuple(run.drawn())
    with computing():
        arrays = program.inputs(run.values, jnp.float64)

        def main(picture: Any, *some: Any) -> Any:
            given = dict(zip(chosen, some, strict=True))
            inputs = [given.get(i, array) for i, array in enumerate(arrays)]
            whole = program.jaxpr
            results = evaluated(whole.jaxpr, whole.consts, [*inputs, picture], draws=iter(draws))
            return results[: len(cotangents)]

        def pulled(above: Any, *inputs: Any) -> Any:
            return jax.vjp(main, *inputs)[1](above)

        picture = jnp.asarray(run.image, jnp.float64)
        with refusing("the model cannot go backward", NoGradient):
            above = [jnp.asarray(cotangent) for cotangent in cotangents]
            through = program.jaxpr.jaxpr
            found = once(pulled, through, above, picture, *(arrays[i] for i in chosen))
    handles = [None, *(program.handles[i] for i in chosen)]
    return dict(zip(handles, map(np.asarray, found), strict=True))


def inside(program: Program, run: Run, cotangents: Arrays, wanted: frozenset[int]) -> Inside:
    """The gradients by values of the tape: by what is added to the variables that they are."""
    places = {value: made for value, made in Places(program).found().items() if value in wanted}
    chosen = [var for made in places.values() for var in made]
    draws = tuple(run.drawn())
    with computing():
        arrays = [*program.inputs(run.values, jnp.float64), jnp.asarray(run.image, jnp.float64)]

        def main(*added: Any) -> Any:
            whole, more = program.jaxpr, dict(zip(chosen, added, strict=True))
            results = evaluated(
                whole.jaxpr, whole.consts, arrays, draws=iter(draws), added=more
            )  # fmt: skip
            return results[: len(cotangents)]

        def pulled(above: Any, *added: Any) -> Any:
            return jax.vjp(main, *added)[1](above)

        with refusing("the model cannot go backward", NoGradient):
            above = [jnp.asarray(cotangent) for cotangent in cotangents]
            zeros = [jnp.zeros(var.aval.shape, jnp.float64) for var in chosen]
            found = iter(map(np.asarray, once(pulled, program.jaxpr.jaxpr, above, *zeros)))
    return {value: [next(found) for _ in made] for value, made in places.items()}
