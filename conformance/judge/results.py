"""What commands write as JSON, a class for each object in it; ``--schema`` shows them.

Others call these fields: one may be added, none renamed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from conformance.data import Count, Row, Size, Some, read, written
from conformance.judge.finding import Finding, Judgement, Remark, Unjudged, Verdict
from conformance.numbers.precision import Device
from conformance.printable import names

OneOrMore = Annotated[int, Meta(ge=1)]


class Checks(Row, frozen=True):
    """How many checks were planned (nodes, values, claims, control arms) and how many ran."""

    planned: Count
    run: Count

    @property
    def complete(self) -> bool:
        return 0 < self.planned == self.run


class Totals(Row, frozen=True):
    """``parameters`` that are trained; ``multiply_adds`` of kernels, for one image; ``layers``
    with weights, on the longest path.
    """

    parameters: Count
    multiply_adds: Count
    layers: Count


class Baseline(Row, frozen=True):
    """With ``--baseline``: how many findings it knew, and those of it that no longer occur."""

    known: Count
    gone: tuple[str, ...]


class Variant(Row, frozen=True):
    """A known variant, or the known network that a port is instead."""

    name: str
    says: str
    source: str
    found_in: str


class Nearly(Variant, frozen=True):
    """A known variant that holds but in these rows of the paper's table, which are findings."""

    but_not_in: tuple[str, ...]


class Forward(Row, frozen=True):
    """The float64 run: errors over the root mean square of the node's values.

    ``error`` is that of the first divergence or else the nearest to its bound, null for no number;
    ``first_divergence`` a node, in the paper's name; ``before`` the largest error before it;
    ``causes`` what makes the error vanish, each by itself, the simplest first.
    """

    compared: Count
    error: Size | None
    bound: Size
    first_divergence: str | None
    port_node: str | UnsetType = UNSET
    before: float | UnsetType = UNSET
    causes: tuple[str, ...] | UnsetType = UNSET


class Gate(Row, frozen=True, kw_only=True):
    """What `conformance gate --json` writes.

    ``port`` is as it was given, and ``framework`` whose tracer read it.  ``findings`` are what no
    known variant explains, in the network's order; ``expected`` those that the port's own tests
    expect, by what they say, which do not count.  ``remarks`` change no result.  ``open`` was not
    settled: none may be there for a pass; ``unjudged`` is what a port of this kind cannot show.
    ``variant`` names the known variants that explain differences, joined by ' + '; ``another`` is
    the network that the port is instead.  ``numbers`` says whether the port had to be run as well.
    """

    schema: Literal[1]
    port: str
    framework: str
    architecture: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    open: tuple[Unjudged, ...]
    unjudged: tuple[Unjudged, ...]
    checks: Checks
    variant: str | None
    variants: tuple[Variant, ...]
    another: Variant | None
    nearly: tuple[Nearly, ...]
    expected: dict[str, tuple[Finding, ...]]
    totals: Totals
    numbers: bool
    forward: Forward | None
    baseline: Baseline | UnsetType = UNSET


