"""The verdict on a port: its structure, its training mode, its numbers, and what explains them.

The port is set beside our own implementation in the port's framework, which the suite holds
against the paper.  Structure comes first and needs no weights.  Then the port is run in float64
on canonical weights beside the oracle: beside the paper's network, or, where a known variant
explains every difference, beside that variant, which is the port's own graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Any

from conformance.graph.align import align, findings
from conformance.graph.alike import alike
from conformance.graph.model import Graph
from conformance.graph.names import names
from conformance.judge import initialisation as start
from conformance.judge import trained as modes
from conformance.judge.evidence import Record, graph_to_json
from conformance.judge.examine import examine
from conformance.judge.expectations import is_about
from conformance.judge.hints import vanishes
from conformance.judge.rows import key, other_outputs, own_causes, source, written
from conformance.judge.variants import Comparison, explain, matches
from conformance.numbers.causes.roots import Root, stand_ins
from conformance.numbers.initial import initial
from conformance.numbers.parity import NodeParity, Parity, parity
from conformance.ports import implementations as frameworks
from conformance.reference import Model
from conformance.reference import variants as known
from conformance.trace.canonical import canonical
from conformance.trace.port import Port, Size, UntraceableModel
from conformance.trace.tape import Tape

CONFORMS, VARIANT = "conforms", "conforms-as-variant"
DEVIATES, INCONCLUSIVE = "deviates", "inconclusive"

#: Of a value that is wrong where the structure is right and no cause is known.
UNEXPLAINED = (
    "the structure is right and the values are not: the port computes this otherwise than it says"
)

Json = dict[str, Any]
Stage = Callable[[str, int, int], None]


@dataclass(slots=True)
class Judgement:
    """What is known of a port.  ``open`` has a sentence for everything that was not settled."""

    model: Model
    framework: str
    findings: list[Json] = field(default_factory=list)
    profiles: list[known.Profile] = field(default_factory=list)
    another: known.Profile | None = None
    open: list[str] = field(default_factory=list)
    #: What this kind of port cannot show, and no fault of it.
    unjudged: list[str] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    forward: Json | None = None
    numbers: bool = True
    #: Findings that are meant to be there, by what was expected; they do not count.
    expected: dict[str, list[Json]] = field(default_factory=dict)
    planned: int = 0
    run: int = 0
    #: For pages that draw the port: both graphs, their pairs and every node's error.
    drawing: Json = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One surplus finding is enough to deviate; without any, what is open is no pass."""
        if self.findings:
            return DEVIATES
        if self.open or not 0 < self.planned == self.run:
            return INCONCLUSIVE
        return VARIANT if self.profiles else CONFORMS

    def as_json(self, port: str) -> Json:
        """The result of ``conformance gate``."""
        return {
            "schema": 1,
            "port": port,
            "framework": self.framework,
            "architecture": self.model.name,
            "verdict": self.verdict,
            "variant": known.names(self.profiles) or None,
            "variants": [_told(profile) for profile in self.profiles],
            "another": _told(self.another) if self.another else None,
            "findings": self.findings,
            "expected": self.expected,
            "open": self.open,
            "unjudged": self.unjudged,
            "totals": self.totals,
            "numbers": self.numbers,
            "forward": self.forward,
            "checks": {"planned": self.planned, "run": self.run},
        }


def _told(profile: known.Profile) -> Json:
    return {
        "name": profile.name,
        "says": profile.says,
        "source": profile.source,
        "found_in": profile.found_in,
    }


def judge(
    port: Port,
    model: Model,
    *,
    size: Size | None = None,
    numbers: bool = True,
    seed: int = 0,
    trained: bool = False,
    expect: Sequence[str] = (),
    stage: Stage = lambda name, done, total: None,
) -> Judgement:
    """Judge a port against a published network, for images of ``size`` (default: the paper's).

    Findings that ``expect`` names, by row or node and attribute, are set aside like those of a
    variant.  Raises :class:`~conformance.trace.port.UntraceableModel` and
    :class:`~conformance.ports.implementations.NotInstalled`.
    """
    size = size or model.input
    stage("tracing the port", 0, 0)
    tape = port.trace(size)
    found = canonical(tape)
    stage(f"tracing {model.name}", 0, 0)
    ours = _ours(port.framework, model, size)
    result = Judgement(model, port.framework)
    result.totals = {
        "parameters": found.parameters("trainable"),
        "multiply_adds": found.multiply_adds,
        "layers": found.depth,
    }
    inference = _compare(ours.graph, found, model)
    assert ours.training is not None
    taught = _in_training(result, port, size, len(ours.training), stage)
    training = _compare(ours.training, taught[1], model) if taught is not None else None
    _structure(result, inference, training)
    result.numbers = numbers
    _set_aside(result, expect)
    if numbers:
        _forward(result, port, tape, inference, seed, stage)
        if not result.findings and not result.open:
            _modes(result, port, tape, inference, taught and taught[0], training, seed, stage)
        _start(result, port, inference, trained, stage)
        _set_aside(result, expect)
    else:
        _settle(result, inference.found, None)
    result.drawing |= {
        "expected": graph_to_json(ours.graph),
        "found": graph_to_json(found),
        "pairs": {str(a): b for a, b in inference.pairs.items()},
    }
    return result


