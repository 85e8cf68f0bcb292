"""A job done in this process, so that a test can put something else in the place of a part."""

from collections.abc import Callable
from typing import Any

import pytest

from conformance.errors import Refused
from conformance.ports import worker
from tests.quiet import environment


class Here(worker.Say):
    """What a job says, as the command hears it."""

    def __init__(self, part: Callable[[Any], None]):
        self.heard, self.last = part, ("", 0)
        self.answer: dict[str, Any] = {}

    def line(self, data: dict[str, Any]) -> None:
        if "part" in data:
            self.heard(data["part"])
        elif "stage" not in data:
            self.answer = data


def work(
    job: Any,
    limits: Any,
    progress: Any = None,
    *,
    part: Any = None,
    variables: Any = None,
    who: str = "",
) -> Any:
    """:func:`conformance.ports.sandbox.work` without its sandbox."""
    say = Here(part)
    with environment(variables or {}):
        worker.answer(job, say)
    if "refused" in say.answer:
        raise Refused(say.answer["refused"], say.answer["code"])
    return say.answer["result"]


def here(monkeypatch: pytest.MonkeyPatch, examine: Any = None) -> None:
    """Check in this process, with another ``examine`` if one is given."""
    monkeypatch.setattr("conformance.cli.check.work", work)
    if examine:
        monkeypatch.setattr("conformance.judge.checking.examine", examine)
