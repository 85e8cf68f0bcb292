"""How people write Flax and other JAX libraries: types, axes over devices, memoised factories."""

import functools
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from conformance import reference
from conformance.judge.port import idle, precision
from conformance.judge.port.subject import subject
from conformance.judge.port.verdict import judge
from conformance.numbers.gradients import gradients
from conformance.ports import implementations
from conformance.trace import batch
from conformance.trace.canonical import canonical
from conformance.trace.port import UntraceableModel

if find_spec("flax") is None:
    pytest.skip("flax is not installed", allow_module_level=True)

import jax
import jax.numpy as jnp
from flax import linen, nnx

from conformance.trace.flax.port import port
from conformance.trace.jax.port import port as pair
from tests.selftest.plainly import TABLE, plainly

SIZE = (8, 8, 1)


class Net(linen.Module):
    """A convolution and its norm, as Flax's own example has them."""

    dtype: object = None
    axis: str | None = None

    @linen.compact
    def __call__(self, x: jax.Array, is_train: bool = True) -> jax.Array:
        x = linen.Conv(4, (3, 3), use_bias=False, dtype=self.dtype)(x)
        norm = linen.BatchNorm(not is_train, axis_name=self.axis, dtype=self.dtype)
        return linen.Dense(10, dtype=self.dtype)(linen.relu(norm(x)).mean((1, 2)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("factory", [lambda: Net(jnp.float32), lambda: Net(axis="batch")])
def test_a_type_and_an_axis_change_nothing(factory, training):
    """The same nodes with the same attributes, in inference and in training."""
    graphs = [canonical(port(f).trace(SIZE, training)) for f in (factory, Net)]
    nodes = [[(node.kind, node.attributes) for node in graph] for graph in graphs]
    assert nodes[0] == nodes[1]


class Told(linen.Module):
    """The same, whose switch is a field, or there is none."""

    deterministic: bool | None = None
    decay: bool | None = None

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        still = self.deterministic if self.decay is None else True
        return Net()(x, is_train=not still)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("factory", "alike"), [(Told, True), (lambda: Told(decay=False), False)])
def test_a_field_may_be_the_switch(factory, alike, training):
    """It is set as an argument of the call would be; where it says nothing, nothing is switched."""
    graphs = [canonical(port(f).trace(SIZE, training)) for f in (factory, Net)]
    nodes = [[(node.kind, node.attributes) for node in graph] for graph in graphs]
    assert (nodes[0] == nodes[1]) is (alike or not training)


class Assigned(nnx.Module):
    def __init__(self, rngs):
        self.last = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x):
        return self.last(x.reshape(x.shape[0], -1))


def assigned():
    model = Assigned(nnx.Rngs(0))
    nnx.update(model, jax.tree.map(np.asarray, nnx.state(model)))
    return model


remembered = functools.cache(lambda: Assigned(nnx.Rngs(0)))


@pytest.mark.parametrize("factory", [assigned, remembered], ids=["assigned", "remembered"])
def test_a_factory_may_look_at_its_weights(factory):
    """And may remember what it made; its own weights are there afterwards."""
    model = port(factory)
    assert [node.kind for node in canonical(model.trace(SIZE))][-1] == "dense"
    assert model.own()("last.kernel").shape == (64, 10)


def normalised(variables, x):
    """A norm that was left in training mode."""
    x = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
    return x.reshape(x.shape[0], -1) @ variables["kernel"]


def test_a_norm_left_in_training_mode_is_named():
    """Images meet in it, and the hint says what to do."""
    model = pair(lambda: (normalised, {"kernel": jnp.ones((64, 10))}))
    (fault,) = batch.faults(model, SIZE)
    assert "inference mode" in fault.hint


@pytest.mark.parametrize("tracer", [port, pair])
@pytest.mark.parametrize("variables", [normalised, {"act": jnp.tanh, "kernel": jnp.ones(3)}])
def test_variables_are_no_functions(tracer, variables):
    """Such as Haiku's two functions, or an Equinox model that was not partitioned."""
    with pytest.raises(UntraceableModel, match="holds functions: return"):
        tracer(lambda: (normalised, variables)).trace(SIZE)


class LeNet(linen.Module):
    """LeNet-5 as its table has it, what becomes of its result, and its convolutions' types."""

    end: Any = staticmethod(lambda x: x)
    types: tuple[Any, ...] = (None, None, None)

    @linen.compact
    def __call__(self, x):
        for maps, dtype in zip((6, 16), self.types, strict=False):
            x = linen.tanh(linen.Conv(maps, (5, 5), padding="VALID", dtype=dtype)(x))
            x = linen.tanh(linen.avg_pool(x, (2, 2), (2, 2)))
        x = linen.tanh(linen.Conv(120, (5, 5), padding="VALID", dtype=self.types[2])(x))
        x = linen.tanh(linen.Dense(84)(x.reshape(len(x), -1)))
        return self.end(linen.softmax(linen.Dense(10)(x)))