def _in_training(
    result: Judgement, port: Port, size: Size, nodes: int, stage: Stage
) -> tuple[Tape, Graph] | None:
    """The port in training; None, with the reason, where it cannot be had."""
    if not port.trains:
        result.unjudged.append(
            "training: nothing tells this port that it trains; dropout and batch statistics have"
            " to be judged in another way"
        )
        return None
    stage("tracing the port in training", 0, 0)
    try:
        tape = port.trace(size, training=True)
        return tape, canonical(tape)
    except UntraceableModel as refused:
        result.planned += nodes
        result.open.append(f"training mode was not judged: {refused}")
        return None


def _ours(framework: str, model: Model, size: Size) -> Record:
    """Our implementation, traced; for a size of image that is not the paper's, at that size."""
    if size == model.input:
        return examine(framework, model, numbers=False)
    mine = frameworks.port(framework, model)
    try:
        graph = canonical(mine.trace(size))
        return Record(model.name, graph, None, canonical(mine.trace(size, training=True)))
    except UntraceableModel as refused:
        sides = "x".join(map(str, size))
        raise UntraceableModel(
            f"{model.name} has no meaning on an image of {sides}: {refused}"
        ) from refused


def _compare(expected: Graph, found: Graph, model: Model) -> Comparison:
    found = alike(expected, found)
    alignment = align(expected, found)
    differences = findings(expected, found, alignment)
    return Comparison(expected, found, differences, model, alignment.pairs)


def _structure(result: Judgement, inference: Comparison, training: Comparison | None) -> None:
    """Findings that no known variant explains, first those of inference, then of training."""
    candidates = known.of(result.model)
    whole = training or inference
    explained = explain(whole, [each for each in candidates if not each.another])
    if explained.surplus:
        others = explain(whole, [each for each in candidates if each.another])
        result.another = next(iter(others.profiles), None)
    result.profiles = explained.profiles
    # What a variant explains in training it explains in inference, where less of it may be seen.
    seen: set[int] = set().union(*(matches(inference, p, False) or () for p in result.profiles))
    left = [i for i in range(len(inference.findings)) if i not in seen]
    result.planned += len(inference.expected)
    result.run += len(inference.expected)
    told = written(inference, left, "structure", result.model)
    if training is not None:
        result.planned += len(training.expected)
        result.run += len(training.expected)
        every = written(inference, range(len(inference.findings)), "", result.model)
        said = {key(each) for each in every}
        later = written(training, own_causes(training, explained.surplus), "training", result.model)
        for each in later:
            if each["kind"].startswith("unknown:"):
                word = each["kind"].removeprefix("unknown:")
                result.open.append(f"no word for {word} at {each['port_node']} in training")
            elif key(each) not in said:
                told.append(each)
    if len(inference.found.outputs) != len(inference.expected.outputs):
        told.append(other_outputs(inference, result.model))
    result.findings = told


def _set_aside(result: Judgement, expect: Sequence[str]) -> None:
    rows = [row.name for row in result.model.rows]
    for name in expect:
        found = [each for each in result.findings if is_about(name, each, rows)]
        result.expected[name] = [*result.expected.get(name, ()), *found]
    meant = [each for found in result.expected.values() for each in found]
    result.findings = [each for each in result.findings if each not in meant]


def _forward(
    result: Judgement, port: Port, tape: Tape, inference: Comparison, seed: int, stage: Stage
) -> None:
    """Run the port on canonical weights beside the oracle, and say where the two part first."""
    variant = bool(inference.findings) and not result.findings
    expected = inference.found if variant else inference.expected
    pairs = {i: i for i in range(len(expected))} if variant else inference.pairs
    pairs = stand_ins(expected, inference.found, pairs)
    stage("running in float64", 0, 0)
    ran = parity(
        port, tape, inference.found, expected, pairs, seed,
        to_the_end=not result.findings,
        progress=lambda done, total: stage("running in float64", done, total),
    )  # fmt: skip
    observed = [b for b in pairs.values() if inference.found.nodes[b].kind != "input"]
    result.planned += len(observed)
    result.run += len(observed) if ran.first_divergence else len(ran.nodes)
    result.drawing["parity"] = {
        "nodes": [
            {"node": n.node, "error": n.error if isfinite(n.error) else None, "bound": n.bound}
            for n in ran.nodes
        ]
    }
    labels = names(expected, [row.name for row in result.model.rows])
    settled = _settle(result, inference.found, None if variant else ran)
    if diverged := ran.first_divergence:
        _diverged(result, inference, ran, diverged, labels, expected, pairs)
    elif ran.nodes:
        worst = max(ran.nodes, key=lambda node: node.error / node.bound)
        result.forward = {
            "compared": len(ran.nodes), "error": worst.error, "bound": worst.bound,
            "first_divergence": None,
        }  # fmt: skip
    if ran.problem and not ran.first_divergence and not settled:
        result.open.append(ran.problem)


