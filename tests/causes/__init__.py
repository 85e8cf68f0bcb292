"""What the tests of causes share: wrong results, made by other arithmetic than any hypothesis."""

from typing import Any

import numpy as np

from conformance.graph.model import Graph, Node
from conformance.kinds import KINDS
from conformance.numbers.causes import Segment, causes
from conformance.numbers.oracle import Oracle

RANDOM = np.random.Generator(np.random.Philox(11))
#: The tightest bound that any node has: half of what lies between single and double precision.
BOUND = 2.0**-24 * 2.0**-14.5
X = RANDOM.normal(size=(2, 8, 8, 6))
Y = RANDOM.normal(size=(2, 8, 8, 6))
Z = RANDOM.normal(size=(2, 8, 8, 6))
VECTOR = RANDOM.normal(size=(3, 48))
NONE = ((0, 0), (0, 0))
ONE = ((1, 1), (1, 1))


def slots(**shapes: Any) -> Any:
    return {name: RANDOM.uniform(0.5, 1.5, shape) for name, shape in shapes.items()}


def explained(
    kind: str, attributes: Any, held: Any, inputs: Any, got: Any,
    flatten: Any = None, reads_image: bool = False,
) -> Any:  # fmt: skip
    """The causes that are named for a node of a kind with these inputs, for a result."""
    shapes = [x.shape[1:] for x in inputs]
    nodes = [Node("input", {}, (), shapes[0])]
    for shape in shapes if not reads_image else ():
        nodes.append(Node("relu", {}, (0,), flatten or shape))
        if flatten:
            nodes.append(Node("flatten", {}, (len(nodes) - 1,), shape))
    sources = [len(nodes) - 1] if len(inputs) == 1 else list(range(1, 1 + len(inputs)))
    last = Node(kind, attributes, tuple(sources), ())
    last.parameters = {name: () for name in held}
    oracle = Oracle(Graph([*nodes, last], (0,), (len(nodes),)), lambda i, name: held[name], X)
    segment = Segment(oracle, [len(nodes)], dict(zip(sources, inputs, strict=True)))
    want = KINDS[kind].forward(oracle, last, held, *inputs)
    last.shape = want.shape[1:]
    rms = float(np.sqrt(np.mean(want**2))) or 1.0
    return causes(segment, np.asarray(got(want) if callable(got) else got), rms, BOUND)


def around(x: Any, padding: Any, fill: float = 0.0) -> Any:
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)


def patches(x: Any, kernel: Any, stride: int) -> Any:
    """Every window as a list of cells, by loops."""
    height, width = kernel
    rows = range(0, x.shape[1] - height + 1, stride)
    columns = range(0, x.shape[2] - width + 1, stride)
    return np.stack(
        [np.stack([x[:, i : i + height, j : j + width] for j in columns], 1) for i in rows], 1
    )


def conv(x: Any, kernel: Any, bias: Any = 0.0, padding: Any = NONE, stride: int = 1) -> Any:
    """A convolution as a sum over windows."""
    cells = patches(around(x, padding), kernel.shape[:2], stride)
    return np.einsum("brcijk,ijko->brco", cells, kernel) + bias


SQUARE = slots(kernel=(3, 3, 6, 6), bias=(6,)) | {"bias": RANDOM.normal(size=6)}
K, B = SQUARE["kernel"], SQUARE["bias"]
CONV = {"kernel": (3, 3), "stride": (1, 1), "padding": ONE, "dilation": (1, 1), "groups": 1}
POOL = {"kernel": (3, 3), "stride": (2, 2), "padding": ONE}
AVERAGE = POOL | {"count_include_pad": False}
SUBSAMPLE = {"kernel": (2, 2), "stride": (2, 2), "padding": NONE, "divisor": 1}
TRAINED = slots(coefficient=(6,), bias=(6,))
NORM = slots(gamma=(6,), beta=(6,), mean=(6,), variance=(6,))
G, BETA, M, V = (NORM[name] for name in ("gamma", "beta", "mean", "variance"))
EPSILON = {"epsilon": 1e-5}
GROUPED = slots(gamma=(6,), beta=(6,))
TAUGHT = EPSILON | {"statistics": "batch"}
LRN = {"n": 5, "k": 2.0, "alpha": 1e-1, "beta": 0.75}


def lrn(
    n: int = 5, k: float = 2.0, alpha: float = 1e-1, beta: float = 0.75, low: Any = None
) -> Any:
    low = n // 2 if low is None else low
    windows = [slice(max(0, c - low), c - low + n) for c in range(6)]
    total = np.stack([(X[..., w] ** 2).sum(axis=-1) for w in windows], axis=-1)
    return X / (k + alpha * total) ** beta


DENSE = slots(kernel=(48, 5), bias=(5,)) | {"bias": RANDOM.normal(size=5)}
SIDE = slots(kernel=(48, 48), bias=(48,))
W = DENSE["kernel"]
PAD = {"padding": ((0, 1), (0, 1)), "channels": (0, 4), "value": 0.0}
