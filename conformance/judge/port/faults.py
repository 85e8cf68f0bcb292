"""What is wrong with a port besides what its layers are: its batch, its objects, its registration.

A network's graph has no batch and no objects.  Here a port is asked whether images stay apart and
keep their axis, whether its layers are as many objects as they are layers, and whether PyTorch,
Keras or Flax knows of their parameters at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from conformance.graph.model import Where
from conformance.graph.reach import reached
from conformance.graph.sharing import shared
from conformance.judge.finding import VOID, Finding, Part, Remark
from conformance.judge.port.subject import Subject
from conformance.judge.port.unread import OPERATION
from conformance.trace import batch
from conformance.trace.tape import Fault

#: Slots that no network trains: the statistics of norms, the codes of a radial basis function.
FIXED = ("mean", "variance", "centres")


def check(subject: Subject) -> Part:
    """Everything that was seen on the way to the graph, and is not in it."""
    seen = [*subject.tape.faults]
    taught: list[Fault] = []
    if not any(fault.attribute == "batch" for fault in seen):
        seen += batch.faults(subject.port, subject.size, subject.tape)
        taught = [] if len(seen) > len(subject.tape.faults) else _taught(subject)
    findings = [_finding(subject, fault) for fault in seen]
    findings += [_finding(subject, fault, training=True) for fault in taught]
    return Part([*findings, *_shared(subject)], remarks=[*_noted(subject), *_frozen(subject)])


def _taught(subject: Subject) -> list[Fault]:
    """Where images do not stay apart in training, and no norm means them to."""
    if subject.taught is None or subject.training is None:
        return []
    graph, tape = subject.training.found, subject.taught
    if subject.one_by_one is not None:
        return [_by_itself(where) for where in subject.one_by_one[:1]]
    held: set[int] = set()
    known = {node.value for node in graph if node.known}  # also where it is computed once more
    for node in graph.unknown:
        until = known | {graph.nodes[i].value for i in node.inputs}
        held |= reached([node.value], lambda value: tape[value].inputs, until)
    return batch.taught(subject.port, subject.size, subject.tape, tape, held)


def _by_itself(where: Where) -> Fault:
    """What a batch norm makes of images that it is given one by one."""
    return Fault(
        "statistics", "of the batch", "of each image", "the images are taken one by one in"
        " training: give the network the whole batch, which a batch norm needs", where,
        said="it normalises each image by itself, and not the batch",
    )  # fmt: skip


def apart(structure: Part, seen: Part) -> list[Part]:
    """Both parts, less what one says of the other: a norm of the batch's statistics lets images
    meet, and where images meet the structure may not be readable."""
    norms = {f.node for f in structure.findings if f.attribute == "statistics"}
    seen = replace(seen, findings=[f for f in seen.findings if f.node not in norms or not _meet(f)])
    if met := {f.check for f in seen.findings if _meet(f)}:
        along = [  # that a layer works along the images, or reads but some, is said already
            f for f in structure.findings
            if (f.attribute, f.found) != ("axis", "batch")
            and not (f.check == "training" in met and f.attribute in VOID)
        ]  # fmt: skip
        structure = replace(structure, findings=along)
        unread = any(f.attribute == OPERATION for f in structure.findings) or structure.open
        if unread:
            done = structure.planned, structure.run
            structure = Part(planned=done[0], run=done[1], remarks=structure.remarks)
    return [structure, seen]


def _meet(finding: Finding) -> bool:
    return finding.attribute == "batch"


def _finding(subject: Subject, fault: Fault, training: bool = False) -> Finding:
    node = _row(subject, fault, training)
    fails = isinstance(fault.found, str) and fault.found.startswith("fails: ")
    said = f"it {fault.found}; expected that it {fault.expected}" if fails else fault.said
    return Finding(
        check="training" if training else "structure",
        node=node,
        sentence=f"{node}: {said}" if said else "",
        attribute=fault.attribute,
        expected=fault.expected,
        found=fault.found,
        port_node=str(fault.where),
        hint=fault.hint,
    )


def _row(subject: Subject, fault: Fault, training: bool) -> str:
    """The network's own name for the place: of the first node that comes of it, or stands there."""
    side, tape = subject.side(training), subject.taught if training else subject.tape
    nodes = side.found.nodes
    if fault.value is not None and tape is not None:
        after = sorted((nodes[j].value, i) for i, j in side.pairs.items())
        comes = (i for value, i in after if fault.value in tape.behind((value,)))
        return side.names[next(comes, side.expected.outputs[0])]
    for expected, found in sorted(side.pairs.items()):
        here = nodes[found].where
        inside = fault.where.path and f"{here.path}.".startswith(
            (f"{fault.where.path}.", f"{fault.where.path}[")
        )
        if here == fault.where or inside:
            return side.names[expected]
    return side.names[side.expected.outputs[0]]


def _shared(subject: Subject) -> Iterator[Finding]:
    """One finding for each block that is another one once more."""
    side = subject.side()
    names = {found: side.names[expected] for expected, found in side.pairs.items()}
    nodes = side.found.nodes
    every = [e for e in shared(side.found) if nodes[e.node].known or nodes[e.earlier].known]
    again = [e for e in every if e.node not in names and e.earlier in names]
    if len(again) > 1:  # all that is called once more than in the network
        first, last = (names[each.earlier] for each in (again[0], again[-1]))
        place = str(nodes[again[0].node].where)
        yield Finding(
            "structure", first, "parameters", "used once", f"used again up to {last}",
            nodes[again[0].node].kind, place,
            sentence=f"{first} to {last}: {len(again)} layers are called again, on something else",
            hint="the network calls each once; leave the average of several views to what calls it",
        )  # fmt: skip
        every = [each for each in every if each not in again]
    labelled = [
        (names.get(each.node, str(nodes[each.node].where)),
         names.get(each.earlier, str(nodes[each.earlier].where)), each)
        for each in every
    ]  # fmt: skip
    for (here, there), group in groupby(labelled, lambda item: (_block(item[0]), _block(item[1]))):
        members = list(group)
        count = sum(len(each.slots) for _, _, each in members)
        if here == there:  # two layers of one block
            here, there = members[0][:2]
        yield Finding(
            check="structure",
            node=members[0][0],
            attribute="parameters",
            expected="its own",
            found=f"those of {members[0][1]}",
            kind=nodes[members[0][2].node].kind,
            port_node=str(nodes[members[0][2].node].where),
            sentence=f"{here} shares the parameters of {there}: {count} stored arrays are the same"
            " object in both places",
            hint="the same module in several places, as in n * [block]: make a new one for each",
        )


def _block(name: str) -> str:
    """The block that a node is in: its name without its own number and kind."""
    return name.split(" ")[0].rpartition("/")[0] or name.split(" ")[0]


def _noted(subject: Subject) -> Iterator[Remark]:
    for each in subject.tape.noted:
        place = str(each.where)
        yield Remark("", each.attribute, each.expected, each.found, place, each.hint)


def _frozen(subject: Subject) -> Iterator[Remark]:
    """Parameters that the port does not train, a remark for each node that has some."""
    side = subject.side()
    for expected, found in sorted(side.pairs.items()):
        node = side.found.nodes[found]
        slots = [
            slot
            for slot, pieces in node.parameters.items()
            if node.known
            and slot not in FIXED
            and any(piece.handle in subject.tape.frozen for piece in pieces)
        ]
        if slots:
            yield Remark(
                side.names[expected], "trained", True, False, str(node.where),
                f"the port does not train its {' and '.join(slots)}",
            )  # fmt: skip
