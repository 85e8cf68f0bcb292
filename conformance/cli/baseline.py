"""``--baseline``: an earlier result, of which nothing counts again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from conformance.errors import Refused
from conformance.files import read as text_of
from conformance.files import strict

if TYPE_CHECKING:
    from conformance.judge.finding import Finding
    from conformance.judge.results import Check, Compare, Gate, Identify, Network

Result = TypeVar("Result", "Gate", "Compare", "Network")
Whole = TypeVar("Whole", "Gate", "Compare", "Check")

#: What is another in every run, by the finding's check.
MEASURED = ("forward", "gradient", "initialisation")
#: What a result is about, whichever command it comes from.
ABOUT = ("architecture", "a", "b")


def read(path: str | None, of: type[Whole]) -> Whole | None:
    """An earlier result of a command, if there is a path.  Raises :class:`Refused`."""
    if not path:
        return None
    from conformance import data

    try:
        return data.read(strict(text_of(Path(path))), of)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        said, command = " ".join(str(error).split())[:120], of.__name__.lower()
        raise Refused(f"{path} is not a result of 'conformance {command} --json': {said}") from None


def set_aside(result: Result, baseline: Result | None) -> Result:
    """Leave only the findings that the baseline has not; the verdict stays what it is."""
    from msgspec.structs import replace

    from conformance.judge.results import Baseline

    if baseline is None:
        return result
    for name in ABOUT:
        if (about := getattr(baseline, name, None)) != getattr(result, name, None):
            said = getattr(about, "port", about)
            raise Refused(f"the baseline is about {said}: record one of its own")
    before, now = _keys(baseline.findings), _keys(result.findings)
    new = tuple(each for each in result.findings if _key(each) not in before)
    known = Baseline(len(now & before), tuple(sorted(before - now)))
    return replace(result, findings=new, baseline=known)


def passes(result: Gate | Identify | Compare | Network) -> bool | None:
    """Whether a result that deviates has nothing new and everything ran; None without baseline."""
    from conformance.judge.results import Identify

    if isinstance(result, Identify) or not result.baseline or result.findings:
        return None
    return result.checks.complete and not result.open


def _keys(findings: Iterable[Finding]) -> set[str]:
    return {_key(each) for each in findings}


def _key(finding: Finding) -> str:
    """What makes a finding the same in another run: not the error that was measured there."""
    from msgspec import UNSET

    key = [finding.check, finding.node, finding.attribute]
    measured = finding.check in MEASURED or finding.inherited is not UNSET
    if not measured and finding.attribute not in ("value", "mean", "variance"):
        key += [finding.expected, finding.found]
    return json.dumps(key)
