"""What inference hides: a training step of the port, and its gradients, beside the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from conformance.judge.finding import Finding, Part, Unjudged, finite
from conformance.judge.hints import vanishes
from conformance.judge.port import smaller
from conformance.judge.port.subject import Side, Subject
from conformance.numbers.causes.roots import Root
from conformance.numbers.gradients import IMAGE, Gradients, gradients
from conformance.numbers.parity import Oracles, Parity, parity
from conformance.numbers.weights import BATCH
from conformance.trace.port import Chance, NoGradient, UntraceableModel
from conformance.trace.tape import Tape

#: What a share of the right gradient says; anything else is altered.
SHARES = {0.0: "cut", 2.0: "counted twice", -1.0: "reversed"}

OTHERWISE = "in training the values are not those of what it says it computes"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of training: of which network and with which tape of the port, beside what."""

    side: Side
    tape: Tape
    expected: Oracles


@contextmanager
def ahead(subject: Subject, right: bool) -> Iterator[Step | None]:
    """The step that a port is going to be trained by, if it is ``right`` so far and can train.

    The oracle computes it from here on, whatever is done with the port meanwhile.
    """
    if not right or subject.training is None or subject.one_by_one is not None:
        yield None
        return
    side, tape = smaller.taught(subject)
    whole = subject.side(training=True).expected
    expected = Oracles(side.expected, subject.seed, BATCH, like=whole, returns=True)
    with expected.ahead():
        yield Step(side, tape, expected)


def check(subject: Subject, step: Step | None) -> list[Part]:
    """A step of training and its gradients; of a port that cannot train, those of inference."""
    if step is None:
        subject.stage("differentiating", 0, 0)
        parts = [backward(subject, subject.side(), subject.tape)]
        if subject.training and subject.one_by_one is not None:
            why = "values and gradients in training: it takes its images one by one"
            parts.insert(0, Part(unjudged=[Unjudged("training", why)]))
        return parts
    subject.stage("running a training step", 0, 0)
    there = training(subject, step.side, step.tape, step.expected)
    # Through the batch's statistics and auxiliary heads, as it is going to be trained.
    subject.stage("differentiating", 0, 0)
    return [there, backward(subject, step.side, step.tape, step.expected)]


def untaught(subject: Subject) -> Part:
    """Why a port was not seen in training, if it was not."""
    if not subject.port.trains:
        why = f"training mode ({subject.port.framework} gives this port no training flag)"
        why = getattr(subject.port, "untrained", why)
        return Part(unjudged=[Unjudged("training", why)])
    if isinstance(subject.untraceable, Chance):
        return Part([_by_chance(subject, subject.untraceable)], 1, 1)
    if subject.untraceable:
        why = f"training mode: {subject.untraceable}"
        return Part(planned=1, open=[Unjudged("training", why)])
    return Part()


def _by_chance(subject: Subject, chance: Chance) -> Finding:
    """A program that a random draw decides on, such as stochastic depth as it was published."""
    side, path = subject.side(), chance.where.path
    inside = [
        a for a, b in sorted(side.pairs.items())
        if f"{side.found.nodes[b].where.path}.".startswith(f"{path}." if path else "")
    ]  # fmt: skip
    node = (inside or [side.expected.outputs[0]])[0]
    name = side.names[node]
    return replace(
        side.finding(
            "training", node, "random", expected="nothing drawn",
            found="numbers drawn in every call", hint=str(chance),
            sentence=f"{name}: what is computed in training depends on a random draw",
        ),
        port_node=str(chance.where),
    )  # fmt: skip


def training(subject: Subject, side: Side, tape: Tape, expected: Oracles) -> Part:
    """One training step of two images: batch statistics, auxiliary heads, nothing dropped, and
    the running statistics that the step leaves behind.

    What its gradients read of what the step computes is kept in ``expected``.
    """
    planned = sum(side.found.nodes[b].seen for b in side.pairs.values())
    try:
        ran = _step(subject, side, tape, expected)
    except UntraceableModel as refused:
        why = Unjudged("training", f"a training step: {refused}")
        return Part(planned=planned, open=[why])
    planned += len(ran.statistics)
    if ran.first_divergence:
        return Part(_values(side, ran), planned, planned)
    part = Part(_statistics(side, ran), planned, len(ran.nodes) + len(ran.statistics))
    if ran.problem:
        part.open.append(Unjudged("training", f"a training step: {ran.problem}"))
    return part


