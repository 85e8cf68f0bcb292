"""What real ports compute in a node's place: hypotheses that can be stated without solving."""

from __future__ import annotations

from itertools import combinations, permutations
from math import prod
from string import ascii_lowercase

import numpy as np

from conformance.numbers.causes.activations import FUNCTIONS
from conformance.numbers.causes.experiment import Altered, Trial
from conformance.numbers.causes.hypotheses import Hypothesis, as_kind, result, slot, square
from conformance.numbers.causes.norms import (
    epsilons,
    exchanged,
    normalised,
    response_windows,
    responses,
    statistics,
)
from conformance.numbers.causes.windows import (
    bilinear,
    border,
    dilation,
    divisor,
    other_padding,
    other_window,
    padding,
    part_of_the_map,
    summed,
    zeros_in_the_border,
)


def left_out(t: Trial) -> Altered:
    for place, x in enumerate(t.inputs):
        if x.size == t.want.size:
            which = f" and its input {place + 1} taken" if len(t.inputs) > 1 else ""
            yield f"it is left out{which}", x.reshape(t.want.shape)


def activation(t: Trial) -> Altered:
    for name, function in FUNCTIONS.items():
        if name != t.node.kind:
            yield f"{name} stands in its place", function(t.x)


def followed(t: Trial) -> Altered:
    for name, function in FUNCTIONS.items():
        yield f"{name} follows it", function(t.want)


def preceded(t: Trial) -> Altered:
    """An activation before the node: of all that it reads, or of one input."""
    for name, function in FUNCTIONS.items():
        if len(t.inputs) == 1:
            yield f"{name} comes before it", t.run(function(t.x))
        for place in range(len(t.inputs) if len(t.inputs) > 1 else 0):
            inputs = [function(x) if i == place else x for i, x in enumerate(t.inputs)]
            yield f"{name} comes before its input {place + 1}", t.run(*inputs)


def flattened(t: Trial) -> Altered:
    """Another order of rows, columns and channels on the way to a vector."""
    shape = t.image if t.node.kind == "dense" else t.x.shape[1:]
    if len(shape) != 3 or sum(n > 1 for n in shape) < 2:
        return
    cells = t.x.reshape(-1, *shape)
    for order in permutations((1, 2, 3)):
        if order != (1, 2, 3):
            words = ", ".join("?HWC"[axis] for axis in order)
            moved = cells.transpose(0, *order).reshape(len(cells), -1)
            yield (
                f"flattened in the order {words}",
                (t.run(moved) if t.node.kind == "dense" else moved),
            )


def inputs_reordered(t: Trial) -> Altered:
    x = t.x
    half = x.shape[-1] // 2
    if half:
        words = "its input channels are in reverse order"
        if t.first and x.shape[-1] == 3:
            words = "the image's channels are BGR, not RGB"
        yield words, t.run(x[..., ::-1])
        swapped = np.concatenate([x[..., half:], x[..., :half]], axis=-1)
        yield "the halves of its input channels are swapped", t.run(swapped)


def concatenated(t: Trial) -> Altered:
    count = len(t.inputs)
    orders = [list(order) for order in permutations(range(count))] if count <= 4 else []
    for i, j in combinations(range(count) if count > 4 else (), 2):
        orders.append([j if k == i else i if k == j else k for k in range(count)])
    for order in orders:
        if order != sorted(order):
            words = ", ".join(ascii_lowercase[place] for place in order)
            yield (
                f"its inputs are concatenated in the order {words}",
                t.run(*(t.inputs[place] for place in order)),
            )


def averaged(t: Trial) -> Altered:
    cells = prod(t.node.attributes["kernel"])
    yield (
        "it is the mean of the window, not the sum",
        t.run(divisor=t.node.attributes["divisor"] * cells),
    )


