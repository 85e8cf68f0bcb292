"""What can be known of a jaxpr's equations, and how they are computed in another precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, subjaxprs

from conformance.trace.jax.execution import (
    DOUBLE,
    Arithmetic,
    in_precision,
    is_floating,
    lower_type,
)

#: Calls, and the name under which they hold what they call.
CALLS = {
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
#: Loops, and the name under which they hold what they repeat.
LOOPS = {"scan": "jaxpr", "while": "body_jaxpr"}
PRODUCTS = frozenset({"conv_general_dilated", "dot_general"})
IDENTITIES = frozenset(
    {"copy", "copy_p", "stop_gradient", "reduce_precision", "optimization_barrier", "device_put"}
    | {"name", "sharding_constraint", "reshard", "pvary"}
)

#: Over axes that have names, of devices, or numbers, which are those of a map that named them.
REDUCTIONS = {"psum": "sum", "psum_invariant": "sum", "pmax": "max", "pmin": "min"}


def literal(atom: Literal) -> np.ndarray:
    """A number that is written into the program; a rounded one is read as it was written."""
    array = np.asarray(atom.val, atom.aval.dtype)
    if is_floating(array.dtype) and array.dtype.itemsize < 8 and array.ndim == 0:
        array = np.asarray(float(str(array)))
    return array


def called(equation: JaxprEqn) -> ClosedJaxpr | None:
    """What an equation calls, if it is a call."""
    inner = equation.params.get(CALLS.get(equation.primitive.name, ""))
    return ClosedJaxpr(inner, ()) if isinstance(inner, Jaxpr) else inner


def with_last_uses(jaxpr: Jaxpr) -> Iterator[tuple[JaxprEqn, list[Any]]]:
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


def has_layers(jaxpr: Jaxpr) -> bool:
    """Whether a jaxpr, or what it calls, has a convolution or a product."""
    products = any(equation.primitive.name in PRODUCTS for equation in jaxpr.eqns)
    return products or any(map(has_layers, subjaxprs(jaxpr)))


def multiply_adds(jaxpr: Jaxpr) -> float:
    """How many a jaxpr has with what it calls; a loop may go round any number of times."""
    if any(equation.primitive.name in LOOPS for equation in jaxpr.eqns):
        return inf
    own = sum(_multiply_adds(each) for each in jaxpr.eqns if each.primitive.name in PRODUCTS)
    return own + sum(map(multiply_adds, subjaxprs(jaxpr)))


def _multiply_adds(product: JaxprEqn) -> int:
    left, right = (atom.aval.shape for atom in product.invars)
    numbers = product.params["dimension_numbers"]
    if product.primitive.name == "dot_general":
        ((summed, _), _) = numbers
        each = prod(left[axis] for axis in summed)
    else:
        each = prod(right) // right[numbers.rhs_spec[0]]
    return prod(product.outvars[0].aval.shape) * each


def is_uniform(equation: JaxprEqn) -> bool:
    """Whether a number is drawn: however its bits are made, it is uniform in [0, 1)."""
    return equation.primitive.name in CALLS and equation.params.get("name") == "_uniform"


def is_identity(equation: JaxprEqn) -> bool:
    """Whether an equation changes nothing: a copy, or a reduction over devices, of which there is
    one here."""
    if equation.primitive.name in REDUCTIONS:
        return not any(isinstance(axis, int) for axis in equation.params["axes"])
    return equation.primitive.name in IDENTITIES


def is_cast(equation: JaxprEqn) -> bool:
    """Whether an equation only changes the precision, which is one throughout here."""
    if equation.primitive.name != "convert_element_type":
        return False
    before, after = equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype
    return before == after or all(jnp.issubdtype(d, jnp.floating) for d in (before, after))


def lower(equation: JaxprEqn) -> str:
    """The precision below float32 that an equation reads or makes, if it does."""
    types = (atom.aval.dtype for atom in (*equation.outvars, *equation.invars))
    return next(filter(None, map(lower_type, types)), "")


def _is_double(equation: JaxprEqn) -> bool:
    """Whether all numbers with a fraction are float64, the type that a rule was traced in."""
    types = [atom.aval.dtype for atom in (*equation.invars, *equation.outvars)]
    return all(dtype == DOUBLE.dtype for dtype in types if is_floating(dtype))


def bind(equation: JaxprEqn, arrays: Sequence[Any], arithmetic: Arithmetic = DOUBLE) -> list[Any]:
    """Compute an equation, its own precision replaced by the one given."""
    params = parameters(equation, arithmetic)
    results = equation.primitive.bind(*cast(arrays, arithmetic), **params)
    return list(results) if equation.primitive.multiple_results else [results]


def parameters(equation: JaxprEqn, arithmetic: Arithmetic) -> dict[str, Any]:
    """An equation's parameters in a precision."""
    params = dict(equation.params)
    reads_bits = equation.primitive.name == "bitcast_convert_type"
    if arithmetic.dtype is not None and not reads_bits:
        params = {name: in_precision(arithmetic.dtype, value) for name, value in params.items()}
    if equation.primitive.name in arithmetic.products:
        params["precision"] = arithmetic.products[equation.primitive.name]
    return params


