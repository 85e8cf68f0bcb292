"""What a record says of a network: every claim judged, every node compared, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conformance import reference
from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.judge import results
from conformance.judge.claims import CannotMeasure, Verdict, judge, measure, shown
from conformance.judge.finding import CheckName, Finding, Judgement, Part, Unjudged, finite
from conformance.judge.hints import vanishes
from conformance.judge.record import exactness, recorded
from conformance.judge.record.evidence import Record
from conformance.judge.record.modes import Compared, compared
from conformance.judge.record.repeat import Repeat
from conformance.numbers.deviation import NodeParity, SlotParity
from conformance.numbers.precision import PRECISIONS
from conformance.reference import Claim, Model
from conformance.trace.port import Execution

#: How much of a mode was compared, in words.
THINGS = {
    "inference": "{} nodes",
    "training": "training {} results",
    "gradients": "{} gradients",
    "training gradients": "training {} gradients",
}

#: The word for a finding's check, by the mode of the numbers.
NUMERIC: dict[str, CheckName] = {
    "inference": "forward",
    "training": "training",
    "gradients": "gradient",
    "training gradients": "gradient",
}

#: The first result that differs, by the mode of the numbers.
FIRST = {
    "inference": "the first value that differs",
    "training": "the first value that differs in training",
    "gradients": "the first gradient that differs, from the output back,",
    "training gradients": "the first gradient of training that differs, from the output back,",
}

#: The word for a finding's check, by the claim's quantity; others are about structure.
CHECKS: dict[str, CheckName] = {
    "input": "shape",
    "output": "shape",
    "maps": "shape",
    "neurons": "shape",
    "parameters": "parameters",
}


@dataclass(slots=True)
class Checked:
    """One network in one framework: its judgement, and how much was checked in what."""

    framework: str
    model: Model
    judgement: Judgement = field(default_factory=Judgement)
    claims: Counter[str] = field(default_factory=Counter)
    totals: results.Totals | None = None
    numbers: dict[str, results.Ran] = field(default_factory=dict)
    repeat: results.Repeated | None = None
    exact: list[results.ExactRun] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return self.judgement.verdict

    @property
    def findings(self) -> list[Finding]:
        return self.judgement.findings

    @property
    def open(self) -> list[str]:
        """A sentence for everything that was not settled."""
        return [each.why for each in self.judgement.open]

    def row(self) -> results.Network:
        """A row of the result of ``conformance check``."""
        return results.Network(
            framework=self.framework,
            architecture=self.model.name,
            **results.common(self.judgement),
            claims=dict(sorted(self.claims.items())),
            totals=self.totals,
            parity=self.numbers.get("inference"),
            training=self.numbers.get("training"),
            gradients=self.numbers.get("gradients"),
            training_gradients=self.numbers.get("training gradients"),
            executions={mode: each for mode, each in self.numbers.items() if mode not in THINGS},
            exact=tuple(self.exact),
            repeat=self.repeat,
        )


def summary(found: Checked) -> str:
    """How much of a network was checked, and how near it came to its bound."""
    if not found.judgement.run:
        return "not run"
    said = [f"{found.claims.total()} claims"]
    for mode, each in found.numbers.items():
        things = THINGS.get(mode, f"{mode}: {{}}").format(each.compared)
        if each.bound and each.error is not None and each.first_divergence is None:
            said.append(f"{things} to {each.error:.0e} (bound {each.bound:.0e})")
            if mode in PRECISIONS and PRECISIONS[mode].unused(each.error, each.bound):
                said[-1] += ", computed in a finer precision"
        else:
            said.append(f"{things} compared")
    return ", ".join([*said, *map(exactness.summary, found.exact)])


def not_run(framework: str, model: Model, reason: str) -> Checked:
    """A network of which nothing could be found out."""
    part = Part(planned=len(_claims(model)), open=[Unjudged("structure", reason)])
    return Checked(framework, model, Judgement.of([part]))


def outcome(
    framework: str,
    model: Model,
    record: Record,
    numbers: bool,
    beside: Mapping[str, Record] | None = None,
    thorough: bool = False,
    repeat: Repeat | None = None,
    executions: Sequence[Execution] = (),
) -> Checked:
    """Judge a network by its record.

    ``numbers`` says whether it had to be run as well, ``thorough`` whether in training and
    backwards too, ``executions`` in which other ways, and ``repeat`` how that went with other
    seeds.  ``beside`` has the networks with which its claims compare it, :func:`compared_with`.
    """
    found = Checked(framework, model)
    graph, training = record.graph, record.training
    structure = recorded.structure(record, model, framework)
    parts = [_claimed(found, record, beside), structure, _unread(graph)]
    found.totals = results.Totals(**graph.totals)
    modes: list[tuple[str, Graph | None]] = [("inference", graph)] if numbers else []
    if thorough and numbers:
        modes += [("training", training), ("gradients", graph), ("training gradients", training)]
    modes += [(str(how), graph) for how in executions if numbers]
    known = compared(record)
    parts += [_ran(found, mode, each, known.get(mode)) for mode, each in modes]
    rows, subject = row_of(graph, model.row_names), f"{model.name} {{row}}"
    for run in record.exact if numbers else ():
        parts.append(exactness.part(graph, rows, f"{subject} in {framework}", run))
        found.exact.append(exactness.row(graph, run))
    if repeat:
        parts.append(_repeated(found, repeat))
    found.judgement = Judgement.of(parts)
    return found


def compared_with(model: Model) -> list[Model]:
    """The other networks that claims on this one count too."""
    names = {name for claim in _claims(model) for _, name in claim.compared} - {model.name}
    return [reference.models()[name] for name in sorted(names)]


def _claims(model: Model) -> list[Claim]:
    """The claims that a live model decides."""
    every = reference.family(model.family).claims
    return [each for each in every if each.model == model.name and each.quantity != "cited"]


def _claimed(found: Checked, record: Record, beside: Mapping[str, Record] | None) -> Part:
    """Every claim that the record decides."""
    part, rows = Part(), found.model.row_names
    for claim in _claims(found.model):
        try:
            verdict = judge(claim, found.framework, measure(claim, record, rows, beside))
        except CannotMeasure as unmeasured:
            if not claim.expression:  # with one, arithmetic decides: the suite's data tests ask it
                part.planned += 1
                part.open.append(_open(claim, f"not measured: {claim}: {unmeasured}"))
            continue
        part.planned += 1
        part.run += 1
        found.claims[verdict.status] += 1
        if not verdict.conforms:
            part.findings.append(_finding(verdict))
    return part


def _open(claim: Claim, why: str) -> Unjudged:
    return Unjudged(CHECKS.get(claim.quantity, "structure"), why)


def _finding(verdict: Verdict) -> Finding:
    claim = verdict.claim
    stands = [claim.document, claim.section, f"line {claim.line}" if claim.line else ""]
    return Finding(
        check=CHECKS.get(claim.quantity, "structure"),
        node=claim.layer,
        attribute=claim.quantity,
        expected=claim.decided,
        found=shown(verdict.found),
        sentence=str(verdict),
        source=", ".join(filter(None, stands)),
    )


def _unread(graph: Graph) -> Part:
    sentences = [f"unsupported operation {node.kind} at {node.where}" for node in graph.unknown]
    return Part(open=[Unjudged("operation", each) for each in sentences])


def _ran(found: Checked, mode: str, graph: Graph | None, values: Compared | None) -> Part:
    """What a run says: every result, and control arms that must fail."""
    said = "" if mode == "inference" else f"{mode}: "
    if values is None:
        planned = sum(node.kind != "input" for node in graph or ()) + 1
        why = f"{said}it was not run on numbers"
        return Part(planned=planned, open=[Unjudged(NUMERIC.get(mode, "forward"), why)])
    controls, closest, diverged = values.controls, values.closest, values.first_divergence
    found.numbers[mode] = results.Ran(
        compared=len(values.results),
        error=finite(closest.error if closest else 0.0),
        bound=finite(closest.bound if closest else 0.0),
        first_divergence=diverged.node if diverged else None,
        controls=len(controls),
        caught=sum(each.caught for each in controls),
    )
    part = _values(found, values)
    part.planned = values.planned + max(1, len(controls))
    part.run = len(values.results) + len(controls)
    return part


def _repeated(found: Checked, repeat: Repeat) -> Part:
    """What other seeds say; what one has said already is not said again."""
    found.repeat, part = repeat.row(), Part()
    known = set()
    for each in repeat.repetitions:
        first = each.seed == repeat.seeds[0]
        if not first:
            part.planned += each.planned
            part.run += each.run
        if each.compared:
            diverged = each.compared.first_divergence
            said = each.mode, diverged and diverged.node, *each.compared.doubts()
            if said not in known and not first:
                anew = _values(found, each.compared, f"with --seed {each.seed}: ")
                part.findings += anew.findings
                part.open += anew.open
            known.add(said)
    return part


def _values(found: Checked, values: Compared, seed: str = "") -> Part:
    """The result that differs first is a finding, and whatever is missing stays open."""
    mode = values.mode
    check = NUMERIC.get(mode, "forward")
    said = seed if mode == "inference" else f"{seed}{mode}: "
    part = Part(open=[Unjudged(check, f"{said}{doubt}") for doubt in values.doubts()])
    if diverged := values.first_divergence:
        part.findings.append(_diverged(found, values, diverged, check, seed))
    return part


def _diverged(
    found: Checked, values: Compared, diverged: NodeParity | SlotParity, check: CheckName, seed: str
) -> Finding:
    node = values.graph.nodes[diverged.node]
    row = row_of(values.graph, found.model.row_names)[diverged.node]
    slot = diverged.slot if isinstance(diverged, SlotParity) else ""
    what = f"{slot} of {node.kind} {node.where}" if slot else f"{node.kind} {node.where}"
    subject = FIRST.get(values.mode, f"the first value that differs in {values.mode}")
    root = next((r for r in values.roots if (r.node, r.slot) == (diverged.node, slot)), None)
    why = f"; {vanishes(root.causes, '')}" if root and root.causes else ""
    return Finding(
        check=check,
        node=row,
        attribute=slot or "value",
        expected=f"at most {diverged.bound:.0e}",
        found=f"{diverged.error:.0e}",
        kind=node.kind,
        port_node=str(node.where),
        sentence=f"{seed}{found.model.name} {row} in {found.framework}: {subject} is"
        f" that of {what}: by {diverged.error:.0e}, bound {diverged.bound:.0e},"
        f" everything before it by {values.before:.0e}{why}",
    )
