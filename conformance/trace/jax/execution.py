"""In what precision and on which device JAX computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from conformance.trace.port import PLAIN, Execution


class Arithmetic(NamedTuple):
    """The type of all numbers with a fraction, and the precision of products by primitive.

    Without a type numbers stay in their own.
    """

    dtype: Any
    products: Mapping[str, Any]


#: As they are stored.  On a GPU that rules out TF32.
EXACT = (jax.lax.Precision.HIGHEST,) * 2
PRODUCTS = {"dot_general": EXACT, "conv_general_dilated": EXACT}

#: XLA multiplies a vector and a matrix in float32 unless an algorithm is given; a convolution takes
#: no algorithm, only a precision that allows TF32, and cuDNN has none for three channels.
FAST = {
    "dot_general": jax.lax.DotAlgorithmPreset.TF32_TF32_F32,
    "conv_general_dilated": (jax.lax.Precision.HIGH,) * 2,
}

#: How a product between conversions is compiled: XLA's newer emitters take twice as long.
BETWEEN_CONVERSIONS = {"xla_cpu_use_fusion_emitters": False}
#: How a step of a way back is compiled, which runs a few times: optimising takes longer than that.
#: Without any, the gradient of a strided convolution by its input takes minutes.
ONCE = BETWEEN_CONVERSIONS | {
    "xla_backend_optimization_level": 1,
    "xla_llvm_disable_expensive_passes": True,
}
#: How the whole of one is that is so small that it takes no time even then: its most multiply-adds.
UNOPTIMISED = ONCE | {"xla_backend_optimization_level": 0}
SMALL = 1 << 26

#: What decides, and what constants are computed in.
DOUBLE = Arithmetic(jnp.dtype(jnp.float64), PRODUCTS)
#: What is as it was written.
OWN = Arithmetic(None, {})


#: Programs that are kept for what is alike: each of them takes about a megabyte.
MANY = 512
compiled = 0


def _count(event: str, *_: Any, **__: Any) -> None:
    global compiled
    compiled += event.endswith("backend_compile_duration")


jax.monitoring.register_event_duration_secs_listener(_count)


def let_go() -> None:
    """Forget the programs that have been compiled, if they are many."""
    global compiled
    if compiled > MANY:
        jax.clear_caches()
        compiled = 0


def gpu() -> str:
    """The name of the GPU that JAX sees; empty if it sees none."""
    try:
        return str(jax.devices("gpu")[0].device_kind)
    except RuntimeError:
        return ""


@contextmanager
def computing(how: Execution = PLAIN) -> Iterator[Arithmetic]:
    """The arithmetic of an execution, on its device and with float64 allowed.

    A program says of each product how precisely it is computed, and mostly that it does not
    mind, which on a GPU is TF32: that is replaced.
    """
    fast = how.precision == "tf32"
    how.possible("JAX", gpu)
    dtype = jnp.dtype(jnp.float32 if fast else how.precision)
    with jax.enable_x64(True), jax.default_device(jax.devices(how.device)[0]):
        yield Arithmetic(dtype, FAST if fast else PRODUCTS)


@contextmanager
def lightly() -> Iterator[None]:
    """Optimise little of what is compiled: what draws a model's weights runs once for a shape."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options of the compiler that this release has: only time depends on them."""
    return {name: value for name, value in wanted.items() if _is_option(name, value)}


@cache
def _is_option(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def is_floating(dtype: Any) -> bool:
    """Whether something is a type of numbers with a fraction."""
    return isinstance(dtype, np.dtype) and bool(jnp.issubdtype(dtype, jnp.floating))


def in_precision(precision: Any, value: Any) -> Any:
    """A precision in the place of a type of numbers with a fraction; anything else as it is."""
    return precision if is_floating(value) else value


def lower_type(dtype: Any) -> str:
    """The name of a type of numbers with a fraction that is less than float32; else empty."""
    return str(dtype) if is_floating(dtype) and dtype.itemsize < 4 else ""


def given(array: Any, dtype: Any) -> jax.Array:
    """An array for JAX in a precision; NumPy converts it, which compiles nothing for its shape."""
    return jnp.asarray(np.asarray(array, dtype), dtype)


def as_array(array: Any) -> np.ndarray:
    """An array in a type that NumPy has; float32 holds bfloat16's numbers and float16's."""
    found = np.asarray(array)
    return found.astype(np.float32) if found.dtype.itemsize < 4 else found
