"""Layers that read a vector: a matrix product, and LeNet-5's radial basis functions."""

from __future__ import annotations

from math import prod

import numpy as np

from conformance.kinds.arrays import exchanged, over_channels
from conformance.kinds.hypotheses import (
    ORDERS,
    biases,
    flattened,
    inputs_reordered,
    products,
    result,
    turned,
    uses,
)
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step
from conformance.large import Large, product


def dense(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    y = o.read(x.reshape(len(x), -1)) @ o.read(slots["kernel"])
    return o.stored(y) + slots["bias"] if "bias" in slots else y


def dense_adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,), kernel = step.inputs, step.slots["kernel"]
    to_input = kernel.behind(g) if isinstance(kernel, Large) else g @ kernel.T
    of_kernel = product(x.reshape(len(x), -1), g)
    return [to_input.reshape(x.shape)], {"kernel": of_kernel, "bias": over_channels(g)}


DENSE = Kind(
    name="dense",
    attributes="bias",
    slots="kernel bias",
    forward=dense,
    adjoint=dense_adjoint,
    reads="inputs",
    spread=lambda node, x: Spread(0.0, 1.1),
    altered=("inputs in reverse order", lambda t: t.run(slots={"kernel": t.slots["kernel"][::-1]})),
    causes=(
        *biases,
        flattened,
        inputs_reordered,
        *map(turned, ORDERS[2]),
    ),
    fitted=(products,),
    written=lambda node: f"fc {node.shape[-1]}",
    counted="dense layers",
    connections=uses,
    traits="weighted whole",
)


def rbf(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return (o.stored(x.reshape(len(x), 1, -1) - slots["centres"]) ** 2).sum(axis=2)


def rbf_adjoint(step: Step, g: np.ndarray) -> Gradients:
    (x,), centres = step.inputs, step.slots["centres"]
    away = x.reshape(len(x), 1, -1) - centres
    return [(2 * g[..., None] * away).sum(axis=1).reshape(x.shape)], {}


RBF = Kind(
    name="rbf",
    slots="centres",
    forward=rbf,
    adjoint=rbf_adjoint,
    spread=lambda node, x: Spread(0.0, float(node.slots["centres"][1] ** 2)),
    altered=(
        "first two units swapped",
        lambda t: t.run(slots={"centres": exchanged(t.slots["centres"], axis=0)}),
    ),
    causes=(
        result("the root of the distance is taken", lambda t: np.sqrt(t.want)),
        result("it is the mean, not the sum", lambda t: t.want / t.slots["centres"].shape[1]),
    ),
    written=lambda node: f"rbf {node.shape[-1]}",
    connections=lambda node: prod(node.slots["centres"]),
    traits="weighted whole",
)