def cast(arrays: Sequence[Any], arithmetic: Arithmetic) -> list[Any]:
    """Numbers in a precision."""
    dtype = arithmetic.dtype
    if dtype is None:
        return [*arrays]
    return [array.astype(dtype) if is_floating(array.dtype) else array for array in arrays]


def _bound(equation: JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    """A call with its rule of differentiation, in the precision that the rule was traced in."""
    params = equation.primitive.get_bind_params(equation.params)
    found: list[Any] = equation.primitive.bind(*operands, **params)
    return found


def _widened(equation: JaxprEqn, inner: ClosedJaxpr) -> Callable[..., list[Any]]:
    """A call whose rule was traced in less than float64, with that rule, in float64.

    The rule goes backward in its own precision once, on shapes, and what it does is done in
    float64 then.  Where it cannot, the call is differentiated as if it had none.
    """
    types = [atom.aval for atom in equation.invars]
    moving = [place for place, aval in enumerate(types) if is_floating(aval.dtype)]

    def call(*operands: Any) -> list[Any]:
        return evaluated(inner.jaxpr, inner.consts, operands)

    def pulled(above: Any, *operands: Any) -> Any:
        def some(*chosen: Any) -> list[Any]:
            given = dict(zip(moving, chosen, strict=True))
            return _bound(equation, [given.get(i, x) for i, x in enumerate(operands)])

        return jax.vjp(some, *(operands[place] for place in moving))[1](above)

    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in types]
    above = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.outvars]
    try:
        backward = jax.make_jaxpr(pulled)(above, *shapes)
    except Exception:
        return call
    ruled = jax.custom_vjp(call)

    def forward(*operands: Any) -> tuple[list[Any], Any]:
        return call(*operands), operands

    def back(operands: Any, above: Any) -> tuple[Any, ...]:
        found = iter(evaluated(backward.jaxpr, backward.consts, [*above, *operands]))
        return tuple(
            next(found) if place in moving else np.zeros(x.shape, jax.dtypes.float0)
            for place, x in enumerate(operands)
        )

    ruled.defvjp(forward, back)
    return ruled


def evaluated(
    jaxpr: Jaxpr,
    consts: Sequence[Any],
    inputs: Sequence[Any],
    arithmetic: Arithmetic = DOUBLE,
    draws: Iterator[float | None] | None = None,
    added: Mapping[Any, Any] | None = None,
) -> list[Any]:
    """A jaxpr's results; in float64 a rule of differentiation that it brings along stays.

    ``added`` is what is added to some of its variables.
    """
    added = added or {}
    environment = dict(zip([*jaxpr.invars, *jaxpr.constvars], [*inputs, *consts], strict=True))

    def read(atom: Any) -> Any:
        return literal(atom) if isinstance(atom, Literal) else environment[atom]

    for equation, dead in with_last_uses(jaxpr):
        name, operands = equation.primitive.name, [read(atom) for atom in equation.invars]
        inner = called(equation)
        ruled = name.startswith("custom_") and arithmetic == DOUBLE
        if is_cast(equation) or (name in REDUCTIONS and is_identity(equation)):
            results = operands
        elif is_uniform(equation):
            draw = next(draws, None) if draws else None
            results = [jnp.full(equation.outvars[0].aval.shape, 0.5 if draw is None else draw)]
        elif ruled and _is_double(equation):
            results = _bound(equation, operands)
        elif ruled and inner is not None:
            results = _widened(equation, inner)(*operands)
        elif inner is not None:
            results = evaluated(inner.jaxpr, inner.consts, operands, arithmetic, draws, added)
        else:
            results = bind(equation, operands, arithmetic)
        for var, result in zip(equation.outvars, results, strict=True):
            environment[var] = result + added[var] if var in added else result
        for var in dead:
            environment.pop(var, None)
    return [read(atom) for atom in jaxpr.outvars]
