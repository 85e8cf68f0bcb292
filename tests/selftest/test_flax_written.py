"""Layers that people write by hand in JAX: a convolution, an LRN, running averages."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from conformance.judge.port.verdict import judge
from conformance.trace.canonical import canonical
from tests.selftest.plainly import TABLE

if find_spec("flax") is None:
    pytest.skip("flax is not installed", allow_module_level=True)

import jax
import jax.numpy as jnp
from flax import linen

from conformance.trace.flax import port as flax
from conformance.trace.jax.port import port
from conformance.trace.jax.program import stored

LAYOUT = ("NHWC", "HWIO", "NHWC")


def direct(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=LAYOUT)


def patches(x, kernel):
    """JAX's own, which run through the channels first."""
    found = jax.lax.conv_general_dilated_patches(
        x, (5, 5), (1, 1), "VALID", dimension_numbers=LAYOUT
    )
    return found @ kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[-1])


def indexed(x, kernel):
    cells = jnp.arange(10)[:, None] + jnp.arange(5)
    windows = x[:, cells[:, None, :, None], cells[None, :, None, :]]
    return jnp.einsum("nhwabc,abco->nhwo", windows, kernel)


def transformed(x, kernel):
    """By Fourier transforms, which no rule reads."""
    size, axes = (18, 18), (1, 2)
    image = jnp.fft.rfft2(x, size, axes)
    flipped = jnp.fft.rfft2(kernel[::-1, ::-1], size, (0, 1))
    product = jnp.einsum("nhwc,hwco->nhwo", image, flipped)
    return jnp.fft.irfft2(product, size, axes)[:, 4:14, 4:14]


def lenet(second, told=lambda kernel: kernel):
    """LeNet-5 as its table has it, its second convolution written out."""

    def made():
        random = np.random.default_rng(0)
        shapes = (5, 5, 1, 6), (5, 5, 6, 16), (5, 5, 16, 120), (120, 84), (84, 10)
        scales = [np.sqrt(1 / np.prod(shape[:-1])) for shape in shapes]
        kernels = [random.normal(0, s, shape) for s, shape in zip(scales, shapes, strict=True)]
        return [(jnp.asarray(k, "float32"), jnp.zeros(k.shape[-1])) for k in kernels]

    def apply(layers, x):
        for convolution, (kernel, bias) in zip((direct, second), layers[:2], strict=True):
            given = told(kernel) if convolution is second else kernel
            x = jnp.tanh(convolution(x, given) + bias)
            n, height, width, maps = x.shape
            x = jnp.tanh(x.reshape(n, height // 2, 2, width // 2, 2, maps).mean((2, 4)))
        c5, f6, output = layers[2:]
        x = jnp.tanh(direct(x, c5[0]) + c5[1]).reshape(len(x), -1)
        return jax.nn.softmax(jnp.tanh(x @ f6[0] + f6[1]) @ output[0] + output[1])

    return lambda: (apply, made())


@pytest.mark.parametrize("second", [patches, indexed, transformed])
@pytest.mark.parametrize(
    ("told", "found"),
    [(lambda kernel: kernel, []), (jax.lax.stop_gradient, [("C3", "gradient")])],
    ids=["right", "cut"],
)
def test_a_convolution_may_be_written_out(second, told, found):
    """It is the layer that it stands for; what is wrong with that layer is wrong with it."""
    judged = judge(port(lenet(second, told)), TABLE)
    assert [(each.node, each.attribute) for each in judged.findings] == found
    assert judged.verdict == ("deviates" if found else "conforms")


def banded(x, n=5, by_convolution=False):
    """An LRN whose sum over neighbours is a product with a band, which is in float32."""
    places = np.arange(x.shape[-1])
    band = (abs(places[:, None] - places) <= n // 2).astype(np.float32)
    total = direct(x**2, band[None, None]) if by_convolution else x**2 @ band
    return x / (2 + 1e-4 * total) ** 0.75


def rolled(x):
    """One that takes the first channels for neighbours of the last."""
    return x / (2 + 1e-4 * sum(jnp.roll(x**2, i, -1) for i in range(-2, 3))) ** 0.75


@pytest.mark.parametrize(
    ("function", "n"),
    [
        (banded, 5),
        (lambda x: banded(x, by_convolution=True), 5),
        (lambda x: banded(x, 9), 9),
        (rolled, None),
    ],
    ids=["product", "convolution", "another window", "round the edge"],
)
def test_a_band_of_ones_sums_neighbours(function, n):
    """By whatever kind of product; what goes round is no LRN, and is read to its end."""

    def apply(variables, x):
        return function(direct(x, variables)).reshape(len(x), -1)

    graph = canonical(port(lambda: (apply, np.ones((3, 3, 1, 24)))).trace((8, 8, 1)))
    assert [node.attributes["n"] for node in graph if node.kind == "lrn"] == [n] * (n is not None)


def test_what_makes_images_larger_hides_nothing():
    """It is no layer of ours, and the convolution behind it reads rows and columns."""

    def apply(kernel, x):
        larger = jax.image.resize(x, (len(x), 12, 12, 1), "bilinear")
        return direct(larger, kernel).reshape(len(x), -1)

    graph = canonical(port(lambda: (apply, np.ones((3, 3, 1, 4)))).trace((8, 8, 1)))
    kinds = [node.kind for node in graph]
    assert kinds == ["input", "unknown:resize", "unknown:resize", "conv", "flatten"]
    assert graph.nodes[3].shape == (10, 10, 4)


AWAITING = "norm/~/var_ema/average"


@pytest.mark.parametrize(
    ("variables", "unset"),
    [
        ({"norm/~/var_ema": {"average": np.zeros(4), "hidden": np.zeros(4)}}, {AWAITING}),
        ({"norm/~/var_ema": {"average": np.ones(4), "hidden": np.ones(4)}}, set()),
        ({"norm": {"mean": np.zeros(4), "var": np.zeros(4)}}, set()),
    ],
    ids=["Haiku's", "Haiku's behind a batch", "any other"],
)
def test_averages_that_await_a_batch_are_no_wrong_values(variables, unset):
    """Haiku starts them at zero and divides by what it counts; others that do so are wrong."""
    assert stored(variables).unset == unset


class Dropped(linen.Module):
    """A dropout by hand, of a mask and of a key."""

    dropped: Callable[..., Any]
    seeded: bool

    @linen.compact
    def __call__(self, x, train=False):
        x = linen.Dense(8)(x.reshape(len(x), -1))
        key = jax.random.PRNGKey(0) if self.seeded else self.make_rng("dropout")
        return self.dropped(x, jax.random.bernoulli(key, 0.75, x.shape)) if train else x


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize(
    "dropped",
    [
        lambda x, kept: x * kept / 0.75,
        lambda x, kept: x * (kept.astype(x.dtype) / 0.75),
        lambda x, kept: jnp.where(kept, x / 0.75, 0.0),
    ],
    ids=["mask", "numbers", "choice"],
)
def test_a_dropout_by_hand_is_one(dropped, seeded):
    """And a key that is made in the call drops the same numbers in every call."""
    node = canonical(flax.port(lambda: Dropped(dropped, seeded)).trace((4, 4, 1), True)).nodes[-1]
    assert (node.kind, node.attributes["rate"]) == ("dropout", 0.25)
    assert node.attributes.get("drops") == ("the same in every call" if seeded else None)
