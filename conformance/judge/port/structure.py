"""The structure of a port beside the published network's: what no known variant explains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from conformance import reference
from conformance.graph.align import Finding as Difference
from conformance.graph.model import DRAWN
from conformance.judge.finding import CheckName, Finding, Part, Remark, Unjudged
from conformance.judge.hints import hint, preparing
from conformance.judge.port import unread
from conformance.judge.port.comparison import TRAINED, Comparison
from conformance.judge.port.subject import Subject
from conformance.judge.port.swaps import replaced, swapped
from conformance.judge.port.variants import matches
from conformance.reference import Model
from conformance.trace.rules.layout import zeros
from conformance.values import text

#: What a port does to its image in training only.
AUGMENTED = "an augmentation inside the model? Leave it to what reads the images"


def check(subject: Subject) -> Part:
    """Findings of inference and then those of training that inference does not show as well."""
    inference, training = subject.inference, subject.training
    part = Part()
    part.planned = part.run = len(inference.expected)
    if subject.size != subject.model.input:
        part.remarks.append(Remark("input", "size", subject.model.input, subject.size))
    part.remarks += _spellings(inference)
    seen = subject.explained.seen(inference)
    left = own_causes(inference, [i for i in range(len(inference.findings)) if i not in seen])
    branches = unread.drawn(training) if training else set()
    left = unread.beside(inference, left, branches)
    part.findings = [*_another(subject), *written(inference, left, "structure")]
    if training is not None:
        part.planned += len(training.expected)
        part.run += len(training.expected)
        every = written(inference, range(len(inference.findings)), "structure")
        known = {_key(each) for each in every}
        surplus = own_causes(training, subject.explained.surplus)
        surplus = unread.beside(training, surplus, branches)
        for each in written(training, surplus, "training"):
            if _key(each) not in known and (each.node == "after input" or not _unread(each)):
                part.findings.append(each)
    part.findings += _besides(subject)
    if inference.returned or len(inference.found.outputs) != len(inference.expected.outputs):
        part.findings.append(_other_outputs(inference, subject.model))
    elif training is not None and training.returned:
        heads = _other_outputs(training, subject.model)
        sentence = f"output: {heads.found} outputs in training, expected {heads.expected}"
        hint = "a head that only training has is no part of the network"
        part.findings.append(replace(heads, check="training", sentence=sentence, hint=hint))
    said = list(unread.listed(inference.found))
    part.open += [Unjudged("operation", f"{e}; output values could not confirm it") for e in said]
    if training is not None:
        trained = unread.listed(training.found, inference.found)
        part.open += [Unjudged("operation", each) for each in trained]
    return part


def _another(subject: Subject) -> Iterator[Finding]:
    """One finding for all that makes a port the network that only bears this one's name."""
    if other := subject.another:
        whole = subject.whole
        first = min(whole.anchor(whole.findings[i]) for i in matches(whole, other, False) or ())
        yield Finding(
            check="structure", node=whole.names[first], attribute="network",
            expected=subject.model.name, found=other.name,
            sentence=f"it is {other.name}, another network: {other.says} [{other.source}]",
            source=source(whole.model, whole.rows[first]),
        )  # fmt: skip


def _unread(finding: Finding) -> bool:
    """Whether something stands in addition that is merely not read: it is left open."""
    return finding.attribute == unread.OPERATION and finding.expected is None


def _besides(subject: Subject) -> Iterator[Finding]:
    """Where a variant that holds everywhere else does not, and what is wrong with what it adds."""
    whole = subject.whole
    for profile, found in subject.explained.nearly:
        for each in found:
            said = f"{profile.name} everywhere else, and the paper's value here"
            yield replace(_written(whole, each, _mode(each)), hint=said)
    for each in subject.added:
        kind = whole.node(each).kind.replace("_", " ")
        said = f"of the {kind} that the variant adds"
        yield replace(_written(whole, each, _mode(each)), hint=said)


def _mode(difference: Difference) -> CheckName:
    return "training" if difference.attribute in TRAINED else "structure"


def _spellings(comparison: Comparison) -> Iterator[Remark]:
    """What the port writes in another way that computes the same."""
    for a, b in sorted(comparison.pairs.items()):
        node = comparison.found.nodes[b]
        for attribute, found, expected in node.spelling:
            words = [str(each).replace("_", " ") for each in (found, expected)]
            hint = f"written as {words[0]}, which computes the same as {words[1]}"
            yield Remark(comparison.names[a], attribute, expected, found, str(node.where), hint)


