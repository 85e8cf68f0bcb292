"""A model that JAX cannot execute is told from a way of executing it that there is not."""

from importlib.util import find_spec
from math import inf

import numpy as np
import pytest

from conformance.trace.port import CannotExecute, Execution, Run, UntraceableModel

if find_spec("jax") is None:
    pytest.skip("jax is not installed", allow_module_level=True)

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive

from conformance.trace.jax import execution, steps
from conformance.trace.jax.equations import multiply_adds
from conformance.trace.jax.execution import ONCE, SMALL, computing, options
from conformance.trace.jax.port import port
from conformance.trace.jax.steps import stepwise

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


def test_programs_are_let_go_once_they_are_many(monkeypatch):
    """What is asked for afterwards is compiled again."""
    monkeypatch.setattr(execution, "MANY", 1)
    monkeypatch.setattr(execution, "compiled", 0)
    one, numbers = jax.jit(lambda x: 2 * x), np.arange(3.0)

    def count():
        one(numbers)
        execution.let_go()
        return execution.compiled

    assert [count(), count()] == [1, 1]
    jax.jit(lambda x: 3 * x)(numbers)
    assert [count(), count()] == [0, 1]


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
    ("function", "number"), [(products, 4 * 4 * 6 * 18 + 96 * 10), (repeated, inf)]
)
def test_multiply_adds_are_counted(function, number):
    """In what is called, too; a loop may go round for ever."""
    shapes = (1, 8, 8, 4), (3, 3, 2, 6), (96, 10)
    given = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    assert multiply_adds(jax.make_jaxpr(function)(*given).jaxpr) == number


def moved(x):
    """Numbers that are moved, drawn, rounded on the way and chosen from."""
    left, right = jnp.split(jnp.tanh(x.astype(jnp.float32)), 2, axis=1)
    noise = jax.random.normal(jax.random.split(jax.random.key(0))[1], left.shape)
    y = jnp.concatenate([right, jnp.flip(left, 0) + noise], 1).T
    return [jnp.where(y > y.mean(0), y.astype(jnp.float64), 2 * x.T)]


def test_steps_have_the_bits_of_the_program():
    """In the precision that each is written in, on more numbers than are computed at a time."""
    x = np.random.default_rng(0).normal(size=(300, 400))
    with computing():
        whole = jax.make_jaxpr(moved)(x)
        np.testing.assert_array_equal(stepwise(whole.jaxpr, whole.consts, [x], {}), moved(x))


@pytest.mark.parametrize("most", [0, SMALL], ids=["by steps", "as a whole"])
def test_a_way_back_is_the_same_in_steps_and_as_a_whole(most, monkeypatch):
    """That of a small program is compiled as a whole; the gradient of a sum of squares is twice
    the numbers, and twice the number of a kernel's places is its own."""
    monkeypatch.setattr(steps, "SMALL", most)
    x, kernel = np.arange(64.0).reshape(1, 4, 4, 4), np.ones((3, 3, 4, 6))

    def back(above, x, kernel):
        return jax.vjp(lambda x, k: (x * x).sum() + 2 * k.sum(), x, kernel)[1](above)

    with computing():
        through = jax.make_jaxpr(back)(1.0, x, kernel).jaxpr
        found = steps.once(back, through, 1.0, x, kernel)
    np.testing.assert_array_equal(found[0], 2 * x)
    np.testing.assert_array_equal(found[1], 2 * kernel)
