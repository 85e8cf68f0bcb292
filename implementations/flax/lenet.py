"""LeNet-5, after LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
Recognition", section II.B.

The network of 1998: squashing after every layer, subsampling with a trainable coefficient and
bias, and radial basis functions on fixed codes as its output.  Of the 96 kernels that C3 stores,
its mask uses the 60 of Table I.  LeNet-5-table is the network of later summaries: plain tanh,
average pooling without weights, every map of S2 connected to every map of C3, softmax at the end.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from .layers import Rows, flatten

# Table I: which maps of S2 (down) each map of C3 (across) is connected to.
C3_TABLE = """
    X...XXX..XXXX.XX
    XX...XXX..XXXX.X
    XXX...XXX..X.XXX
    .XXX..XXXX..X.XX
    ..XXX..XXXX.XX.X
    ...XXX..XXXX.XXX
"""

# The digits' codes, 7x12 as in Figure 3, which is too small in print to be copied pixel by pixel.
DIGITS = """
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    .#####. ...#... .#####. .#####. ....##. ####### .#####. ####### .#####. .#####.
    ##...## ..##... ##...## ##...## ...###. ##..... ##...## ##...## ##...## ##...##
    #.....# .###... #....## .....## ..#.##. ##..... #...... .....## #.....# #.....#
    #.....# ...#... .....## .....## .##.##. ######. #...... ....##. ##...## #.....#
    #.....# ...#... ....##. ..####. .#..##. .....## ######. ....#.. .#####. ##...##
    #.....# ...#... ...##.. .....## ####### ......# ##...## ...##.. ##...## .######
    #.....# ...#... ..##... ......# ....##. ......# #.....# ...#... #.....# ......#
    #.....# ...#... .##.... #.....# ....##. #.....# #.....# ..##... #.....# ......#
    ##...## ...#... ##...## ##...## ....##. ##...## ##...## ..##... ##...## ##...##
    .#####. .#####. ####### .#####. ....##. .#####. .#####. ..##... .#####. .#####.
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


def codes() -> jax.Array:
    rows = [line.split() for line in DIGITS.strip().splitlines()]
    digits = ["".join(digit) for digit in zip(*rows, strict=True)]
    return jnp.array([[1.0 if pixel == "#" else -1.0 for pixel in digit] for digit in digits])


def squash(x: jax.Array) -> jax.Array:
    return 1.7159 * jnp.tanh(2 / 3 * x)


class Subsampling(nnx.Module):
    """A coefficient times the sum of four, plus a bias."""

    def __init__(self, maps: int) -> None:
        self.coefficient = nnx.Param(jnp.full(maps, 0.25))
        self.bias = nnx.Param(jnp.zeros(maps))

    def __call__(self, x: jax.Array) -> jax.Array:
        window = (1, 2, 2, 1)
        total = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID")
        return self.coefficient * total + self.bias


def partial_connection(table: str, kernel: int, *, rngs: nnx.Rngs) -> nnx.Conv:
    """A convolution whose mask keeps the maps that a table connects."""
    marks = jnp.array([[mark == "X" for mark in row] for row in table.split()])
    inputs, maps = marks.shape
    mask = jnp.broadcast_to(marks, (kernel, kernel, inputs, maps))
    return nnx.Conv(inputs, maps, (kernel, kernel), padding="VALID", mask=mask, rngs=rngs)


class RadialBasis(nnx.Module):
    """Squared distances to codes that are not trained: no Param, so no optimiser moves them."""

    def __init__(self, codes: jax.Array) -> None:
        self.codes = nnx.Variable(codes)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.square(x[:, None] - self.codes).sum(axis=-1)


def lenet(*, rngs: nnx.Rngs) -> Rows:
    conv = partial(nnx.Conv, kernel_size=(5, 5), padding="VALID", rngs=rngs)
    return Rows(
        C1=nnx.Sequential(conv(1, 6), squash),
        S2=nnx.Sequential(Subsampling(6), squash),
        C3=nnx.Sequential(partial_connection(C3_TABLE, 5, rngs=rngs), squash),
        S4=nnx.Sequential(Subsampling(16), squash),
        C5=nnx.Sequential(conv(16, 120), squash),
        flatten=flatten,
        F6=nnx.Sequential(nnx.Linear(120, 84, rngs=rngs), squash),
        output=RadialBasis(codes()),
    )


def lenet_table(*, rngs: nnx.Rngs) -> Rows:
    def average(x: jax.Array) -> jax.Array:
        return nnx.avg_pool(x, (2, 2), strides=(2, 2))

    conv = partial(nnx.Conv, kernel_size=(5, 5), padding="VALID", rngs=rngs)
    return Rows(
        C1=nnx.Sequential(conv(1, 6), nnx.tanh), S2=nnx.Sequential(average, nnx.tanh),
        C3=nnx.Sequential(conv(6, 16), nnx.tanh), S4=nnx.Sequential(average, nnx.tanh),
        C5=nnx.Sequential(conv(16, 120), nnx.tanh),
        flatten=flatten,
        F6=nnx.Sequential(nnx.Linear(120, 84, rngs=rngs), nnx.tanh),
        output=nnx.Sequential(nnx.Linear(84, 10, rngs=rngs), nnx.softmax),
    )


MODELS = {"LeNet-5": lenet, "LeNet-5-table": lenet_table}