def _step(subject: Subject, side: Side, tape: Tape, expected: Oracles) -> Parity:
    """The step with its way back or, of a port that computes otherwise then, without it."""
    ran = partial(
        parity, subject.port, tape, side.found, side.expected, side.pairs, subject.seed,
        training=True, oracles=expected,
    )  # fmt: skip
    try:
        return ran(returns=True)
    except UntraceableModel:
        expected.begin()
        return ran()


def _values(side: Side, ran: Parity) -> list[Finding]:
    """A finding for each node that is wrong by itself."""
    diverged, errors = ran.first_divergence, {each.node: each for each in ran.nodes}
    assert diverged is not None
    return [
        side.finding(
            "training", root.node, "value", expected=errors[root.node].bound,
            found=finite(errors[root.node].error), inherited=root.inherited,
            hint=vanishes(root.causes, OTHERWISE),
        )
        for root in [r for r in ran.roots if not r.slot] or [Root(diverged.node, ())]
    ]  # fmt: skip


def _statistics(side: Side, ran: Parity) -> list[Finding]:
    roots = {(root.node, root.slot): root for root in ran.roots}
    return [
        side.finding(
            "training", each.node, each.slot, expected=each.bound, found=finite(each.error),
            hint=vanishes(roots[each.node, each.slot].causes, "after one step it is another"),
        )
        for each in ran.statistics
        if not each.agrees
    ]  # fmt: skip


def backward(subject: Subject, side: Side, tape: Tape, expected: Oracles | None = None) -> Part:
    """The gradients of every slot and of the image; in training after a step with ``expected``."""
    altered: list[int] = []
    try:
        found = gradients(
            subject.port,
            tape,
            side.found,
            side.expected,
            side.pairs,
            subject.seed,
            expected is not None,
            expected,
            altered.extend,
        )
    except NoGradient as refused:
        places = {side.found.nodes[b].where: a for a, b in sorted(side.pairs.items())}
        known = places.get(refused.where) if refused.where else None
        place = side.expected.outputs[0] if known is None else known
        said = "the port cannot go backward"
        why = side.finding(
            "gradient", place, "backward", expected="goes backward", found="fails",
            hint=str(refused),
            sentence=said if known is None else f"{side.names[place]}: {said}",
        )  # fmt: skip
        return Part([why], 1, 1)
    planned = max(len(found.slots), 1)
    if (diverged := found.first_divergence) is None:
        part = Part(planned=planned, run=len(found.slots))
        if found.problem:
            part.open.append(Unjudged("gradient", f"gradients: {found.problem}"))
        return part
    near = altered or found.suspects(side.expected)
    suspects = [i for i in near if i in side.pairs] or [diverged.node]
    others = [side.names[i] for i in suspects[1:]] if altered else []
    here = " or at ".join(["here", *others])
    first = "image" if diverged.slot == IMAGE else f"{side.names[diverged.node]} {diverged.slot}"
    wrong = side.finding(
        "gradient", suspects[0], "gradient", expected=diverged.bound,
        found=finite(diverged.error),
        hint=f"the gradient is {share(found) or 'altered'} {here}: a detach, a no_grad, a"
        " stop_gradient, a hook, a backward of its own? The first wrong one from the output back"
        f" is that of {first}",
    )  # fmt: skip
    return Part([wrong], planned, planned)


def share(found: Gradients) -> str:
    """What became of the first wrong gradient, if it is the right one times a number.

    Any number but those that a program makes by itself has to be that of another slot as well: two
    gradients do not agree in one by chance.
    """
    first, *others = [each for each in found.slots if not each.agrees]
    for number, word in SHARES.items():
        if abs(first.share - number) <= first.bound:
            return word
    alike = any(abs(each.share - first.share) <= first.bound for each in others)
    return f"scaled by {first.share:.6g}" if alike else ""