class Candidate(Row, frozen=True):
    """A network that a port may be; the fields are those of `gate`."""

    differences: Count
    architecture: str
    verdict: Verdict
    variant: str | None
    variants: tuple[Variant, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    open: tuple[Unjudged, ...]
    another: Variant | UnsetType = UNSET


class LeftOut(Row, frozen=True):
    """Networks that could not be compared, and why."""

    architectures: tuple[str, ...]
    why: str


class Identify(Row, frozen=True):
    """What `conformance identify --json` writes: candidates, the nearest first, which decides."""

    schema: Literal[1]
    port: str
    framework: str
    verdict: Verdict
    candidates: Annotated[tuple[Candidate, ...], Meta(min_length=1)]
    left_out: tuple[LeftOut, ...]


class Port(Row, frozen=True):
    """``numbers`` are those that it stores, running statistics included."""

    port: str
    framework: str
    nodes: int
    numbers: int


class Activation(Row, frozen=True):
    """A pair of results: ``error`` is the largest difference over the root mean square of A's,
    null if not finite; ``bound`` is null where none could be derived; ``moved`` are the channels
    that stand elsewhere in B.
    """

    node: str
    port_node: str
    kind: str
    error: float | None
    bound: float | None
    agrees: bool
    moved: int


class Divergence(Activation, frozen=True):
    """The first pair that differs, the largest error ``before`` it, and what may be the cause."""

    before: float
    causes: tuple[Finding, ...]


class Compare(Row, frozen=True, kw_only=True):
    """What `conformance compare --json` writes.

    ``input`` is height, width and channels of the image.  Same are also two whose channels inside
    are in another order, if nothing suffers from it: a remark.  ``slots`` counts how many weights
    are how related; ``activations`` are in A's order; ``notes`` name stored arrays that nothing
    reads; ``open`` is why something could not be compared.
    """

    schema: Literal[1]
    a: Port
    b: Port
    input: tuple[OneOrMore, OneOrMore, OneOrMore]
    verdict: Literal["same", "differ", "inconclusive"]
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    open: tuple[Unjudged, ...]
    unjudged: tuple[Unjudged, ...]
    checks: Checks
    slots: dict[str, OneOrMore]
    first_divergence: Divergence | None
    activations: tuple[Activation, ...]
    notes: tuple[str, ...]
    baseline: Baseline | UnsetType = UNSET


class Ran(Row, frozen=True):
    """A run beside the oracle: how many nodes, or gradients of slots, were ``compared``; ``error``
    and ``bound`` of the one that came nearest to its bound, null where it is no number; the number
    of the first node beyond its bound; wrong variants of single nodes, and how many were caught.
    """

    compared: Count
    error: Size | None
    bound: Size | None
    first_divergence: Count | None
    controls: Count
    caught: Count


class ExactRun(Row, frozen=True):
    """A run on whole numbers: of all ``nodes`` but the input those that are equal to the bit, those
    whose nearest steps are, behind an algorithm that rounds, and how far off these are in steps;
    how many cannot be exact, by reason; the first wrong node; what kept the run from its end.
    """

    precision: str
    device: Device
    nodes: Count
    exact: Count
    rounded: Count
    furthest: float
    without: dict[str, Count]
    first_difference: int | None
    controls: Count
    caught: Count
    problem: str


class Three(Row, frozen=True):
    """Of several repetitions."""

    least: Size | None
    median: Size | None
    greatest: Size | None


class Spread(Row, frozen=True):
    """Seeds with which a result was beyond its bound; a seed's largest error over its bound; the
    smallest error of a control arm over its bound, null if none was run; seconds of a repetition.
    """

    deviating: tuple[Count, ...]
    nearest: Three
    separation: float | None
    seconds: Three


class Repeated(Row, frozen=True):
    """What `--repeat` found, each time with the seed after the last."""

    times: Annotated[int, Meta(ge=2)]
    first_seed: Count
    modes: dict[str, Spread]


#: ``deviates`` if any network does; ``conforms`` if all do.
Overall = Literal["conforms", "deviates", "inconclusive"]
Status = Annotated[str, Meta(pattern="^(confirmed|rounded|ambiguous|contradicted|deviates)$")]


class Network(Row, frozen=True, kw_only=True):
    """One network in one framework.

    ``findings`` and ``open`` have to be empty for a pass; ``claims`` counts how many ended with
    which status; ``totals`` is null where it was not traced.  ``parity`` is the float64 run;
    ``training``, ``gradients`` and ``training_gradients`` are those of `--thorough`; ``executions``
    are in lower precisions or compiled, by what they were, such as 'bfloat16'.
    """

    framework: str
    architecture: str
    verdict: Overall
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    open: tuple[Unjudged, ...]
    unjudged: tuple[Unjudged, ...]
    checks: Checks
    claims: dict[Status, Count]
    totals: Totals | None
    parity: Ran | None
    training: Ran | None
    gradients: Ran | None
    training_gradients: Ran | None
    executions: dict[str, Ran]
    exact: tuple[ExactRun, ...]
    repeat: Repeated | None
    baseline: Baseline | UnsetType = UNSET


class Framework(Row, frozen=True):
    """A framework that was run: where, and what was installed."""

    device: Device
    versions: dict[str, str]


class Check(Row, frozen=True):
    """What `conformance check --json` writes: ``results`` has a row a network and framework.

    ``seed`` is that of the canonical weights; ``numbers`` says whether networks had to be run too.
    """

    schema: Literal[1]
    verdict: Overall
    seed: Count
    numbers: bool
    checks: Checks
    results: tuple[Network, ...]
    frameworks: dict[str, Framework]


def common(found: Judgement) -> dict[str, Any]:
    """What the result of every command says of a judgement."""
    return {
        "verdict": found.verdict,
        "findings": tuple(found.findings),
        "remarks": tuple(found.remarks),
        "open": tuple(found.open),
        "unjudged": tuple(found.unjudged),
        "checks": Checks(found.planned, found.run),
    }


def printable(result: Some) -> Some:
    """The same with every text one line that can be printed."""
    return read(names(written(result)), type(result))


#: What each command writes.
OF: dict[str, type[Any]] = {
    "gate": Gate, "identify": Identify, "compare": Compare, "check": Check,
}  # fmt: skip