def initialised(end):
    """The same as a pair."""
    model, images = LeNet(end), jnp.zeros((1, 32, 32, 1))
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    return lambda: (model.apply, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes))


ENDS = {
    "right": (lambda x: x, True),
    "asks whether it is traced": (lambda x: x if isinstance(x, jax.core.Tracer) else 2 * x, False),
    "asks how many images": (lambda x: x if len(x) < 3 else jnp.roll(x, 1, 1), False),
    "asks for the precision": (lambda x: x if x.dtype == jnp.float64 else 2 * x, False),
}


MEETINGS = {
    "right": (lambda x: x, []),
    "softmax over the images": (lambda x: linen.softmax(x, 0), ["output softmax"]),
    "one row": (lambda x: x.reshape(1, -1), ["output softmax"]),
}


@pytest.mark.parametrize(("end", "nodes"), MEETINGS.values(), ids=MEETINGS)
def test_where_images_meet_is_named_though_the_module_is_one(end, nodes):
    """In Linen an activation stands in the network itself: the first of them is not the place."""
    found = judge(port(lambda: LeNet(end)), TABLE, numbers=False).findings
    assert [each.node for each in found if each.attribute == "batch"] == nodes


@pytest.mark.parametrize("form", [lambda end: lambda: LeNet(end), initialised])
@pytest.mark.parametrize(("end", "right"), ENDS.values(), ids=ENDS)
def test_a_plain_run_tells_what_asks_how_it_is_called(form, end, right):
    """Called as its users call it, a module or a pair has to compute what was observed."""
    part = plainly(port(form(end)))
    assert (part.run, not part.findings) == (1, right)


LOW = jnp.bfloat16


@pytest.mark.parametrize(
    ("types", "found", "remarked"),
    [((None,) * 3, [], []), ((LOW,) * 3, [], ["C1"]), ((None, LOW, None), ["C3"], [])],
    ids=["float32", "policy", "island"],
)
def test_a_policy_of_precision_is_a_remark_and_an_island_a_finding(types, found, remarked):
    """What all convolutions are computed in is meant; what one is computed in was left in."""
    asked = subject(port(lambda: LeNet(types=types)), TABLE, None, 0, lambda *said: None)
    part = precision.check(asked)
    assert [each.node for each in part.findings] == found
    assert [each.node for each in part.remarks] == remarked


class Ruled(linen.Module):
    """A rule of differentiation of its own, which multiplies what it should give."""

    factor: float
    dtype: object

    @linen.compact
    def __call__(self, x):
        @jax.custom_vjp
        def squashed(x):
            return jnp.tanh(x)

        def back(x, above):
            return (self.factor * above * (1 - jnp.tanh(x) ** 2),)

        squashed.defvjp(lambda x: (jnp.tanh(x), x), back)
        x = squashed(linen.Conv(4, (3, 3), dtype=self.dtype)(x))
        return linen.Dense(10, dtype=self.dtype)(x.reshape(len(x), -1))


@pytest.mark.parametrize("dtype", [None, jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("factor", "right"), [(1, True), (2, False)])
def test_a_rule_of_its_own_is_seen_in_every_type(dtype, factor, right):
    """In float64, whatever type the rule was traced in: no rounding, and no slip left out."""
    model = port(lambda: Ruled(factor, dtype))
    tape = model.trace(SIZE)
    found = gradients(model, tape, canonical(tape))
    assert not found.problem
    assert all(slot.agrees for slot in found.slots) == right


class Drawn(linen.Module):
    """Weights, or a factor, that are drawn in every call."""

    how: str

    @linen.compact
    def __call__(self, x):
        if self.how == "weights":
            kernel = jax.random.normal(jax.random.key(0), (3, 3, 1, 4))
            axes = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=axes)
        else:
            x = linen.Conv(4, (3, 3))(x)
        if self.how == "factor":
            x = x * jax.random.bernoulli(self.make_rng("depth"), 0.8, (len(x), 1, 1, 1))
        return linen.Dense(10)(x.mean((1, 2)))


@pytest.mark.parametrize(
    ("how", "weights", "kinds"),
    [
        ("right", None, ["conv", "global_avg_pool"]),
        ("weights", "drawn in every call", ["conv", "global_avg_pool"]),
        ("factor", None, ["conv", "unknown:random"]),
    ],
)
def test_what_is_drawn_in_a_call_is_named(how, weights, kinds):
    """Weights that are no parameters are said of their layer; a draw has a node of its own."""
    graph = canonical(port(lambda: Drawn(how)).trace(SIZE))
    assert [node.kind for node in graph][1:3] == kinds
    assert graph.nodes[1].attributes.get("weights") == weights


