"""Canonical weights in integers: nothing rounds, so every precision has to give the same bits.

They are chosen node by node, each on the results that those before it have for one image.  A
kernel has a few weights of +-1 an output, a batch norm divides by a power of two, and what
either adds is chosen so that each channel stays below a small number and yet alive: about half of
a map passes a rectifier, less of it where a largest value is taken next, and a shortcut's sum
is held where it was.  Every draw depends on the seed and on the node's place in the network alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np

from conformance.graph.align import digest, places
from conformance.graph.model import Graph, Node
from conformance.numbers.ahead import Ahead, ahead, demands, factors, limits
from conformance.numbers.integer_oracle import IntegerOracle
from conformance.numbers.precision import FLOAT32, Precision
from conformance.numbers.sparse import Kernel
from conformance.numbers.steps import SUMMED, Stepped, common, odd, vector
from conformance.numbers.variances import roots

#: Binary digits that are kept free of rounding: what TF32 multiplies, or bfloat16 stores.
DIGITS = {True: 11, False: 8}

#: The largest value that a rectified map has, in steps, where there is room for it.
REACH = {True: 15, False: 7}

#: The share of a map that passes a rectifier, and where the largest of a window is taken next.
PASSES, PASSES_POOLED = 0.5, 0.2

#: The share of outputs that copy one input, where others add some.
ALONE = 0.125

#: The share of channels that show epsilon in bfloat16, where they can.
BARE = 0.125

#: What a pool is multiplied by, and what it is moved by, so that a tanh saturates.
SATURATING = 48.0

#: Pixels of a map that its middle is estimated from, if it has more.
LOOKED_AT = 256


@dataclass(frozen=True)
class Product:
    """A convolution or a dense layer: a sparse kernel, and a bias in steps of the result."""

    kernel: Kernel
    step: Fraction
    bias: np.ndarray | None = None


@dataclass(frozen=True)
class Norm:
    """A batch norm: ``sign * (x - mean) * step / read + beta``, with ``mean`` in steps of what it
    reads, ``beta`` in its own, and a variance whose root is 2 to the exponent, each a channel."""

    sign: np.ndarray
    read: Fraction
    step: Fraction
    mean: np.ndarray
    beta: np.ndarray
    exponents: np.ndarray
    variances: np.ndarray


class Integers:
    """Values for the slots of a graph, in integers, and an image."""

    def __init__(
        self,
        graph: Graph,
        seed: int = 0,
        precision: Precision = FLOAT32,
        watch: Callable[[int, Stepped], None] = lambda index, result: None,
    ):
        self.graph, self.seed, self.precision = graph, seed, precision
        wide = precision.stored > 8
        self.digits, self.reach = DIGITS[wide], REACH[wide]
        self.places, self.readers = places(graph), graph.consumers()
        self.demands, self.factors = demands(graph, self.digits), factors(graph)
        caps = [self._cap(Fraction(demand)) for demand in self.demands]
        self.limits = limits(graph, self.demands, caps, min(SUMMED, precision.stored))
        self.products: dict[int, Product] = {}
        self.norms: dict[int, Norm] = {}
        oracle = IntegerOracle(self)
        for index, node in enumerate(graph):
            if node.kind in ("conv", "dense"):
                self._choose_product(index, node, oracle)
            elif node.kind == "batch_norm":
                self._choose_norm(index, node, oracle)
            watch(index, oracle.result(index))
            oracle.release(index)
        #: Why nodes cannot be exact, by node.
        self.reasons = oracle.reasons

    def draw(self, index: int, what: str) -> np.random.Generator:
        """Random numbers that belong to a node."""
        key = digest(self.seed, self.places[index], what, "integers")
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))

    @cached_property
    def stepped_image(self) -> Stepped:
        """Noise over squares of four pixels: a map that windows of any size find varied."""
        index = self.graph.inputs[0]
        height, width, channels = self.graph.nodes[index].shape
        draw, reach = self.draw(index, "image"), self.reach
        shape = channels, -(-height // 4), -(-width // 4)
        coarse = draw.integers(-reach, reach, shape, endpoint=True).repeat(4, 1).repeat(4, 2)
        fine = draw.integers(-reach, reach, (channels, height, width), endpoint=True)
        chosen = np.where(draw.random(fine.shape) < 0.5, coarse[:, :height, :width], fine)
        step = self.demands[index] * self.factors[index]
        return Stepped((chosen * float(step)).astype(np.float32), step)

    def image(self) -> np.ndarray:
        """One image, 1 x height x width x channels."""
        return self.stepped_image.values.transpose(1, 2, 0)[None].astype(np.float64)

    def slot(self, index: int, name: str) -> np.ndarray:
        """The values of a slot, in neutral layout."""
        node = self.graph.nodes[index]
        if product := self.products.get(index):
            if name == "kernel":
                return product.kernel.dense(node.slots[name])
            assert product.bias is not None
            return product.bias * float(product.step)
        if norm := self.norms.get(index):
            return {
                "gamma": norm.sign * float(norm.step / norm.read) * 2.0**norm.exponents,
                "beta": norm.beta * float(norm.step),
                "mean": norm.mean * float(norm.read),
                "variance": norm.variances,
            }[name]
        draw = self.draw(index, name)
        # What is pooled with a coefficient and a bias saturates the tanh behind it.
        size = 1.0 if name == "centres" else SATURATING
        return draw.choice([-size, size], node.slots[name])

    def _room(self, step: Fraction) -> float:
        """How many levels of a step have few enough digits."""
        return 2.0**self.digits / odd(step)

    def _cap(self, step: Fraction) -> float:
        """The largest level that a rectified map of this step is held to: twice it has room."""
        return max(1.0, min(self.reach, self._room(step) // 2))

    def _representable(self, levels: np.ndarray, step: Fraction) -> np.ndarray:
        """The nearest whole numbers towards 0 of which the precision stores that many steps."""
        levels = np.trunc(levels.astype(np.float64))
        while True:
            values = levels * float(step)
            kept = self.precision.round(values.astype(self.precision.dtype))
            if (short := kept == values).all():
                return levels
            levels = np.where(short, levels, levels - np.sign(levels))

    def _target(self, index: int, step: Fraction) -> Fraction:
        """The step that a node with weights makes of another: what is demanded, and no more."""
        demand = self.demands[index]
        return Fraction(demand // odd(demand) * lcm(odd(demand), odd(step))) * self.factors[index]

    def _ahead(self, index: int) -> Ahead:
        return ahead(self.graph, self.readers, index)

    # Kernels.

    def _choose_product(self, index: int, node: Node, oracle: IntegerOracle) -> None:
        x = oracle.result(node.inputs[0])
        draw, outputs = self.draw(index, "kernel"), node.shape[-1]
        normed = any(self.graph.nodes[c].kind == "batch_norm" for c in self.readers[index])
        step = x.step if normed else self._target(index, x.step)
        taps = self._taps(index, node, x, step)
        kernel = self._kernel(node, x, draw, taps, float(step / x.step))
        bias = None
        if "bias" in node.slots:
            bias = draw.integers(1, 4, outputs) * draw.choice([-1, 1], outputs)
            bias = self._representable(bias, step)
            if not normed:
                values = kernel.product(node, x.values)
                flip = self._too_high(index, values, step, oracle)
                kernel.weights[:, flip] *= -1
                values[flip] *= -1
                bias = self._representable(-self._shift(index, values, step, draw, oracle), step)
        self.products[index] = Product(kernel, step, bias)

    def _taps(self, index: int, node: Node, x: Stepped, step: Fraction) -> int:
        """How many weights an output has: one where it is added to what has its range already."""
        readers = self.readers[index]
        norms = [c for c in readers if self.graph.nodes[c].kind == "batch_norm"]
        added = any(self._ahead(c).sum is not None for c in (index, *norms))
        if x.values[0].size > 1 and added:
            return 1
        most = 3 if x.values[0].size > 1 else 4
        return max(1, min(most, int(self._room(step) // max(1.0, x.levels))))

    def _kernel(
        self, node: Node, x: Stepped, draw: np.random.Generator, taps: int, weight: float
    ) -> Kernel:
        outputs, a = node.shape[-1], node.attributes
        read = vector(x.values) if node.kind == "dense" else x.values
        flat = read.reshape(len(read), -1)
        alive = (flat != flat[:, :1]).any(axis=1) if flat.shape[1] > 1 else flat[:, 0] != 0
        rows = columns = np.zeros(1, int)
        if node.kind == "conv":
            rows, columns = (_inside(node, read.shape[1 + axis], axis) for axis in (0, 1))
        groups = a.get("groups", 1)
        channels = np.empty((taps, outputs), int)
        for group in np.split(np.arange(outputs), groups):
            first = group[0] * groups // outputs * (len(read) // groups)
            pool = np.arange(first, first + len(read) // groups)
            channels[:, group] = _dealt(draw, pool[alive[pool]], pool, taps, len(group))
        if table := a.get("table"):
            for output, maps in enumerate(table):
                channels[:, output] = draw.choice(maps, taps)
        weights = draw.choice([-weight, weight], (taps, outputs))
        if taps > 1:
            weights[0], weights[1] = weight, -weight
            weights[2:, draw.random(outputs) < 0.5] = 0
            weights[1:, draw.random(outputs) < ALONE] = 0
        place = draw.choice(rows, (taps, outputs)), draw.choice(columns, (taps, outputs))
        return Kernel(*place, channels, weights).without_doubles()

    # What is taken off.

    def _joint(
        self, index: int, values: np.ndarray, step: Fraction, oracle: IntegerOracle
    ) -> tuple[np.ndarray, float, bool]:
        """The sum that a node's result goes into, as far as it is known, and what it is held to.

        Both in the steps in which the result goes into it, channels x pixels.
        """
        ahead = self._ahead(index)
        total, own = values * np.float32(ahead.by), step * ahead.by
        limit = min((self.limits[i] for i in ahead.rectified), default=self.reach)
        unit, cap, known = own, min(limit, self._cap(step)), ahead.sum is None
        if ahead.sum is not None and ahead.other in oracle.results:
            other = oracle.results[ahead.other]
            total, unit, known = total + other.values, common(own, other.step), True
            cap = max(min(limit, self._cap(unit)), 4 * float(own / unit) if own != unit else 0)
        return total.reshape(len(total), -1) / np.float32(own), cap * float(unit / own), known

    def _too_high(
        self, index: int, values: np.ndarray, step: Fraction, oracle: IntegerOracle
    ) -> np.ndarray:
        """Which channels are added to another's with the other sign, lest the sum grows."""
        if self._ahead(index).sum is None:
            return np.zeros(len(values), bool)
        total, cap, _ = self._joint(index, values, step, oracle)
        return np.asarray(total.max(axis=1) > cap)

    def _shift(
        self, index: int, values: np.ndarray, step: Fraction, draw: np.random.Generator,
        oracle: IntegerOracle,
    ) -> np.ndarray:  # fmt: skip
        """What is taken off each channel, in steps, so that it stays small and alive."""
        ahead = self._ahead(index)
        total, cap, known = self._joint(index, values, step, oracle)
        highest, channels = total.max(axis=1), len(total)
        if total.shape[1] == 1:
            most = 8 * self.reach if ahead.ends else max(2, int(cap))
            wanted = draw.integers(1, most, channels, endpoint=True)
            return np.rint(highest - np.where(draw.random(channels) < 0.7, wanted, -wanted))
        some = total
        if total.shape[1] > LOOKED_AT:
            some = total[:, draw.integers(0, total.shape[1], LOOKED_AT)]
        if not (known and ahead.rectified):
            middle = np.rint(np.median(some, axis=1))
            return middle + (draw.integers(-1, 1, channels, endpoint=True) if cap > 4 else 0)
        share = PASSES_POOLED if ahead.pooled else PASSES
        below = np.quantile(some, 1 - share, axis=1, method="lower")
        if share * total.shape[1] < 1:  # of so few pixels it is the largest, and a pool's result
            below = highest - draw.integers(1, max(1, int(cap)), channels, endpoint=True)
        shift = np.ceil(np.maximum(highest - cap, np.minimum(below, highest - 1)))
        if ahead.by != 1:  # its own digits are not those of the sum
            room, own = self._room(step), values.reshape(channels, -1) / np.float32(step)
            shift = np.clip(shift, np.ceil(own.max(axis=1) - room), own.min(axis=1) + room)
        return np.trunc(shift)

    # Norms.

    def _choose_norm(self, index: int, node: Node, oracle: IntegerOracle) -> None:
        x = oracle.result(node.inputs[0])
        draw, channels = self.draw(index, "norm"), node.shape[-1]
        step = self._target(index, x.step)
        sign = draw.choice([-1, 1], channels) if "gamma" in node.slots else np.ones(channels, int)
        values = x.values * float(step / x.step)
        values *= sign[:, None, None]
        shift = self._shift(index, values, step, draw, oracle)
        if "gamma" in node.slots and self._ahead(index).rectified:
            # What hardly passes the rectifier passes it with the other sign.
            other = self._shift(index, -values, step, draw, oracle)
            passes = self._passing(index, values, shift, step, oracle)
            against = self._passing(index, -values, other, step, oracle)
            turned = (passes < PASSES_POOLED / 2) & (against > passes)
            sign, shift = np.where(turned, -sign, sign), np.where(turned, other, shift)
        beta = draw.integers(1, 4, channels) * draw.choice([-1, 1], channels)
        beta = np.where(shift + beta == 0, -beta, beta)
        if "beta" not in node.slots or Stepped(values, step).bits + 1 > self.precision.stored:
            beta = np.zeros(channels, int)  # so that bfloat16 rounds once
        beta = self._representable(beta, step)
        if "mean" not in node.slots:
            shift = -beta
        telling, others = roots(float(node.attributes["epsilon"]), self.precision.name)
        chosen = [telling[i] for i in draw.integers(0, len(telling), channels)]
        if others:  # where epsilon shows, nothing may be added
            signed = x.values * (sign * float(step / x.step))[:, None, None].astype(np.float32)
            bare = (shift == 0) | (draw.random(channels) < BARE)
            bare &= self._bare(index, signed, step, oracle)
            shift, beta = np.where(bare, 0, shift), np.where(bare, 0, beta)
            also = [others[i] for i in draw.integers(0, len(others), channels)]
            chosen = [a if alone else b for a, b, alone in zip(chosen, also, bare, strict=True)]
        self.norms[index] = Norm(
            sign, x.step, step, self._representable(sign * (shift + beta), x.step), beta,
            np.array([root.exponent for root in chosen]),
            np.array([root.variance for root in chosen]),
        )  # fmt: skip

    def _passing(
        self, index: int, values: np.ndarray, shift: np.ndarray, step: Fraction,
        oracle: IntegerOracle,
    ) -> np.ndarray:  # fmt: skip
        """The share of each channel that passes the rectifier."""
        total, _, _ = self._joint(index, values, step, oracle)
        return np.asarray((total > shift[:, None]).mean(axis=1))

    def _bare(
        self, index: int, values: np.ndarray, step: Fraction, oracle: IntegerOracle
    ) -> np.ndarray:
        """Which channels stay small and alive without anything taken off."""
        total, cap, known = self._joint(index, values, step, oracle)
        share = (total > 0).mean(axis=1)
        if Stepped(values, step).bits > self.precision.stored:
            return np.zeros(len(values), bool)
        return known & (total.max(axis=1) <= cap) & (share > 0.1) & (share < 0.9)


def _inside(node: Node, size: int, axis: int) -> np.ndarray:
    """Offsets of a kernel that fall on the map for half of the outputs, or for as many as any."""
    a = node.attributes
    outputs = node.shape[axis] if len(node.shape) == 3 else 1
    first = np.arange(outputs)[:, None] * a["stride"][axis] - a["padding"][axis][0]
    read = first + np.arange(a["kernel"][axis]) * a["dilation"][axis]
    share = ((read >= 0) & (read < size)).mean(axis=0)
    return np.flatnonzero(share >= min(0.5, share.max()))


def _dealt(
    draw: np.random.Generator, alive: np.ndarray, every: np.ndarray, taps: int, outputs: int
) -> np.ndarray:
    """Channels for each tap of each output, every one that is alive before any again."""
    pool = alive if len(alive) else every
    rounds = -(-outputs // len(pool))
    dealt = [np.concatenate([draw.permutation(pool) for _ in range(rounds)]) for _ in range(taps)]
    return np.array([each[:outputs] for each in dealt])
