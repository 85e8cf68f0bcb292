"""``results.json``, a class for each JSON object in it.

What may differ between two machines that agree stands in fields named ``measured`` and
``environment``.  Networks, claims and checks name a run by its name; errors are largest
differences over the root mean square of a node's values, null where they are no finite number.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from conformance.data import Count, Row
from conformance.judge.results import Checks, ExactRun

#: A claim has the worst status, the first here, of what its runs and formula say.
Status = Literal[
    "deviates", "contradicted", "ambiguous", "unmeasured", "rounded", "confirmed", "cited"
]
#: The worst first.
Verdict = Literal["deviates", "inconclusive", "not run", "conforms"]

#: A count, a fraction written ``121/196``, a size, or the names of layers.
Found = int | str | tuple[Any, ...]
Number = float | None


class Environment(Row, frozen=True):
    """Versions of packages, and a digest of the sources that the run depends on."""

    versions: dict[str, str]
    code: str


class RunRow(Row, frozen=True):
    """One framework on one device."""

    name: str
    framework: str
    device: str
    seed: int
    environment: Environment


class NotRun(Row, frozen=True):
    """Claims that were not measured, by their ids, and why."""

    reason: str
    claims: tuple[str, ...]


class RunChecks(Row, frozen=True):
    """What a run meant to check and what it checked."""

    claims: Checks
    nodes: Checks
    not_run: tuple[NotRun, ...]


class ErrorAndBound(Row, frozen=True):
    """How far a value is off, and how far it may be."""

    error: Number
    bound: Number


class Separation(Row, frozen=True):
    """How many times its bound a node was off that is wrong on purpose; the least of several."""

    separation: Number


class Mutant(Row, frozen=True):
    """A wrong model: ``who`` makes the mistake, ``mode`` shows it, ``layer`` and ``attribute`` are
    where and as what it has to be found, and ``said`` is what the suite said of it.
    """

    name: str
    architecture: str
    mode: str
    layer: str
    attribute: str
    who: str
    said: str
    killed: bool
    at_layer: bool
    by_word: bool
    measured: ErrorAndBound


class Selftest(Row, frozen=True):
    """What became of each wrong model; ``planned`` counts those that a check looks at,
    ``checked`` right graphs that were traced twice.
    """

    planned: Count
    mutants: tuple[Mutant, ...]
    unjudged: tuple[str, ...]
    false_alarms: Count
    checked: Count
    measured: Separation


class VerdictRow(Row, frozen=True):
    """A verdict on a network in a run, and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


class Totals(Row, frozen=True):
    """A network's parameters, its work for one image, and its layers."""

    trainable: Count
    with_running_statistics: Count
    multiply_adds: Count
    connections: Count
    weight_layers: Count
    nodes: Count


class Place(Row, frozen=True, kw_only=True):
    """A node by its number: the paper's row, empty for none, and the port's own address.

    Running statistics and gradients are those of a ``slot``.
    """

    node: Count
    row: str
    kind: str
    where: str
    slot: str | UnsetType = UNSET


class Beyond(ErrorAndBound, frozen=True):
    """An error beyond its bound, and the largest error before it."""

    before: Number


class Divergence(Place, frozen=True, kw_only=True):
    """The first node whose error exceeds its bound."""

    measured: Beyond


class Closest(Place, frozen=True, kw_only=True):
    """The node that came nearest to its bound."""

    error: Number
    bound: Number


class Caught(Separation, frozen=True):
    """In a lower precision than float64 it may be a matter of the machine what is caught."""

    caught: bool | UnsetType = UNSET


class ControlRow(Row, frozen=True, kw_only=True):
    """A node that is computed wrongly on purpose, and whether it was caught."""

    row: str
    kind: str
    alteration: str
    caught: bool | UnsetType = UNSET
    measured: Caught


class Errors(Row, frozen=True):
    """How near a check came to its bounds, and the control arms to being missed."""

    error: Number
    closest: Closest | None
    separation: Number


class ParityRow(Row, frozen=True):
    """Values beside the oracle's."""

    planned: Count
    compared: Count
    agrees: bool
    problem: str
    first_divergence: Divergence | None
    controls: tuple[ControlRow, ...]
    measured: Errors


class Difference(Row, frozen=True):
    """What differs between two runs, with the node in each."""

    mode: str
    attribute: str
    first: Any
    second: Any
    first_node: Place | None
    second_node: Place | None


class Largest(Row, frozen=True):
    """The largest difference of two recorded values over the stricter bound."""

    largest: Number
    node: Place | None


class AgreementRow(Row, frozen=True):
    """Two runs of one network, aligned and compared.

    ``whole`` counts nodes of which every number was compared; ``alone`` is what only one of two
    runs of different kinds recorded; ``conventions`` are attributes in which the frameworks, not
    the networks, differ in training.
    """

    first: str
    second: str
    agrees: bool
    complete: bool
    planned: Count
    compared: Count
    whole: Count
    problem: str
    alone: tuple[str, ...]
    findings: tuple[Difference, ...]
    conventions: tuple[str, ...]
    first_divergence: Place | None
    measured: Largest


class NetworkRow(Row, frozen=True, kw_only=True):
    """One network: all by run.

    ``executions`` are inference in other precisions or compiled, by what it was; ``exact`` is
    missing where nothing ran on whole numbers.
    """

    model: str
    family: str
    verdicts: dict[str, VerdictRow]
    totals: dict[str, Totals]
    parity: dict[str, ParityRow]
    training: dict[str, ParityRow]
    gradients: dict[str, ParityRow]
    training_gradients: dict[str, ParityRow]
    executions: dict[str, dict[str, ParityRow]]
    exact: dict[str, tuple[ExactRun, ...]] | UnsetType = UNSET
    agreement: tuple[AgreementRow, ...]


class Arithmetic(Row, frozen=True):
    """What a claim's formula comes to."""

    expression: str
    value: Found
    status: Status


class Measured(Row, frozen=True):
    """What a run found, or the reason why it could not be measured."""

    found: Found | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class ClaimRow(Row, frozen=True):
    """A printed number beside what each run found."""

    id: str
    family: str
    model: str
    layer: str
    subject: str
    quantity: str
    printed: str
    convention: str
    document: str
    section: str
    line: str
    counted: str
    why: str
    alternative: str
    status: Status
    arithmetic: Arithmetic | None
    runs: dict[str, Measured]


class Results(Row, frozen=True):
    """All that runs and arithmetic say of the reference: what `report --json` writes."""

    schema: Literal[1]
    runs: tuple[RunRow, ...]
    counts: dict[Status, Count]
    checks: dict[str, RunChecks]
    selftest: dict[str, Selftest]
    networks: tuple[NetworkRow, ...]
    claims: tuple[ClaimRow, ...]