def own_causes(comparison: Comparison, indices: list[int]) -> list[int]:
    """Without what only follows: a norm of the batch's statistics keeps none and has no momentum,
    and a layer that is made in every call stores no bias."""
    of, nodes = comparison.findings, comparison.found.nodes
    idle = {of[i].found_node for i in indices if of[i].attribute == "statistics"}
    made = {of[i].found_node for i in indices if of[i].attribute == "weights"}

    def follows(each: Difference) -> bool:
        if each.attribute in ("momentum", "unbiased", "mean", "variance"):
            return each.found_node in idle
        if each.attribute == "bias":
            return each.found_node in made
        node = nodes[each.found_node] if each.found_node is not None else None
        drawn = each.attribute == "extra" and node is not None and node.kind == DRAWN
        return drawn and node is not None and not made.isdisjoint(node.inputs)

    return [i for i in indices if not follows(of[i])]


def _key(finding: Finding) -> tuple[Any, ...]:
    """What makes two findings, of inference and of training, one.

    What cannot be read may be written otherwise for several images, and what is extra may stand
    behind a dropout.
    """
    if finding.attribute == unread.OPERATION:
        return finding.node, finding.attribute
    extra = finding.attribute == "extra" and finding.port_node
    return extra or finding.node, finding.attribute, str(finding.expected), str(finding.found)


def written(comparison: Comparison, indices: Iterable[int], check: CheckName) -> list[Finding]:
    """Differences of a comparison, by their numbers, in the paper's names and the port's own."""
    differences = swapped(comparison.expected, [comparison.findings[i] for i in indices])
    differences = unread.gathered(comparison, replaced(comparison, differences))
    return [_written(comparison, each, check) for each in differences]


def _written(comparison: Comparison, difference: Difference, check: CheckName) -> Finding:
    labels = comparison.names
    anchor, node = comparison.anchor(difference), comparison.node(difference)
    there = difference.found_node
    if there is None:  # what is missing would stand behind this
        there = comparison.pairs.get(anchor, _nearest(comparison, anchor))
    want, have = difference.expected, difference.found
    if difference.attribute == "inputs":
        want, have = (tuple(labels[i] for i in side) for side in (want, have))
    name = f"after {labels[anchor]}" if difference.expected_node is None else labels[anchor]
    attribute = difference.attribute
    said, why = unread.worded(comparison, difference, name)
    depth = node.attributes.get("drops") == "images"  # a dropout of all of an image: stochastic
    if attribute == "random" or (attribute == "extra" and (node.kind == DRAWN or depth)):
        attribute, want, have = "random", "nothing drawn", "numbers drawn in every call"
        when = "in training, where the network has none" if check == "training" else "in inference"
        said = f"{name}: numbers are drawn at random {when}, and the result depends on them"
        if depth or node.attributes.get("by") in ("mul", "div"):
            said = f"{name}: a branch times a random draw {when}"
    elif attribute == "extra" and zeros(node):
        said = f"{name}: what is computed there is multiplied by zero"
    elif attribute == "weights" and not said:
        want = "parameters"
        said = f"{name}: its weights are {have}, expected parameters"
    elif attribute in ("extra", unread.OPERATION) and anchor in comparison.expected.inputs:
        why = why or (AUGMENTED if check == "training" else preparing(node))
    return Finding(
        check=check,
        node=name,
        attribute=attribute,
        expected=want,
        found=have,
        kind=want if attribute == "missing" and isinstance(want, str) else node.kind,
        port_node=str(comparison.found.nodes[there].where) if there is not None else "",
        hint=why or hint(node.kind, attribute, text(want), text(have)),
        sentence=said,
        source=source(comparison.model, comparison.rows[anchor]),
    )


def _nearest(comparison: Comparison, index: int) -> int | None:
    """The port's node for the nearest expected one upstream that has one."""
    while index not in comparison.pairs:
        inputs = comparison.expected.nodes[index].inputs
        if not inputs:
            return None
        index = inputs[0]
    return comparison.pairs[index]


def _other_outputs(comparison: Comparison, model: Model) -> Finding:
    """A port that returns another number of tensors than the network."""
    want = len(comparison.expected.outputs)
    have = comparison.returned[0] if comparison.returned else len(comparison.found.outputs)
    return Finding(
        "shape", "output", "outputs", want, have, kind="output",
        hint=hint("output", "outputs", "", ""), source=source(model, model.rows[-1].name),
    )  # fmt: skip


def source(model: Model, row: str) -> str:
    """Where the paper says what a row of its table is: the document, its row, our file's line."""
    sources = reference.family(model.family).sources
    paper = sources.get("paper") or next(iter(sources.values()), "")
    paper = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", paper.replace("*", "")).rstrip(".")
    places = {each.name: each.place for each in model.rows}
    return ", ".join(filter(None, (paper, row, places.get(row, ""))))