def _modes(
    result: Judgement, port: Port, tape: Tape, inference: Comparison, taught: Tape | None,
    training: Comparison | None, seed: int, stage: Stage,
) -> None:  # fmt: skip
    """What inference hides, of a port that has nothing else against it."""
    variant = bool(result.profiles) or any(result.expected.values())
    ran = []
    if taught is None or training is None:
        stage("differentiating", 0, 0)
        side = modes.Side(inference, variant)
        ran.append(("gradients were", *modes.backward(port, tape, side, seed)))
    else:
        side = modes.Side(training, variant)
        stage("running a training step", 0, 0)
        ran.append(("a training step was", *modes.training(port, taught, side, seed)))
        # Through the batch's statistics and auxiliary heads, as it is going to be trained.
        stage("differentiating", 0, 0)
        ran.append(("gradients were", *modes.backward(port, taught, side, seed, training=True)))
    for what, found, planned, done, problem in ran:
        result.findings += found
        result.planned += planned
        result.run += done
        if problem:
            result.open.append(f"{what} not judged: {problem}")


def _start(
    result: Judgement, port: Port, inference: Comparison, trained: bool, stage: Stage
) -> None:
    """Judge what the port starts from, unless it has been through training."""
    stage("looking at initial values", 0, 0)
    own = None if trained else port.own()
    if own is None or start.trained(inference.found, own):
        result.unjudged.append("initial values: the port comes with trained ones")
        return
    slots = start.judged(inference.found)
    result.planned += slots
    result.run += slots
    values = initial(inference.found, own)
    result.findings += start.findings(inference, values, partial(source, result.model))
    result.profiles += start.variants(inference, values, known.of(result.model))


def _settle(result: Judgement, found: Graph, ran: Parity | None) -> bool:
    """What the vocabulary has no word for is open, unless numbers agree all the way past it."""
    unknown = found.unknown
    if not unknown:
        return False
    if ran is not None and ran.nodes and not ran.first_divergence and not ran.problem:
        result.findings = [f for f in result.findings if f["attribute"] not in ("missing", "extra")]
        return True
    for node in unknown:
        result.open.append(
            f"no word for {node.kind.partition(':')[2]} at {node.where}: numbers did not settle it"
        )
    return False


def _diverged(
    result: Judgement, inference: Comparison, ran: Parity, diverged: NodeParity,
    labels: list[str], expected: Graph, pairs: dict[int, int],
) -> None:  # fmt: skip
    there = inference.found.nodes[pairs[diverged.node]]
    error = diverged.error if isfinite(diverged.error) else None
    roots = {root.node: root for root in ran.roots}
    why = roots.get(diverged.node, Root(diverged.node, ()))
    result.forward = {
        "compared": len(ran.nodes), "error": error, "bound": diverged.bound,
        "first_divergence": labels[diverged.node], "port_node": str(there.where),
        "before": ran.before(diverged), "causes": list(why.causes),
    }  # fmt: skip
    if result.findings and any(f["check"] == "structure" for f in result.findings):
        # The structure has said what differs, and numbers say why: once.
        here = (f for f in result.findings if f["node"] == labels[diverged.node] and not f["hint"])
        next(here, {})["hint"] = vanishes(why.causes, "")
        return
    rows = inference.rows if expected is inference.expected else None
    for each in ran.nodes:
        if root := roots.get(each.node, why if each is diverged else None):
            result.findings.append(
                {
                    "check": "forward",
                    "node": labels[root.node],
                    "port_node": str(inference.found.nodes[pairs[root.node]].where),
                    "kind": expected.nodes[root.node].kind,
                    "attribute": "value",
                    "expected": each.bound,
                    "found": each.error if isfinite(each.error) else None,
                    "hint": vanishes(root.causes, UNEXPLAINED),
                    "source": source(result.model, rows[root.node]) if rows else "",
                    "inherited": root.inherited,
                }
            )
