"""Does a live model compute what its graph says?  Every node, in float64, against the oracle.

The bound is derived, not chosen.  The oracle computes each node twice, in float64 and in float32;
the difference is what single precision costs this network up to this node.  The same sums in
double precision cost 2^-29 of that (the ratio of the two unit roundoffs), give or take the order
of summation.  A float64 result is accepted while it is nearer, on a logarithmic scale, to that
double-precision cost than to the single-precision one: below ``2^-14.5`` of the latter.  What lies
above was not computed from the same formula, or not in double precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite, prod, sqrt
from typing import Any

import numpy as np

from conformance.oracle import OPERATIONS, CannotCompute, Oracle
from conformance.trace.axes import to_neutral
from conformance.trace.graph import Graph, Node
from conformance.trace.port import Port
from conformance.trace.tape import Tape
from conformance.weights import Weights, carried

#: Halfway, in powers of two, between the unit roundoffs of float32 (2^-24) and float64 (2^-53).
HALFWAY = 2.0**-14.5

#: The smallest cost of single precision: storing the result in it.
SINGLE = 2.0**-24

#: How many values of each node's result are kept, to be compared with other frameworks' results.
SAMPLES = 12


@dataclass(frozen=True, slots=True)
class NodeParity:
    """One node's result: errors and bound are largest differences over the root mean square."""

    node: int
    rms: float
    error: float
    bound: float
    sample: tuple[float, ...]

    @property
    def agrees(self) -> bool:
        return self.error <= self.bound


@dataclass(frozen=True, slots=True)
class Control:
    """A wrong variant of one node, put in the oracle's place: it has to exceed the bound."""

    node: int
    alteration: str
    error: float
    bound: float

    @property
    def caught(self) -> bool:
        return self.error > self.bound


@dataclass(frozen=True, slots=True)
class Parity:
    """All that one run of one model says: nodes in order of execution, and control arms."""

    seed: int
    nodes: tuple[NodeParity, ...]
    controls: tuple[Control, ...]
    problem: str = ""

    @property
    def first_divergence(self) -> NodeParity | None:
        return next((n for n in self.nodes if not n.agrees), None)

    def before(self, diverged: NodeParity) -> float:
        """The largest error of the nodes before a diverging one."""
        earlier = self.nodes[: self.nodes.index(diverged)]
        return max((n.error for n in earlier), default=0.0)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Parity:
        nodes = tuple(NodeParity(**(n | {"sample": tuple(n["sample"])})) for n in data["nodes"])
        controls = tuple(Control(**c) for c in data["controls"])
        return cls(data["seed"], nodes, controls, data["problem"])


