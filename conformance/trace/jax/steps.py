"""A jaxpr computed equation by equation, with little to compile: that takes XLA most of the time.

What is compiled is compiled for a shape, and of a deep network's shapes there are few: equations
that are alike share a program, as they do not where a whole network is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Literal

from conformance.trace.jax.equations import (
    PRODUCTS,
    bind,
    called,
    cast,
    multiply_adds,
    parameters,
    with_last_uses,
)
from conformance.trace.jax.execution import (
    BETWEEN_CONVERSIONS,
    DOUBLE,
    ONCE,
    OWN,
    SMALL,
    UNOPTIMISED,
    Arithmetic,
    options,
)

#: What computes every number by itself, and at how many of them a time.
ELEMENTWISE = frozenset(
    "add add_any sub mul div max min neg abs sign floor sqrt rsqrt square exp log log1p expm1"
    " tanh logistic erf pow integer_pow lt le gt ge eq ne and or not select_n"
    " convert_element_type".split()
)
SIZES = (1 << 12, 1 << 14, 1 << 16)

#: What XLA takes long to compile, of a way back.
SLOW = PRODUCTS | {"select_and_scatter_add"}


def _broadcast(x: np.ndarray, shape: tuple[int, ...], axes: Sequence[int]) -> np.ndarray:
    """A view of numbers that are repeated along all axes but these."""
    places = [1] * len(shape)
    for axis, size in zip(axes, x.shape, strict=True):
        places[axis] = size
    return np.broadcast_to(x.reshape(places), shape)


#: What only moves numbers, by NumPy: of the parameters, the shape of the result, and arrays.
MOVES: dict[str, Callable[..., Sequence[np.ndarray]]] = {
    "squeeze": lambda how, shape, x: [x.reshape(shape)],
    "expand_dims": lambda how, shape, x: [x.reshape(shape)],
    "reshape": lambda how, shape, x: [x.reshape(shape)],
    "broadcast_in_dim": lambda how, shape, x: [_broadcast(x, shape, how["broadcast_dimensions"])],
    "transpose": lambda how, shape, x: [x.transpose(how["permutation"])],
    "rev": lambda how, shape, x: [np.flip(x, how["dimensions"])],
    "split": lambda how, shape, x: np.split(x, np.cumsum(how["sizes"])[:-1], how["axis"]),
    "concatenate": lambda how, shape, *parts: [np.concatenate(parts, how["dimension"])],
}


def computed(equation: JaxprEqn, arrays: Sequence[Any], arithmetic: Arithmetic) -> list[Any]:
    """As :func:`.bind`, of arrays, with less to compile.

    NumPy does what only moves numbers, and maps are brought to a few sizes, a piece of a large one
    at a time, where all that is done is done to every number by itself.
    """
    name = equation.primitive.name
    if not all(map(_is_near, arrays)):
        return bind(equation, arrays, arithmetic)
    if name in MOVES and not (name == "reshape" and equation.params["dimensions"]):
        moved = map(np.asarray, cast(arrays, arithmetic))
        return list(MOVES[name](equation.params, equation.outvars[0].aval.shape, *moved))
    if name in ELEMENTWISE:
        return [_by_pieces(equation, arrays, arithmetic)]
    if name in PRODUCTS and arithmetic.dtype.itemsize < 4:
        between = _between_conversions(equation.primitive, _hashed(equation, arithmetic))
        return [between(*cast(arrays, arithmetic))]
    # With NumPy's arrays a port's own function would be called back in a thread without float64.
    there = [jax.device_put(x) if isinstance(x, np.ndarray) else x for x in arrays]
    return bind(equation, there, arithmetic)


def stepwise(
    jaxpr: Jaxpr, consts: Sequence[Any], inputs: Sequence[Any], programs: dict[Any, Any]
) -> list[Any]:
    """A jaxpr's results, each number in its own precision; they are let go after their last use.

    What takes long to compile is added to the ``programs``.
    """
    environment = dict(zip([*jaxpr.invars, *jaxpr.constvars], [*inputs, *consts], strict=True))

    def read(atom: Any) -> Any:
        written = isinstance(atom, Literal)
        return np.asarray(atom.val, atom.aval.dtype) if written else environment[atom]

    for equation, dead in with_last_uses(jaxpr):
        operands, inner = [read(atom) for atom in equation.invars], called(equation)
        if inner is not None:
            results = stepwise(inner.jaxpr, inner.consts, operands, programs)
        elif equation.primitive.name in SLOW:
            results = [_quickly(equation, operands, programs)]
        else:
            results = computed(equation, operands, OWN)
        environment.update(zip(equation.outvars, results, strict=True))
        for var in dead:
            environment.pop(var, None)
    return [read(atom) for atom in jaxpr.outvars]


def once(function: Callable[..., list[Any]], jaxpr: Jaxpr, *inputs: Any) -> list[Any]:
    """What a function of arrays, the way back through a jaxpr, returns: it is called once.

    Through a small one it is compiled as a whole, and not optimised.
    """
    if multiply_adds(jaxpr) <= SMALL:
        return jax.jit(function, compiler_options=options(UNOPTIMISED))(*inputs)
    back = jax.make_jaxpr(function)(*inputs)
    return stepwise(back.jaxpr, back.consts, jax.tree.leaves(inputs), {})


def _quickly(equation: JaxprEqn, arrays: Sequence[Any], programs: dict[Any, Any]) -> Any:
    """What an equation computes, by a program that is let go with the others: it is large."""
    there = [jnp.asarray(array) for array in arrays]
    what = equation.primitive, _hashed(equation, OWN), *((x.shape, x.dtype) for x in there)
    if what not in programs:
        compute = jax.jit(partial(equation.primitive.bind, **equation.params))
        programs[what] = compute.lower(*there).compile(options(ONCE))
    return programs[what](*there)


def _by_pieces(equation: JaxprEqn, arrays: Sequence[Any], arithmetic: Arithmetic) -> np.ndarray:
    shape = equation.outvars[0].aval.shape
    total = prod(shape)
    size = next((size for size in SIZES if size >= total), SIZES[-1])
    rows = [_in_a_row(np.asarray(array), shape) for array in arrays]

    def piece(start: int) -> np.ndarray:
        some = [row[start : start + size] for row in rows]
        wide = [part if len(part) == size else np.resize(part, size) for part in some]
        (found,) = bind(equation, wide, arithmetic)
        return np.asarray(found)[: total - start]

    if total <= size:
        return piece(0).reshape(shape)
    return np.concatenate(list(map(piece, range(0, total, size)))).reshape(shape)


def _in_a_row(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of an array, or one as often as there are numbers."""
    if array.size == 1:
        return np.broadcast_to(array.reshape(1), (prod(shape),))
    return np.broadcast_to(array, shape).reshape(-1)


def _hashed(equation: JaxprEqn, arithmetic: Arithmetic) -> tuple[tuple[str, Any], ...]:
    return tuple(parameters(equation, arithmetic).items())


@cache
def _between_conversions(primitive: Any, params: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    """A product that XLA computes in float32, between conversions."""
    product = partial(primitive.bind, **dict(params))
    return jax.jit(product, compiler_options=options(BETWEEN_CONVERSIONS))


def _is_near(array: Any) -> bool:
    """Whether an array holds numbers where NumPy can read them."""
    if isinstance(array, np.ndarray | np.generic):
        return True
    numbers = not jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    return numbers and array.device.platform == "cpu"


def fold(equation: JaxprEqn, arrays: Sequence[Any]) -> list[Any]:
    """Compute an equation of constants; a broadcast stays the small array that it is."""
    found = computed(equation, [plain(array) for array in arrays], DOUBLE)
    return [plain(array) for array in found]


def plain(array: Any) -> Any:
    """A constant as a NumPy array; a random key as it is."""
    return array if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) else np.asarray(array)
