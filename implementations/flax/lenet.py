"""LeNet-5, after LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
Recognition", section II.B.

The network of 1998: squashing after every layer, subsampling with a trainable coefficient and
bias, and radial basis functions on fixed codes as its output.  Of the 96 kernels that C3 stores,
its mask uses the 60 of Table I.  LeNet-5-table is the network of later summaries: plain tanh,
average pooling without weights, every map of S2 connected to every map of C3, softmax at the end.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

# Table I: which maps of S2 (down) each map of C3 (across) is connected to.
TABLE_1 = """
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


def connections() -> jax.Array:
    return jnp.array([[mark == "X" for mark in row] for row in TABLE_1.split()])


def codes() -> jax.Array:
    rows = [line.split() for line in DIGITS.strip().splitlines()]
    digits = ["".join(digit) for digit in zip(*rows, strict=True)]
    return jnp.array([[1.0 if pixel == "#" else -1.0 for pixel in digit] for digit in digits])


def squash(x: jax.Array) -> jax.Array:
    return 1.7159 * jnp.tanh(2 / 3 * x)


class Subsampling(nnx.Module):
    def __init__(self, maps: int) -> None:
        self.coefficient = nnx.Param(jnp.full(maps, 0.25))
        self.bias = nnx.Param(jnp.zeros(maps))

    def __call__(self, x: jax.Array) -> jax.Array:
        window = (1, 2, 2, 1)
        total = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID")
        return squash(self.coefficient * total + self.bias)


class Code(nnx.Variable):
    """Fixed by the designer: not a Param, so no optimiser moves it."""


class RadialBasis(nnx.Module):
    def __init__(self) -> None:
        self.centres = Code(codes())

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.square(x[:, None] - self.centres).sum(axis=-1)


class LeNet5(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        mask = jnp.broadcast_to(connections(), (5, 5, 6, 16))
        self.C1 = nnx.Sequential(nnx.Conv(1, 6, (5, 5), padding="VALID", rngs=rngs), squash)
        self.S2 = Subsampling(6)
        self.C3 = nnx.Sequential(
            nnx.Conv(6, 16, (5, 5), padding="VALID", mask=mask, rngs=rngs), squash
        )
        self.S4 = Subsampling(16)
        self.C5 = nnx.Sequential(nnx.Conv(16, 120, (5, 5), padding="VALID", rngs=rngs), squash)
        self.F6 = nnx.Sequential(nnx.Linear(120, 84, rngs=rngs), squash)
        self.output = RadialBasis()

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.S4(self.C3(self.S2(self.C1(x))))
        x = self.C5(x).reshape(x.shape[0], -1)
        return self.output(self.F6(x))


class AveragePool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.tanh(nnx.avg_pool(x, (2, 2), strides=(2, 2)))


class LeNet5Table(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.C1 = nnx.Sequential(nnx.Conv(1, 6, (5, 5), padding="VALID", rngs=rngs), nnx.tanh)
        self.S2 = AveragePool()
        self.C3 = nnx.Sequential(nnx.Conv(6, 16, (5, 5), padding="VALID", rngs=rngs), nnx.tanh)
        self.S4 = AveragePool()
        self.C5 = nnx.Sequential(nnx.Conv(16, 120, (5, 5), padding="VALID", rngs=rngs), nnx.tanh)
        self.F6 = nnx.Sequential(nnx.Linear(120, 84, rngs=rngs), nnx.tanh)
        self.output = nnx.Sequential(nnx.Linear(84, 10, rngs=rngs), nnx.softmax)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.S4(self.C3(self.S2(self.C1(x))))
        x = self.C5(x).reshape(x.shape[0], -1)
        return self.output(self.F6(x))


MODELS = {"LeNet-5": LeNet5, "LeNet-5-table": LeNet5Table}
