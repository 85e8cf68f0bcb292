"""One run as the port's users run it: in its own precision, three images, nothing of ours.

Everything else that is known of a port was seen through a recorder.  Here the factory's own model
is called, with the canonical weights copied into what it stores.  The first two images are
the one whose results are known; the third is another, so that a batch that mixes shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from conformance.judge.finding import Part, Unjudged, finite
from conformance.judge.port.precision import lowest
from conformance.judge.port.subject import Subject
from conformance.numbers.deviation import NodeParity, sample
from conformance.numbers.parity import Parity
from conformance.numbers.precision import FLOAT64, PRECISIONS
from conformance.numbers.weights import Weights, carried, counterparts
from conformance.trace.port import CannotExecute, UntraceableModel

PLAINLY = "a plain run of three images"
OTHERWISE = (
    "called plainly, on three images, the model computes something else than under observation:"
    " does it ask how it is called, or mix images of a batch?"
)


def check(subject: Subject, ran: Parity) -> Part:
    """Compare the outputs of a plain run with those of the run that was observed."""
    run: Callable[..., list[Any]] | None = getattr(subject.port, "plain", None)
    if run is None:
        return Part(unjudged=[Unjudged("forward", f"{PLAINLY}: its tracer has none")])
    side = subject.side()
    known = {each.node: each for each in ran.nodes}
    back = {b: a for a, b in side.pairs.items()}
    _, first = side.comparison.returned or (1, 0)
    outputs = [(place, back[b]) for place, b in enumerate(side.found.outputs, first) if b in back]
    outputs = [(place, a) for place, a in outputs if a in known]
    if not outputs:
        return Part(unjudged=[Unjudged("forward", f"{PLAINLY}: no output is known")])
    part = Part(planned=len(outputs))
    subject.stage("running in float32", 0, 0)
    weights = Weights(side.expected, subject.seed)
    handles = subject.tape.parameters
    one, other = weights.images(2)
    slot = counterparts(weights, side.found, side.pairs)
    given = carried(side.found, lambda *of: slot(*of).astype(np.float32), subject.tape)
    try:
        results = run(Values(handles, given), np.stack([one, one, other]))
    except CannotExecute as refused:
        return Part(unjudged=[Unjudged("forward", f"{PLAINLY}: {refused}")])
    except UntraceableModel as refused:
        part.open.append(Unjudged("forward", f"{PLAINLY}: {refused}"))
        return part
    # How much further off it may be than float64: both bounds come from one cost.
    wider = PRECISIONS[lowest(subject)].between / FLOAT64.between
    for place, a in outputs:
        part.run += 1
        error = _error(results, place, known[a])
        if not error <= known[a].bound * wider:
            bound = known[a].bound * wider
            part.findings.append(
                side.finding(
                    "forward", a, "value", expected=bound, found=finite(error), hint=OTHERWISE,
                    inherited=0,
                )
            )  # fmt: skip
    return part


class Values(Mapping[str, np.ndarray]):
    """Arrays by their handles, each made when it is asked for: all at once would be much."""

    def __init__(self, handles: Iterable[str], given: Callable[[str], np.ndarray]) -> None:
        self.handles, self.given = dict.fromkeys(handles), given

    def __getitem__(self, handle: str) -> np.ndarray:
        if handle not in self.handles:
            raise KeyError(handle)
        return self.given(handle)

    def __contains__(self, handle: object) -> bool:
        return handle in self.handles

    def __iter__(self) -> Iterator[str]:
        return iter(self.handles)

    def __len__(self) -> int:
        return len(self.handles)


def _error(results: list[Any], place: int, expected: NodeParity) -> float:
    """The largest difference at the places that are known, of the images that are."""
    result = results[place] if place < len(results) else None
    if result is None or len(result) != 3:
        return float("inf")
    found = [np.array(sample(result[index : index + 1].astype(np.float64))) for index in (0, 1)]
    want = np.array(expected.sample)
    if any(each.shape != want.shape for each in found):
        return float("inf")
    return max(float(np.max(np.abs(each - want))) / expected.rms for each in found)
