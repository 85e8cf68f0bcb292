"""A model that JAX cannot execute is told from a way of executing it that there is not."""

from importlib.util import find_spec

import numpy as np
import pytest

from conformance.trace.port import CannotExecute, Execution, Run, UntraceableModel

if find_spec("jax") is None:
    pytest.skip("jax is not installed", allow_module_level=True)

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive

from conformance.trace.jax.equations import multiply_adds, once
from conformance.trace.jax.execution import ONCE, SMALL, UNOPTIMISED, options
from conformance.trace.jax.port import port

unfinished = Primitive("unfinished")
unfinished.def_abstract_eval(lambda x: x)  # it has a shape, and nothing that computes it


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Execution(), UntraceableModel),
        (Execution(compiled=True), CannotExecute),
        (Execution("float32"), CannotExecute),
        (Execution("tf32"), CannotExecute),
        (Execution(device="gpu"), CannotExecute),
    ],
    ids=repr,
)
def test_who_is_at_fault(how, told, monkeypatch):
    """In float64 and step by step it is the model; otherwise it may be the way."""
    monkeypatch.setattr("conformance.trace.jax.execution.gpu", lambda: "")
    model = port(lambda: (lambda variables, x: unfinished.bind(x), {}))
    tape = model.trace((4, 4, 1))
    image = np.zeros((1, 4, 4, 1))
    with pytest.raises(told, match=r"unfinished|sees no GPU|precision of GPUs"):
        run = Run(tape, lambda _: image, image, how=how)
        model.run(run, frozenset(tape.outputs), lambda *_: None)


def test_an_option_that_the_compiler_has_not_is_left_out():
    """What it is called changes from one release to the next."""
    known = "xla_backend_optimization_level"
    assert options({known: 1, "xla_of_another_release": True}) == {known: 1}
    assert known in options(ONCE)


def products(x, kernel, matrix):
    """A convolution in two groups, and a product in a call."""
    layout = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(
        x, kernel, (2, 2), "SAME", dimension_numbers=layout, feature_group_count=2
    )
    return jax.jit(lambda x: x.reshape(1, -1) @ matrix)(x)


def repeated(x, kernel, matrix):
    """The same in a loop."""
    return jax.lax.fori_loop(0, 9, lambda _, sum: sum + products(x, kernel, matrix).sum(), 0.0)


@pytest.mark.parametrize(
    ("function", "outputs", "number"),
    [(products, 10, 4 * 4 * 6 * 18 + 96 * 10), (products, SMALL, None), (repeated, 10, None)],
)
def test_a_small_program_is_not_optimised(function, outputs, number):
    """It has few multiply-adds, which are counted, and no loop, which may go round for ever."""
    shapes = (1, 8, 8, 4), (3, 3, 2, 6), (96, outputs)
    given = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    jaxpr = jax.make_jaxpr(function)(*given).jaxpr
    assert number is None or multiply_adds(jaxpr) == number
    assert once(jaxpr) == options(UNOPTIMISED if number else ONCE)