def softmaxes(t: Trial) -> Altered:
    yield "it is applied twice", t.run(t.want)
    yield "its logarithm is returned", np.log(t.want)
    for axis in range(t.x.ndim - 1):
        e = np.exp(t.x - t.x.max(axis=axis, keepdims=True))
        yield (
            f"it is taken over {('the batch', 'rows', 'columns')[axis]}",
            e / e.sum(axis=axis, keepdims=True),
        )


_CONVOLVED: tuple[Hypothesis, ...] = (
    padding,
    border,
    square("rows and columns of the kernel are exchanged", (1, 0, 2, 3)),
    slot("the kernel is flipped: a true convolution", "kernel", lambda k: k[::-1, ::-1]),
    slot("the kernel's rows are reversed", "kernel", lambda k: k[::-1]),
    slot("the kernel's columns are reversed", "kernel", lambda k: k[:, ::-1]),
    inputs_reordered,
    square("the kernel's inputs and outputs are exchanged", (0, 1, 3, 2)),
    dilation,
)
_BIASED: tuple[Hypothesis, ...] = (
    slot("the bias is left out", "bias", lambda bias: None),
    slot("the bias is added twice", "bias", lambda bias: 2 * bias),
    slot("the bias is subtracted", "bias", lambda bias: -bias),
)
_POOLED: tuple[Hypothesis, ...] = (padding, other_window, left_out)

#: By kind, the simplest first.  What holds for every kind is in ``ANY``, and is tried after.
STATED: dict[str, tuple[Hypothesis, ...]] = {
    "conv": (*_BIASED, *_CONVOLVED),
    "dense": (
        *_BIASED,
        flattened,
        inputs_reordered,
        square("the kernel is transposed", (1, 0)),
    ),
    "max_pool": (
        as_kind("avg_pool", "it is the average, not the maximum", count_include_pad=False),
        as_kind("avg_pool", "it is the average and counts padding", count_include_pad=True),
        zeros_in_the_border,
        *_POOLED,
    ),
    "avg_pool": (
        divisor,
        as_kind("max_pool", "it is the maximum, not the average"),
        summed,
        *_POOLED,
    ),
    "global_avg_pool": (
        result("it is the maximum, not the average", lambda t: t.x.max((1, 2), keepdims=True)),
        result("it is the sum, not the mean", lambda t: t.x.sum((1, 2), keepdims=True)),
        part_of_the_map,
    ),
    "subsample": (
        *_BIASED,
        slot("the coefficient is left out", "coefficient", np.ones_like),
        averaged,
        padding,
    ),
    "batch_norm": (
        epsilons,
        exchanged("mean and variance are in each other's place", "mean", "variance"),
        exchanged("gamma and beta are in each other's place", "gamma", "beta"),
        slot("gamma is left out", "gamma", lambda gamma: None),
        slot("beta is left out", "beta", lambda beta: None),
        slot("gamma + 1 is taken for gamma", "gamma", lambda gamma: gamma + 1),
        slot("the mean is not subtracted", "mean", lambda mean: None),
        normalised("the variance is taken for the deviation", lambda v, e: v + e),
        normalised("the stored variance is taken for a deviation", lambda v, e: np.sqrt(v**2 + e)),
        normalised("epsilon is added to the deviation, not to the variance",
                   lambda v, e: np.sqrt(v) + e),
        statistics,
        left_out,
    ),
    "lrn": (responses, response_windows, left_out),
    **dict.fromkeys(("relu", "tanh", "sigmoid"), (left_out, activation)),
    "softmax": (left_out, softmaxes),
    "add": (left_out,),
    "concat": (concatenated,),
    "scale": (left_out,),
    "dropout": (left_out,),
    "flatten": (flattened,),
    "upsample": (bilinear,),
    "pad": (other_padding,),
    "rbf": (
        result("the root of the distance is taken", lambda t: np.sqrt(t.want)),
        result("it is the mean, not the sum", lambda t: t.want / t.slots["centres"].shape[1]),
    ),
}  # fmt: skip

#: Of every kind.
ANY: tuple[Hypothesis, ...] = (followed, preceded)
