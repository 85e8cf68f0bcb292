"""``--baseline``: an earlier result, of which nothing counts again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.errors import Refused
from conformance.files import read as text_of
from conformance.files import strict

Json = dict[str, Any]

#: What is another in every run, by the finding's check.
MEASURED = ("forward", "gradient", "initialisation")
#: What a result is about, whichever command it comes from.
ABOUT = ("architecture", "a", "b")


def read(path: str | None, command: str) -> Json | None:
    """An earlier result of a command, if there is a path.  Raises :class:`Refused`."""
    if not path:
        return None
    import jsonschema

    from conformance.judge.schemas import schema

    try:
        data: Json = strict(text_of(Path(path)))
        jsonschema.validate(data, schema(command))
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, jsonschema.ValidationError) as error:
        reason = error.message if isinstance(error, jsonschema.ValidationError) else error
        said = " ".join(str(reason).split())[:120]
        raise Refused(f"{path} is not a result of 'conformance {command} --json': {said}") from None
    return data


def set_aside(result: Json, baseline: Json | None) -> None:
    """Leave only the findings that the baseline has not; the verdict stays what it is."""
    if baseline is None:
        return
    for name in ABOUT:
        if baseline.get(name) != result.get(name):
            raise Refused(f"the baseline is about {baseline.get(name)}: record one of its own")
    before, now = _keys(baseline["findings"]), _keys(result["findings"])
    result["findings"] = [each for each in result["findings"] if _key(each) not in before]
    result["baseline"] = {"known": len(now & before), "gone": sorted(before - now)}


def passes(result: Json) -> bool | None:
    """Whether a result that deviates has nothing new and everything ran; None without baseline."""
    if "baseline" not in result or result["findings"]:
        return None
    return 0 < result["checks"]["planned"] == result["checks"]["run"] and not result["open"]


def _keys(findings: Iterable[Json]) -> set[str]:
    return {_key(each) for each in findings}


def _key(finding: Json) -> str:
    """What makes a finding the same in another run: not the error that was measured there."""
    names = ["check", "node", "attribute"]
    measured = finding["check"] in MEASURED or "inherited" in finding
    if not measured and finding["attribute"] not in ("value", "mean", "variance"):
        names += ["expected", "found"]
    return json.dumps([finding[name] for name in names])
