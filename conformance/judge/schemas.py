"""The JSON Schemas of what commands write, as files beside this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Schemas that lie in another folder.
ELSEWHERE = {"results": "reports"}


def text(name: str) -> str:
    """A schema as it is printed: ``check``, ``compare``, ``identify``, ``gate`` or ``results``."""
    folder = Path(__file__).parents[1] / ELSEWHERE.get(name, "judge")
    return (folder / f"{name}.schema.json").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """The same, read."""
    found: dict[str, Any] = json.loads(text(name))
    return found
