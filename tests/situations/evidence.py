"""Evidence: what is done to a folder that a check has left, and by what it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.situations.row import Situation


def run_json(**changes: Any) -> Callable[[Path], None]:
    """Other values in ``run.json``."""

    def done(place: Path) -> None:
        data = json.loads((place / "run.json").read_text())
        (place / "run.json").write_text(json.dumps(data | changes))

    return done


def record(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """A change of the network's record, with a checksum that fits."""

    def done(place: Path) -> None:
        run = json.loads((place / "run.json").read_text())
        (name,) = run["networks"]
        data = json.loads((place / f"{name}.json").read_text())
        change(data)
        rewrite(place, json.dumps(data))

    return done


def rewrite(place: Path, text: str) -> None:
    """Another record in the place of the one that is there."""
    run = json.loads((place / "run.json").read_text())
    (name,) = run["networks"]
    (place / f"{name}.json").write_text(text)
    run["networks"][name] = sha256(text.encode()).hexdigest()
    (place / "run.json").write_text(json.dumps(run))


def replace_run(place: Path, text: str) -> None:
    """Another ``run.json``."""
    (place / "run.json").write_text(text)


def arrays(place: Path) -> None:
    """Junk in the place of whole results."""
    (place / "Tiny-A.safetensors").write_bytes(b"junk")
    found = sha256(b"junk").hexdigest()
    record(lambda data: data.update(arrays=found))(place)


def first(**changes: Any) -> Callable[[Any], Any]:
    return lambda data: data["parity"]["nodes"][0].update(changes)


def node(index: int, **changes: Any) -> Callable[[Any], Any]:
    return lambda data: data["graph"]["nodes"][index].update(changes)


DAMAGES: dict[str, Callable[[Path], None]] = {
    r"Expected `int`, got `null` - at `\$.seed`": run_json(seed=None),
    "NaN is not JSON": run_json(seed=float("nan")),
    r"Expected `int` >= 0 - at `\$.seed`": run_json(seed=-1),
    "schema 9": run_json(schema=9),
    r"at `\$.device`": run_json(device="abacus"),
    "unknown field `note`": run_json(note="well"),
    r"Expected `object`, got `array` - at `\$.networks`": run_json(networks=[]),
    r"at `key` in `\$.networks`": run_json(networks={"../Tiny-A": "0" * 64}),
    "not the file that run.json lists": run_json(networks={"Tiny-A": "0" * 64}),
    "missing, though run.json lists it": run_json(networks={"Tiny-B": "0" * 64}),
    "cannot be read": lambda place: replace_run(place, ""),
    "not a JSON object": lambda place: replace_run(place, "[]"),
    "nested too deeply": lambda place: rewrite(place, "[" * 100_000),
    "missing required field `model`": lambda place: rewrite(place, "{}"),
    "a field is missing": record(lambda data: data["parity"].pop("problem")),
    "field is missing, or one too many": record(
        lambda data: data["graph"]["nodes"][1]["parameters"].update(
            kernel=[{"handle": "w", "shape": [1], "steps": [], "region": None, "note": "well"}]
        )
    ),
    r"Expected `float`, got `str` - at `\$.parity.nodes\[0\].error`": record(first(error="much")),
    "has an error or a bound below zero": record(first(error=-1)),
    "too large a number|error": lambda place: rewrite(place, '{"model": 1e999}'),
    "has node . more than once": record(
        lambda data: data["parity"]["nodes"].extend(data["parity"]["nodes"] * 24)
    ),
    "a node 99, which is not there": record(first(node=99)),
    "has no nodes": record(
        lambda data: data.update(graph={"inputs": [], "outputs": [], "nodes": []})
    ),
    "reads a node that is not before it": record(node(1, inputs=[3])),
    "graph has no node 77": record(lambda data: data["graph"].update(outputs=[77])),
    r"Expected `array`, got `str` - at `\$.graph.nodes\[1\].shape`": record(node(1, shape="wide")),
    "it is of Tiny-B, run.json lists it as Tiny-A": record(
        lambda data: data.update(model="Tiny-B")
    ),
    r"safetensors: cannot be read": arrays,
    "of a mode that has no graph": record(
        lambda data: data.update(training=None, training_parity=data["parity"])
    ),
}
EVIDENCE = [
    Situation("report evidence", 2, f"evidence.*({said})", damage=damage)
    for said, damage in DAMAGES.items()
] + [
    Situation("report --diff evidence evidence", 2, "below zero", damage=record(first(error=-1))),
    Situation(
        "report e", 2, "run.json: cannot be read.*longer", files={"e/r/@run.json": "/dev/zero"}
    ),
    Situation("report e", 2, "nobody writes to this pipe", files={"e/r/|run.json": ""}),
    Situation("report e", 2, "run.json: cannot be read", files={"e/r/run.json/.keep": ""}),
    Situation("report empty", 3, "no evidence in empty", files={"empty/.keep": ""}),
]
