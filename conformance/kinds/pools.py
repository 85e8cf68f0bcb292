"""Windows of the map reduced to their largest value, average or sum."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from conformance.kinds.arrays import by_offset, inside, over_channels, over_windows, pad, window
from conformance.kinds.experiment import Trial
from conformance.kinds.hypotheses import as_kind, biases, left_out, products, result, slot
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step
from conformance.kinds.windows import (
    divisor,
    other_window,
    padding,
    part_of_the_map,
    summed,
    zeros_in_the_border,
)

Parameters = dict[str, np.ndarray]
POOLED = (padding, other_window, left_out)
TRAITS = "pooling resizing keeps_sign"


def largest(o: Arithmetic, node: Node, slots: Parameters, x: np.ndarray) -> np.ndarray:
    a = node.attributes
    return by_offset(pad(x, a["padding"], -np.inf), a, np.maximum)


def largest_adjoint(step: Step, g: np.ndarray) -> Gradients:
    a = step.node.attributes
    padded = pad(step.decisive, a["padding"], -np.inf)
    highest = by_offset(padded, a, np.maximum)
    taken = np.zeros(highest.shape, bool)

    def chosen(cell: np.ndarray) -> np.ndarray:
        # Of equal cells, the first.  They are equal where a rectifier has closed them all, or where
        # overlapping windows before chose one value twice: what they are given ends in one place.
        new = (cell == highest) & ~taken
        np.logical_or(taken, new, out=taken)
        return new

    return [over_windows(g, padded, a, chosen)], {}


def largest_spread(node: Node, x: Spread) -> Spread:
    mean = x.mean + sqrt(x.variance)
    return Spread(mean, mean**2 + x.variance / 2)


def average_instead(t: Trial) -> np.ndarray:
    return t.run(kind="avg_pool", count_include_pad=True)


MAX_POOL = Kind(
    name="max_pool",
    attributes="kernel stride padding",
    forward=largest,
    adjoint=largest_adjoint,
    reads="decisive",
    spread=largest_spread,
    altered=("average for maximum", average_instead),
    causes=(
        as_kind("avg_pool", "it is the average, not the maximum", count_include_pad=False),
        as_kind("avg_pool", "it is the average and counts padding", count_include_pad=True),
        zeros_in_the_border,
        *POOLED,
    ),
    written=lambda node: f"max pool {window(node)}",
    counted="pooling layers",
    traits=TRAITS,
)


def total(o: Arithmetic, node: Node, slots: Parameters, x: np.ndarray) -> np.ndarray:
    a = node.attributes
    return by_offset(pad(x, a["padding"]), a, o.add)


def average(o: Arithmetic, node: Node, slots: Parameters, x: np.ndarray) -> np.ndarray:
    return total(o, node, slots, x) / inside(x, node.attributes)


def average_adjoint(step: Step, g: np.ndarray) -> Gradients:
    a, (x,) = step.node.attributes, step.inputs
    return [over_windows(g / inside(x, a), pad(x, a["padding"]), a)], {}


def average_spread(node: Node, x: Spread) -> Spread:
    return Spread(x.mean, x.mean**2 + x.variance / 4)


AVG_POOL = Kind(
    name="avg_pool",
    attributes="kernel stride padding count_include_pad",
    forward=average,
    adjoint=average_adjoint,
    reads="",
    spread=average_spread,
    altered=("maximum for average", lambda t: t.run(kind="max_pool")),
    causes=(
        divisor,
        as_kind("max_pool", "it is the maximum, not the average"),
        summed,
        *POOLED,
    ),
    written=lambda node: f"average pool {window(node)}",
    counted="pooling layers",
    traits=TRAITS,
)


def whole_average_adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,) = step.inputs
    return [np.broadcast_to(g / g.dtype.type(prod(x.shape[1:3])), x.shape)], {}


GLOBAL_AVG_POOL = Kind(
    name="global_avg_pool",
    forward=lambda o, node, slots, x: x.mean(axis=(1, 2), keepdims=True),
    adjoint=whole_average_adjoint,
    reads="",
    spread=average_spread,
    altered=(
        "maximum for average",
        lambda t: t.x.max(axis=(1, 2), keepdims=True),
    ),
    causes=(
        result("it is the maximum, not the average", lambda t: t.x.max((1, 2), keepdims=True)),
        result("it is the sum, not the mean", lambda t: t.x.sum((1, 2), keepdims=True)),
        part_of_the_map,
    ),
    written=lambda node: "average pool",
    counted="pooling layers",
    traits=f"{TRAITS} whole",
)


def total_adjoint(step: Step, g: np.ndarray) -> Gradients:
    a = step.node.attributes
    return [over_windows(g, pad(step.inputs[0], a["padding"]), a)], {}


def total_spread(node: Node, x: Spread) -> Spread:
    cells = prod(node.attributes["kernel"])
    return Spread(cells * x.mean, cells**2 * (x.mean**2 + x.variance / 4))


SUM_POOL = Kind(
    name="sum_pool",
    attributes="kernel stride padding",
    forward=total,
    adjoint=total_adjoint,
    reads="",
    spread=total_spread,
    altered=("mean for sum", average_instead),
    causes=(
        as_kind("avg_pool", "it is the mean, not the sum", count_include_pad=True),
        as_kind("max_pool", "it is the maximum, not the sum"),
        *POOLED,
    ),
    written=None,
    counted="pooling layers",
    traits=TRAITS,
)


def subsample(o: Arithmetic, node: Node, slots: Parameters, x: np.ndarray) -> np.ndarray:
    y = total(o, node, slots, x) / x.dtype.type(node.attributes["divisor"])
    y = o.stored(o.stored(y) * slots["coefficient"])
    return y + slots["bias"] if "bias" in slots else y


def subsample_adjoint(step: Step, g: np.ndarray) -> Gradients:
    a, coefficient = step.node.attributes, step.slots["coefficient"]
    padded, by = pad(step.inputs[0], a["padding"]), g.dtype.type(a["divisor"])
    summed = by_offset(padded, a, np.add) / by
    to_input = over_windows(g * coefficient / by, padded, a)
    return [to_input], {"coefficient": over_channels(g * summed), "bias": over_channels(g)}


def subsample_connections(node: Node) -> int:
    """A unit reads its window and its bias; its coefficient is not counted again.

    LeCun et al. 1998, section II.B: S2 has 5,880.
    """
    return prod(node.shape) * prod(node.attributes["kernel"]) + prod(node.shape[:2]) * node.biases


def over_its_cells(t: Trial) -> np.ndarray:
    a = t.node.attributes
    return t.run(divisor=a["divisor"] * prod(a["kernel"]))


SUBSAMPLE = Kind(
    name="subsample",
    attributes="kernel stride padding divisor",
    slots="coefficient bias",
    forward=subsample,
    adjoint=subsample_adjoint,
    spread=lambda node, x: Spread(0.0, 1.1),
    altered=("mean for sum", over_its_cells),
    causes=(
        *biases,
        slot("the coefficient is left out", "coefficient", np.ones_like),
        result("it is the mean of the window, not the sum", over_its_cells),
        padding,
    ),
    fitted=(products,),
    written=lambda node: f"subsample {window(node)}",
    counted="pooling layers",
    connections=subsample_connections,
    traits="pooling resizing",
)
