"""The values of a port on canonical weights, node by node, beside the oracle in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from conformance.judge import results
from conformance.judge.finding import Finding, Json, Part, Unjudged, finite
from conformance.judge.hints import vanishes
from conformance.judge.port.structure import source
from conformance.judge.port.subject import Side, Subject
from conformance.judge.port.supposed import Turn, unread
from conformance.kinds.hypotheses import ORDERS
from conformance.numbers.causes.roots import Root
from conformance.numbers.deviation import NodeParity
from conformance.numbers.parity import Parity, parity

#: Of a value that is wrong where the structure is right and no cause is known.
UNEXPLAINED = (
    "the structure is right and the values are not: the port computes this otherwise than it says"
)


@dataclass(slots=True)
class Forward:
    """The check's part, how near the values came, and every node's error for a drawing."""

    part: Part
    summary: results.Forward | None = None
    parity: Parity | None = None
    nodes: list[Json] = field(default_factory=list)


def check(subject: Subject, surplus: list[Finding]) -> Forward:
    """Run the port beside the paper's network, or beside itself where it is a known variant.

    ``surplus`` are the findings of its structure: where there are any, the run ends where the
    values part, and the first divergence only explains them.
    """
    if subject.inference.unsized and not subject.explained_all:  # what would the oracle run?
        return Forward(Part(planned=1, open=[Unjudged("forward", subject.inference.unsized)]))
    side, ran = _run(subject, not surplus)
    while kernels := _turned(side, ran):
        subject.turn(kernels)
        side, ran = _run(subject, not surplus)
    observed = [b for b in side.pairs.values() if side.found.nodes[b].seen]
    diverged = ran.first_divergence
    part = Part(planned=len(observed), run=len(observed) if diverged else len(ran.nodes))
    result = Forward(part, parity=ran)
    result.nodes = [{"node": n.node, "error": finite(n.error), "bound": n.bound} for n in ran.nodes]
    confirmed = bool(ran.nodes) and not diverged and not ran.problem
    part.settled = bool(side.comparison.found.unknown) and confirmed
    if diverged:
        result.summary = _parted(side, ran, diverged)
        if not any(each.check == "structure" for each in surplus):
            cite = partial(source, subject.model)
            part.findings = _findings(side, ran, diverged, cite)
    elif ran.nodes:
        worst = max(ran.nodes, key=lambda node: node.error / node.bound)
        result.summary = results.Forward(len(ran.nodes), worst.error, worst.bound, None)
    if ran.problem and not diverged and not part.settled:
        part.open.append(Unjudged("forward", ran.problem))
    return result


def _run(subject: Subject, to_the_end: bool) -> tuple[Side, Parity]:
    side, stage = subject.side(), subject.stage
    stage("running in float64", 0, 0)
    return side, parity(
        subject.port, subject.tape, side.found, side.expected, side.pairs, subject.seed,
        to_the_end=to_the_end,
        progress=partial(stage, "running in float64"),
    )  # fmt: skip


def _turned(side: Side, ran: Parity) -> dict[str, Turn]:
    """The kernels of what may be layers, from where the values part, in the order that explains it.

    In which order an operation without a word reads what is stored its shape does not tell.
    """
    if (diverged := ran.first_divergence) is None:
        return {}
    causes = _root(ran, diverged.node).causes
    compared = side.comparison
    read = unread(side.expected, compared.found, side.pairs)
    kernels = {a: side.found.nodes[b].parameters.get("kernel", ()) for a, b, _ in read}
    turn = next((o[c] for c in causes[:1] for o in ORDERS.values() if c in o), None)
    if turn is None or not kernels.get(diverged.node):
        return {}
    handles = [each.handle for a in sorted(kernels) if a >= diverged.node for each in kernels[a]]
    return {} if handles[0] in side.turned else dict.fromkeys(handles, turn)


def _parted(side: Side, ran: Parity, diverged: NodeParity) -> results.Forward:
    """Where the values part first, by how much, and why."""
    return results.Forward(
        compared=len(ran.nodes),
        error=finite(diverged.error),
        bound=diverged.bound,
        first_divergence=side.names[diverged.node],
        port_node=str(side.found.nodes[side.pairs[diverged.node]].where),
        before=ran.before(diverged),
        causes=_root(ran, diverged.node).causes,
    )


def _root(ran: Parity, node: int) -> Root:
    return next((r for r in ran.roots if r.node == node and not r.slot), Root(node, ()))


def _findings(
    side: Side, ran: Parity, diverged: NodeParity, cite: Callable[[str], str]
) -> list[Finding]:
    """A finding for each node that is wrong by itself; the first to part is one of them."""
    wrong = {root.node for root in ran.roots} | {diverged.node}
    return [
        side.finding(
            "forward", each.node, "value", expected=each.bound, found=finite(each.error),
            hint=vanishes(_root(ran, each.node).causes, UNEXPLAINED),
            source=cite(side.rows[each.node]), inherited=_root(ran, each.node).inherited,
        )
        for each in ran.nodes
        if each.node in wrong
    ]  # fmt: skip
