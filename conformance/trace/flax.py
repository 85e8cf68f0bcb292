"""Flax: a module built and traced on shapes alone, run with the values it is given.

What an NNX model keeps in an NNX Variable of floats is a stored array under its own path, trained
or not.  A bare array among a module's attributes (a mask, a list of indices), or a Variable of
integers, is part of the model's code: it is computed, everything else stays abstract.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

from conformance.trace import jax as jaxprs
from conformance.trace import jax_execution
from conformance.trace.port import Own, Size, UntraceableModel
from conformance.trace.tape import Tape

#: How a call is told whether this is training, for modules that want to be told every time.
TRAINING = ("train", "training", "is_training")
INFERENCE = ("deterministic", "use_running_average")


def gpu() -> str:
    """The name of the GPU that JAX sees; empty if it sees none."""
    return jax_execution.gpu()


def versions() -> dict[str, str]:
    """The releases that decide what a Flax model computes."""
    return {"flax": flax.__version__, **jaxprs.versions()}


def port(factory: Callable[..., Any]) -> FlaxPort:
    """The model that ``factory(rngs=...)``, or ``factory()``, builds."""
    return FlaxPort(factory)


class FlaxPort(jaxprs.JaxPort):
    """One factory of an NNX or Linen module, or of a pair ``(apply, variables)``."""

    framework = "flax"
    size: Size | None = None

    def trace(self, size: Size, training: bool = False) -> Tape:
        """See :class:`conformance.trace.port.Port`."""
        self.size = size
        return super().trace(size, training)

    def own(self) -> Own:
        """What the module or the pair stores when it is built with its weights, from key 0."""
        try:
            match _made(self.factory):
                case nnx.Module() as module:
                    return _weights(module)
                case linen.Module() as module:
                    if self.size is None:
                        raise UntraceableModel("a Linen module has no weights before it is traced")
                    flags = _flags(type(module).__call__, False)
                    keys = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
                    return jaxprs.stored(module.init(keys, jnp.zeros((1, *self.size)), **flags))
                case (_, variables):
                    return jaxprs.stored(variables)
                case other:
                    raise TypeError(f"it returned {type(other).__name__}, not a Flax module")
        except UntraceableModel:
            raise
        except Exception as error:
            raise UntraceableModel(
                f"the factory does not build with its weights: {jaxprs.told(error)}"
            ) from error

    @property
    def trains(self) -> bool:
        """Whether it is a module: nothing tells a pair that it is training."""
        return isinstance(self._model, Model | linen.Module)

    def program(self, shape: tuple[int, ...], training: bool = False) -> jaxprs.Program:
        """The model as a jaxpr for a batch of images."""
        model = self._model
        if isinstance(model, Model):
            run = functools.partial(model.apply, training=training)
            updates = model.statistics if training else ()
            return jaxprs.program(run, model.abstract, shape, model.handles, _module, updates)
        if isinstance(model, linen.Module):
            apply, variables, updates = _linen(model, shape, training)
            return jaxprs.program(apply, variables, shape, updates=updates)
        apply, variables = model
        return jaxprs.program(apply, variables, shape)

    @functools.cached_property
    def _model(self) -> Any:
        return _build(self.factory)


class Model:
    """An abstract module: its structure, and what each array of its state is.

    ``abstract`` and ``handles`` describe the state without the constants; the handle of a random
    stream's state is None.  ``constants`` has the constants that are known, by their place in
    the state, and ``missing`` the places of the others.  ``statistics`` are the handles of what
    training replaces besides the weights.
    """

    def __init__(self, graphdef: Any, state: Any, known: dict[int, Any]) -> None:
        self.graphdef = graphdef
        self.structure = jax.tree.structure(state)
        self.constants: dict[int, np.ndarray] = {}
        self.missing: list[int] = []
        self.abstract: list[jax.ShapeDtypeStruct] = []
        self.handles: list[str | None] = []
        self.statistics: list[str] = []
        leaves = jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_variable)
        arrays = [(path, leaf, array) for path, leaf in leaves for array in jax.tree.leaves(leaf)]
        for place, (path, leaf, array) in enumerate(arrays):
            if isinstance(leaf, nnx.RngState):
                self.abstract.append(jax.ShapeDtypeStruct(array.shape, array.dtype))
                self.handles.append(None)
            elif _is_variable(leaf) and jnp.issubdtype(array.dtype, jnp.floating):
                self.abstract.append(jax.ShapeDtypeStruct(array.shape, jnp.float64))
                handle = jax.tree_util.keystr(path, simple=True, separator=".")
                self.handles.append(handle)
                if isinstance(leaf, nnx.BatchStat):
                    self.statistics.append(handle)
            elif place in known:
                self.constants[place] = np.asarray(known[place])
            else:
                self.missing.append(place)

    @property
    def complete(self) -> bool:
        """Whether everything but the weights is known."""
        return not self.missing and not _has_tracers(self.graphdef)

    def apply(self, arrays: list[Any], images: Any, training: bool) -> Any:
        """The result of the module with these arrays in its state, among its constants.

        In training the statistics that are kept of the batch come after it.
        """
        rest = iter(arrays)
        count = self.structure.num_leaves
        leaves = [self.constants[i] if i in self.constants else next(rest) for i in range(count)]
        module = nnx.merge(self.graphdef, jax.tree.unflatten(self.structure, leaves))
        module.train() if training else module.eval()
        with _named(module), _replaceable():
            result = module(images, **_flags(type(module).__call__, training))
        if not training:
            return result
        return result, jax.tree.leaves(nnx.state(module, nnx.BatchStat))


def _build(factory: Callable[..., Any]) -> Any:
    """What the factory returns, its weights left abstract: a Model, a Linen module or a pair.

    Most NNX modules hold nothing but weights.  One that holds more is built again in such a way
    that JAX stages only what is drawn at random and computes the rest: masks, codes, indices.
    """
    with jax.enable_x64(True):
        try:
            model = _assemble(factory, nullcontext())
            if isinstance(model, Model) and not model.complete:
                model = _assemble(factory, jax.ensure_compile_time_eval())
            if isinstance(model, linen.Module):
                return _made(factory)  # It holds no weights, and whatever it holds is known.
        except Exception as error:
            told = jaxprs.told(error)
            raise UntraceableModel(f"the factory does not build a model: {told}") from error
    if isinstance(model, Model) and not model.complete:
        raise UntraceableModel(
            "the model keeps random numbers outside an nnx.Variable; make them an nnx.Param"
        )
    return model


def _made(factory: Callable[..., Any]) -> Any:
    return factory(**({"rngs": nnx.Rngs(0)} if _takes(factory, "rngs") else {}))


def _assemble(factory: Callable[..., Any], evaluation: AbstractContextManager[Any]) -> Any:
    built: list[Any] = []

    def build(key: jax.Array) -> Any:
        with _one_key(key), evaluation:
            match _made(factory):
                case linen.Module() as module:
                    built.append(module)
                    return None
                case (apply, variables) if callable(apply):
                    built.append(apply)
                    return variables
                case nnx.Module() as module:
                    graphdef, state = nnx.split(module)
                case other:
                    raise TypeError(
                        f"it returned {type(other).__name__}; it has to return a Flax module, or"
                        " for another JAX library a pair (apply, variables) with"
                        " apply(variables, images)"
                    )
        leaves = enumerate(jax.tree.leaves(state))
        known = {place: leaf for place, leaf in leaves if not isinstance(leaf, jax.core.Tracer)}
        built.append((graphdef, known))
        return state

    state = jax.eval_shape(build, jax.eval_shape(lambda: jax.random.key(0)))
    match built[-1]:
        case linen.Module() as module:
            return module
        case (graphdef, known):
            return Model(graphdef, state, known)
        case apply:
            return apply, state


def _has_tracers(graphdef: Any) -> bool:
    """Whether an attribute that Flax takes for static is an array that has not been computed."""
    values = [getattr(attribute, "value", None) for _, attribute in graphdef.attributes]
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


@contextmanager
def _one_key(key: jax.Array) -> Iterator[None]:
    """Let random streams hand out one key, however often they are asked.

    No weight is drawn, so keys need not differ; and adding to a stream's count while tracing
    makes JAX look for a sharding that is not there, in time quadratic in the number of keys.
    """
    call = nnx.RngStream.__call__
    nnx.RngStream.__call__ = lambda self: key
    try:
        yield
    finally:
        nnx.RngStream.__call__ = call


@contextmanager
def _replaceable() -> Iterator[None]:
    """Let ``variable[...] = value`` be a replacement, without a look at where the arrays lie.

    While tracing they lie nowhere, which JAX finds out in the same quadratic time.
    """
    set_item = nnx.Variable.__setitem__

    def replace(self: nnx.Variable, key: Any, value: Any) -> None:
        if key is ... and jax.typeof(value) == jax.typeof(self.get_value()):
            self.set_value(value)
        else:
            set_item(self, key, value)

    nnx.Variable.__setitem__ = replace
    try:
        yield
    finally:
        nnx.Variable.__setitem__ = set_item


@contextmanager
def _named(module: nnx.Module) -> Iterator[None]:
    """Have every operation carry the path of the module whose call it is part of."""
    children = list(nnx.iter_modules(module))
    paths = {id(child): ".".join(map(str, path)) for path, child in children}
    kinds = {type(child) for _, child in children}
    kept = {kind: vars(kind).get("__call__") for kind in kinds if _is_callable(kind)}
    for kind in kept:
        kind.__call__ = _scoped(kind.__call__, paths)
    try:
        yield
    finally:
        for kind, call in kept.items():
            if call is None:
                del kind.__call__
            else:
                kind.__call__ = call


def _is_callable(kind: type) -> bool:
    return any("__call__" in vars(base) for base in kind.__mro__)


def _scoped(call: Callable[..., Any], paths: dict[int, str]) -> Callable[..., Any]:
    @functools.wraps(call)
    def scoped(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
        with jax.named_scope(f"@{paths.get(id(self), '')}"):
            return call(self, *args, **kwargs)

    return scoped


def _module(stack: str) -> str:
    """The innermost module of a name stack, and the port's own scopes inside it."""
    return stack.rpartition("@")[2].strip("/")


