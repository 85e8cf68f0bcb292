"""The wrong models judged: is each caught, at the right layer, by the right word?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import Any

from conformance.judge.finding import SAME
from conformance.numbers.parity import NodeParity
from conformance.ports import implementations as frameworks
from conformance.trace.port import UntraceableModel
from tests.selftest import mutants
from tests.selftest.case import Case, Correct, Named, compared, judged
from tests.selftest.rows import Wrong

#: What looks at a mode's mutants.  A mode that is not here has no check yet.
CHECKS: dict[str, Callable[[Case], Named]] = {
    "structure": Case.named,
    "training": Case.named,
    "initialisation": Case.started,
    "gradient": Case.differentiated,
    "step": Case.differentiated,
    "gate": Case.gated,
    "remarks": Case.remarked,
    "compare": Case.compared,
}


#: The modes whose mutants are held against the graph of the right network.
GRAPHS = ("structure", "training", "gradient", "step")


def controls(framework: str) -> dict[str, Wrong]:
    """The right forms of what is refused, and the networks as they stand, each once."""
    found: dict[str, Wrong] = {}
    for mutant in mutants(framework).values():
        if mutant.mode in ("gate", "remarks", "compare"):
            found.setdefault(f"{mutant.architecture}, {mutant.form or 'as it stands'}", mutant)
    return found


def refused(framework: str, mutant: Wrong) -> list[str]:
    """What is found in a right form, or in the network as it stands: nothing may be."""
    correct, tracer = Correct(framework, mutant.architecture), frameworks.tracer(framework)
    if mutant.mode == "compare":
        pairs = import_module(f"tests.selftest.{framework}.pairs")
        verdict = compared(framework, tracer.port(mutant.right or pairs.network)).verdict
        return [] if verdict == SAME else [verdict]
    right = tracer.port(mutant.right) if mutant.right else None
    found = judged(right or frameworks.port(framework, correct.model), correct).findings
    return [f"{each.node}: {each.attribute}" for each in found]


def judged_graphs(framework: str, numbers: bool = False) -> list[tuple[str, str]]:
    """The right graphs that a framework's mutants are held against: networks and modes.

    With ``numbers`` those only whose mutants are run as well.
    """
    found = (
        (m.architecture, "training" if m.mode in ("training", "step") else "inference")
        for m in mutants(framework).values()
        if m.mode in GRAPHS and (m.numbers or not numbers)
    )
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one mutant; ``parity`` where numbers were run and the results part."""

    mutant: Wrong
    named: Named
    problem: str = ""
    parity: NodeParity | None = None

    @property
    def killed(self) -> bool:
        return bool(self.named.attributes) or self.parity is not None

    @property
    def at_layer(self) -> bool:
        return self.named.layer == self.mutant.layer

    @property
    def by_word(self) -> bool:
        """Whether the attribute is named; of the gate, whose finding has one cause, it alone."""
        found, wanted = self.named.attributes, self.mutant.attribute
        alone = self.mutant.mode != "gate" or found == (wanted,)
        return self.at_layer and wanted in found and alone

    def __str__(self) -> str:
        said = self.problem or str(self.named)
        m = self.mutant
        return f"{m.name} in {m.architecture}: {m.layer}: {m.attribute}, said is {said}"

    def as_json(self) -> dict[str, Any]:
        """A flat record; an error without end (results of other sizes) is null beside a bound."""
        error = self.parity.error if self.parity else None
        return {
            "name": self.mutant.name,
            "architecture": self.mutant.architecture,
            "mode": self.mutant.mode,
            "layer": self.mutant.layer,
            "attribute": self.mutant.attribute,
            "who": self.mutant.who,
            "said": self.problem or str(self.named),
            "killed": self.killed,
            "at_layer": self.at_layer,
            "by_word": self.by_word,
            "error": error if error is not None and isfinite(error) else None,
            "bound": self.parity.bound if self.parity else None,
        }


def judge(case: Case, numbers: bool) -> Judged:
    """Judge one mutant, with ``numbers`` in float64 as well where they are to see it."""
    mutant = case.mutant
    try:
        named = CHECKS[mutant.mode](case)
        parted = case.parted() if numbers and mutant.numbers else None
    except UntraceableModel as untraceable:
        return Judged(mutant, Named("", ()), str(untraceable))
    return Judged(mutant, named, parity=parted[1] if parted else None)


@dataclass(frozen=True, slots=True)
class Tally:
    """One framework's corpus.

    ``unjudged`` are the mutants that no check looks at, with their modes; ``alarms`` the number of
    findings between each right graph and the same traced anew, and of the gate on right forms.
    """

    framework: str
    mutants: tuple[Judged, ...]
    unjudged: dict[str, str]
    alarms: dict[str, int]
    numbers: bool

    @property
    def missed(self) -> list[Judged]:
        return [m for m in self.mutants if not m.by_word]

    @property
    def unseen(self) -> list[Judged]:
        """Mutants that a float64 forward was to see and did not."""
        return [m for m in self.mutants if self.numbers and m.mutant.numbers and m.parity is None]

    @property
    def separation(self) -> float | None:
        """The smallest error of a wrong model over its bound."""
        found = [m.parity.error / m.parity.bound for m in self.mutants if m.parity]
        return min(found, default=None)

    @property
    def holds(self) -> bool:
        return not (self.missed or self.unseen or any(self.alarms.values()))

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "framework": self.framework,
            "planned": sum(m.mode in CHECKS for m in mutants(self.framework).values()),
            "mutants": [m.as_json() for m in self.mutants],
            "unjudged": list(self.unjudged),
            "false_alarms": sum(self.alarms.values()),
            "checked": len(self.alarms),
            "separation": self.separation,
        }


def tally(
    framework: str, numbers: bool, progress: Callable[[int, int], None] = lambda done, total: None
) -> Tally:
    """Judge every mutant of a framework that is installed, and every right graph beside."""
    planted = mutants(framework)
    corpus = [m for m in planted.values() if m.mode in CHECKS]
    rights, forms = judged_graphs(framework), controls(framework)
    networks = {m.architecture: Correct(framework, m.architecture) for m in corpus}
    total = len(corpus) + len(rights) + len(forms)
    judged, alarms = [], {}
    for mutant in corpus:
        judged.append(judge(Case(mutant, networks[mutant.architecture]), numbers))
        progress(len(judged), total)
    for name, mode in rights:
        alarms[f"{name}, {mode}"] = len(networks[name].alarms(mode == "training"))
        progress(len(judged) + len(alarms), total)
    for name, mutant in forms.items():
        alarms[name] = len(refused(framework, mutant))
        progress(len(judged) + len(alarms), total)
    unjudged = {name: m.mode for name, m in planted.items() if m.mode not in CHECKS}
    return Tally(framework, tuple(judged), unjudged, alarms, numbers)