def scanned(variables, x):
    """A loop that the tape has no word for, and that is given random keys."""
    keys = jax.random.split(jax.random.key(0), 2)
    x, _ = jax.lax.scan(lambda x, key: (x + jax.random.uniform(key, x.shape), None), x, keys)
    return x.mean((1, 2)) @ variables["kernel"]


def test_a_key_may_be_an_operand():
    """It is no number, and what reads it is opaque."""
    graph = canonical(pair(lambda: (scanned, {"kernel": jnp.ones((1, 10))})).trace(SIZE))
    assert [node.kind for node in graph][1] == "unknown:scan"


@jax.custom_vjp
def straight(x):
    """A ReLU that hands on all that comes back."""
    return jax.nn.relu(x)


straight.defvjp(lambda x: (jax.nn.relu(x), None), lambda _, above: (above,))


@jax.custom_vjp
def ruled(x):
    """A ReLU whose backward is its own, and right."""
    return jax.nn.relu(x)


ruled.defvjp(lambda x: (jax.nn.relu(x), x > 0), lambda on, above: (above * on,))

#: A network; what stands for the ReLU in a block of it, and on its shortcut; what is named.
BACKWARD = {
    "a backward of its own": ("Basic-block", ruled, None, []),
    "straight through": ("Basic-block", straight, None, ["block/1 relu"]),
    "shortcut": ("ResNet-20-CIFAR", nnx.relu, jax.lax.stop_gradient, ["stage2/2 add"]),
}


@pytest.mark.parametrize(("name", "relu", "shortcut", "nodes"), BACKWARD.values(), ids=BACKWARD)
def test_the_node_that_alters_a_gradient_is_named(name, relu, shortcut, nodes):
    """And not the first norm upstream that suffers."""
    network = reference.find(name)

    def build():
        model = implementations.factory("flax", network)(rngs=nnx.Rngs(0))
        row = model.block if name == "Basic-block" else model.stage2.layers[1]
        block = row.layers[0]
        block.residual.layers[1], block.shortcut = relu, shortcut
        return model

    found = judge(port(build), network).findings
    assert [(f.check, f.node) for f in found] == [("gradient", node) for node in nodes]


class Idle(nnx.Module):
    """One layer whose result is dropped, and one that is never called."""

    def __init__(self, rngs):
        self.norm, self.drop = nnx.BatchNorm(1, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
        self.extra, self.unused = (nnx.Linear(1, 2, rngs=rngs) for _ in range(2))
        self.last = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x):
        self.extra(x)
        return self.last(self.drop(self.norm(x)).reshape(x.shape[0], -1))


def test_idle_layers_are_named():
    """And neither a mask nor what a norm counts is."""
    model = port(lambda: Idle(nnx.Rngs(0)))
    part = idle.check(model.trace(SIZE), model.trace(SIZE, training=True), model.trains)
    found = [(each.found, each.attribute) for each in part.remarks]
    assert found == [("extra", "unread"), ("unused", "unused")]


class Block(linen.Module):
    @linen.compact
    def __call__(self, x, step):
        return x + linen.Conv(1, (3, 3))(x), None


class Scanned(linen.Module):
    @linen.compact
    def __call__(self, x):
        blocks = linen.scan(
            Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=2
        )
        return linen.Dense(10)(blocks()(x, None)[0].mean((1, 2)))


def test_a_scan_over_blocks_is_refused():
    """In one sentence that says what to return; it is no deviation."""
    with pytest.raises(UntraceableModel, match=r"loop of JAX \(scan\) at .*a Python loop in place"):
        port(Scanned).trace(SIZE)


class Summed(linen.Module):
    @linen.compact
    def __call__(self, x):
        total, _ = jax.lax.scan(lambda a, b: (a + b, None), jnp.zeros_like(x), jnp.stack([x, x]))
        return linen.Dense(10)(total.mean((1, 2)))


def test_a_scan_without_layers_is_read_around():
    """It is an operation without a word, and not refused."""
    assert "unknown:scan" in [node.kind for node in canonical(port(Summed).trace(SIZE))]


def test_complex_numbers_are_no_fault():
    """A convolution through a Fourier transform, which pads its product with complex zeros."""

    class Transformed(linen.Module):
        @linen.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            kernel = self.param("kernel", linen.initializers.lecun_normal(), (3, 3, 1, 4))
            image, other = (jnp.fft.rfft2(each, (10, 10), axes) for each, axes in
                            ((x, (1, 2)), (kernel[::-1, ::-1], (0, 1))))  # fmt: skip
            product = jnp.einsum("nhwc,hwco->nhwo", image, other)
            y = jnp.fft.irfft2(product, (10, 10), (1, 2))[:, 1:-1, 1:-1]
            return linen.Dense(10)(y.mean((1, 2)))

    graph = canonical(port(Transformed).trace(SIZE))
    assert "unknown:fft" in {node.kind for node in graph}