def _linen(
    module: Any, shape: tuple[int, ...], training: bool
) -> tuple[Callable[[Any, Any], Any], Any, list[str]]:
    """A Linen module as a pair, initialised on shapes alone, and the handles training replaces."""
    flags = _flags(type(module).__call__, training)
    key = jax.random.key(0)

    def init(images: jax.Array) -> Any:
        return module.init({"params": key, "dropout": key}, images, **flags)

    def apply(variables: Any, images: jax.Array) -> Any:
        if not training:
            return module.apply(variables, images, **flags)
        kept = [name for name in variables if name != "params"]
        rngs = {"dropout": key}
        result, changed = module.apply(variables, images, mutable=kept, rngs=rngs, **flags)
        return result, jax.tree.leaves({name: changed[name] for name in kept})

    try:
        variables = jax.eval_shape(init, jax.ShapeDtypeStruct(shape, jnp.float32))
    except Exception as error:
        raise UntraceableModel(f"the model cannot be initialised: {jaxprs.told(error)}") from error
    kept = {name: tree for name, tree in variables.items() if name != "params"}
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(kept)]
    handles = [jax.tree_util.keystr(path, simple=True, separator="/") for path in paths]
    return apply, variables, handles if training else []


def _flags(call: Callable[..., Any], training: bool) -> dict[str, Any]:
    """The arguments by which a module's call is told whether it is training."""
    flags = dict.fromkeys(TRAINING, training) | dict.fromkeys(INFERENCE, not training)
    given: dict[str, Any] = {name: value for name, value in flags.items() if _takes(call, name)}
    return given | ({"rngs": nnx.Rngs(0)} if _takes(call, "rngs") else {})


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, a class or a partial of these has a parameter of this name."""
    while isinstance(function, functools.partial):
        function = function.func
    target = function.__init__ if inspect.isclass(function) else function
    parameters = inspect.signature(target).parameters
    rest = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return name in parameters or (rest and name == "rngs")


def _weights(module: nnx.Module) -> Own:
    """The arrays of a built module that a :class:`Model` has handles for."""
    leaves = jax.tree_util.tree_leaves_with_path(nnx.state(module), is_leaf=_is_variable)
    return Own(
        {
            jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(array)
            for path, leaf in leaves
            if _is_variable(leaf) and not isinstance(leaf, nnx.RngState)
            for array in jax.tree.leaves(leaf)
            if jnp.issubdtype(array.dtype, jnp.floating)
        }
    )


def _is_variable(leaf: Any) -> bool:
    return isinstance(leaf, nnx.Variable)