def parity(
    port: Port,
    tape: Tape,
    found: Graph,
    expected: Graph | None = None,
    pairs: dict[int, int] | None = None,
    seed: int = 0,
    to_the_end: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Parity:
    """Run a port in float64 on canonical weights and compare every node with the oracle.

    The oracle executes ``expected`` (the port's own graph when None); ``pairs`` says which node
    of ``found`` stands for which expected one.  Nodes without a counterpart are not compared.
    Without ``to_the_end`` the run stops where the results part.
    """
    expected = expected or found
    pairs = pairs or {i: i for i in range(len(found))}
    weights = Weights(expected, seed)
    observer = _Observer(expected, found, pairs, weights, to_the_end, progress)

    def slot(index: int, name: str) -> np.ndarray:
        return observer.slot_for_port(index, name)

    problem = ""
    shapes = {op.attributes["handle"]: op.shape for op in tape.operations if op.name == "parameter"}
    try:
        port.run(
            tape,
            carried(found, slot, shapes),
            weights.image(),
            frozenset(observer.wanted),
            observer,
        )
    except CannotCompute as unknown:
        problem = str(unknown)
    except _Parted:
        problem = "stopped at the first divergence"
    missing = len(observer.wanted) - len(observer.results)
    if missing and not problem:
        problem = f"{missing} of {len(observer.wanted)} results were never computed"
    return Parity(seed, tuple(observer.results), tuple(observer.controls), problem)


class _Parted(Exception):
    """The port and the oracle have parted, and nobody wants to know more."""


class _Observer:
    """Receives the port's results one by one and lets two oracles keep step with it."""

    def __init__(
        self,
        expected: Graph,
        found: Graph,
        pairs: dict[int, int],
        weights: Weights,
        to_the_end: bool,
        progress: Callable[[int, int], None],
    ):
        self.expected, self.found, self.weights, self.progress = expected, found, weights, progress
        self.to_the_end = to_the_end
        self.own = Weights(found, weights.seed)
        self.back = {b: a for a, b in pairs.items()}
        image = weights.image()
        self.double = Oracle(expected, weights.slot, image)
        self.single = Oracle(expected, weights.slot, image, np.float32)
        self.wanted = {
            found.nodes[b].value: b
            for a, b in pairs.items()
            if found.nodes[b].value >= 0 and found.nodes[b].kind != "input"
        }
        observed = {self.back[b] for b in self.wanted.values()}
        for index in set(range(len(expected))) - observed:
            self.double.release(index)
            self.single.release(index)
        self.single_cost: dict[int, float] = {}
        self.results: list[NodeParity] = []
        self.controls: list[Control] = []
        self.controlled = _cheapest_of_each_kind(expected, observed)

    def slot_for_port(self, index: int, name: str) -> np.ndarray:
        """Canonical values for a slot of the port, shaped for the port where the two differ."""
        shape = self.found.nodes[index].slots[name]
        node = self.back.get(index)
        if node is None or self.expected.nodes[node].slots.get(name) != shape:
            return self.own.slot(index, name)
        return self.weights.slot(node, name)

    def __call__(self, value: int, array: np.ndarray) -> None:
        b = self.wanted[value]
        a = self.back[b]
        port_node = self.found.nodes[b]
        got = to_neutral(array, port_node.axes).reshape((-1, *port_node.shape))
        node = self.expected.nodes[a]
        inputs = [self.double.result(i) for i in node.inputs] if a in self.controlled else []
        want = self.double.result(a)
        rms = sqrt(float(np.mean(np.square(want)))) or 1.0
        cost = _distance(self.single.result(a), want, rms)
        inherited = max((self.single_cost.get(i, 0.0) for i in node.inputs), default=0.0)
        self.single_cost[a] = max(cost, inherited, SINGLE)
        bound = self.single_cost[a] * HALFWAY
        error = _distance(got, want, rms)
        if a in self.controlled:
            self._control(a, node, inputs, got, rms, bound)
        self.double.release(a)
        self.single.release(a)
        self.results.append(NodeParity(a, rms, error, bound, _sample(got)))
        self.progress(len(self.results), len(self.wanted))
        if not self.to_the_end and error > bound:
            raise _Parted

    def _control(
        self, a: int, node: Node, inputs: list[np.ndarray], got: np.ndarray, rms: float,
        bound: float,
    ) -> None:  # fmt: skip
        alteration, wrong = ALTERATIONS[node.kind]
        slots = {name: self.weights.slot(a, name) for name in node.parameters}
        result = wrong(self.double, node, slots, *inputs)
        self.controls.append(Control(a, alteration, _distance(got, result, rms), bound))


def _distance(got: np.ndarray, want: np.ndarray, rms: float) -> float:
    """The largest difference over the root mean square; infinite for what is not comparable."""
    if got.shape != want.shape:
        return inf
    difference = float(np.max(np.abs(got - want), initial=0.0)) / rms
    return difference if isfinite(difference) else inf


def _sample(result: np.ndarray) -> tuple[float, ...]:
    """A few values, spread over the result in neutral layout."""
    flat = result.reshape(-1)
    spread = np.linspace(0, len(flat) - 1, min(SAMPLES, len(flat))).astype(int)
    return tuple(map(float, flat[spread]))


def _cheapest_of_each_kind(graph: Graph, observed: set[int]) -> set[int]:
    cheapest: dict[str, int] = {}
    for index in sorted(observed):
        node = graph.nodes[index]
        before = cheapest.get(node.kind)
        # The largest of one cell is its average: there is nothing to alter.
        one_cell = prod(node.attributes.get("kernel", (2,))) == 1 and node.kind != "conv"
        if node.kind not in ALTERATIONS or one_cell:
            continue
        if before is None or _cost(node) < _cost(graph.nodes[before]):
            cheapest[node.kind] = index
    return set(cheapest.values())


def _cost(node: Node) -> int:
    return prod(node.shape) + node.multiply_adds


def _altered(**changes: Callable[[Node], Any]) -> Callable[..., np.ndarray]:
    """The node's own operation with some attributes changed."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        attributes = node.attributes | {name: change(node) for name, change in changes.items()}
        return np.asarray(
            OPERATIONS[node.kind](o, replace(node, attributes=attributes), slots, *inputs)
        )

    return wrong


def _as(kind: str) -> Callable[..., np.ndarray]:
    """Another kind's operation in the place of the node's own."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        attributes = {"count_include_pad": True} | node.attributes
        return np.asarray(OPERATIONS[kind](o, replace(node, attributes=attributes), slots, *inputs))

    return wrong


def _with_slots(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., np.ndarray]:
    """The node's own operation on changed parameters."""

    def wrong(o: Oracle, node: Node, slots: dict[str, Any], *inputs: np.ndarray) -> np.ndarray:
        return np.asarray(OPERATIONS[node.kind](o, node, slots | change(slots), *inputs))

    return wrong


#: For each kind a bug that is made in real ports, and how to make it.
ALTERATIONS: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "conv": (
        "first two output channels swapped",
        _with_slots(
            lambda s: {"kernel": s["kernel"][..., [1, 0, *range(2, s["kernel"].shape[3])]]}
        ),
    ),
    "dense": (
        "inputs in reverse order",
        _with_slots(lambda s: {"kernel": s["kernel"][::-1]}),
    ),
    "batch_norm": (
        "epsilon ten times larger",
        _altered(epsilon=lambda node: 10 * node.attributes["epsilon"]),
    ),
    "lrn": (
        "alpha divided by n",
        _altered(alpha=lambda node: node.attributes["alpha"] / node.attributes["n"]),
    ),
    "max_pool": ("average for maximum", _as("avg_pool")),
    "avg_pool": ("maximum for average", _as("max_pool")),
    "global_avg_pool": (
        "maximum for average",
        lambda o, node, slots, x: x.max(axis=(1, 2), keepdims=True),
    ),
    "subsample": (
        "mean for sum",
        _altered(divisor=lambda node: node.attributes["divisor"] * prod(node.attributes["kernel"])),
    ),
    "rbf": (
        "first two units swapped",
        _with_slots(lambda s: {"centres": s["centres"][[1, 0, *range(2, len(s["centres"]))]]}),
    ),
    "relu": ("left out", lambda o, node, slots, x: x),
    "tanh": ("logistic for tanh", _as("sigmoid")),
    "sigmoid": ("tanh for logistic", _as("tanh")),
    "softmax": ("left out", lambda o, node, slots, x: x),
    "add": ("second input left out", lambda o, node, slots, x, y: x),
    "concat": (
        "inputs in reverse order",
        lambda o, node, slots, *xs: np.concatenate(xs[::-1], axis=-1),
    ),
    "scale": ("left out", lambda o, node, slots, x: x),
    "flatten": (
        "width before height",
        lambda o, node, slots, x: x.transpose(0, 2, 1, 3).reshape(len(x), -1),
    ),
}
