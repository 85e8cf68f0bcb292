"""The JSON Schemas of what commands write, as files beside this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def text(name: str) -> str:
    """A schema as it is printed: ``check``, ``compare``, ``evidence`` or ``gate``."""
    return Path(__file__).with_name(f"{name}.schema.json").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """The same, read."""
    found: dict[str, Any] = json.loads(text(name))
    return found
