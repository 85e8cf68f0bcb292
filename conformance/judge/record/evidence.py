"""Evidence: what one run of one framework leaves behind, as files that need no framework to read.

    EVIDENCE/torch-cpu/run.json            framework, device, versions, seed, code, networks
    EVIDENCE/torch-cpu/ResNet-50.json      the neutral graph and the parity of every node
    EVIDENCE/torch-cpu/ResNet-50.safetensors    whole results of nodes, if they were asked for
    EVIDENCE/torch-cpu/selftest.json       what became of every wrong model, if they were judged

A run's folder is written beside its place and put there in one move when it is complete, so what
is found under its name is never half a run.  Files are a pure function of code, versions and seed.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from conformance.data import read as read_row
from conformance.data import written
from conformance.files import read as text_of
from conformance.files import strict
from conformance.graph.model import Graph
from conformance.judge import published
from conformance.judge.record.damage import damage
from conformance.judge.record.rows import SCHEMA, GraphRow, RecordRow, RunRow
from conformance.numbers.exact import Exact
from conformance.numbers.gradients import Gradients
from conformance.numbers.parity import Parity

HERE = Path(__file__).parents[2]
#: What evidence depends on, beside the implementation.
ROOMS = ("graph", "kinds", "judge", "numbers", "trace")

#: How the name of a file of whole results ends.
ARRAYS = ".safetensors"

#: What a record and its row have alike: all but graphs and whole results.
ALIKE = set(RecordRow.__struct_fields__) - {"graph", "training", "arrays"}

#: The file of a run's self-test.
SELFTEST = "selftest.json"


class DamagedEvidence(ValueError):
    """A file that is not what a run of this version writes; the message names file and reason."""


@dataclass(slots=True)
class Record:
    """One network in one framework: its graphs and, where it was run, its parity.

    ``graph`` is what it does in inference, ``training`` what it does in training.  Of a network
    that was examined thoroughly there are also the parity of a step of training and the gradients
    of both.  ``executions`` are parities in inference that were computed in other ways than
    ``parity``, which is in float64 and step by step, and decides; ``exact`` are runs in integers,
    one a precision.  ``arrays`` are whole results
    of it by node, height x width x channels after the batch, where they were asked for.
    """

    model: str
    graph: Graph
    parity: Parity | None = None
    training: Graph | None = None
    training_parity: Parity | None = None
    gradients: Gradients | None = None
    executions: tuple[Parity, ...] = ()
    training_gradients: Gradients | None = None
    exact: tuple[Exact, ...] = ()
    arrays: dict[int, np.ndarray] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class Run:
    """One framework on one device: what was installed, which code, and a record a network.

    ``selftest`` is what became of the framework's wrong models, as
    :meth:`tests.selftest.corpus.Tally.as_json` says it; None where none was judged.
    ``backend`` is what the framework computes with, where that is not the usual one.
    """

    framework: str
    device: str
    versions: dict[str, str]
    seed: int
    code: str
    records: dict[str, Record] = field(default_factory=dict)
    selftest: dict[str, Any] | None = None
    backend: str = ""
    #: The records that are in place already, with the checksums of their files.
    placed: dict[str, tuple[Record, str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.framework, self.backend, self.device)))


def code_identity(framework: str) -> str:
    """A digest of the sources that a run's evidence depends on."""
    sources = [*HERE.glob("*.py")]
    sources += [path for room in ROOMS for path in (HERE / room).rglob("*.py")]
    digest = sha256()
    for path in sorted([*sources, *_room(framework).glob("*.py")]):
        digest.update(path.relative_to(HERE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _room(framework: str) -> Path:
    return HERE / "implementations" / framework


def stale(run: Run) -> bool:
    """Whether a run was recorded by other code than this, if its framework has a room here."""
    return _room(run.framework).is_dir() and run.code != code_identity(run.framework)


def write(run: Run, folder: Path) -> Path:
    """Put a run's files under ``folder`` in one move, in place of an earlier run's.

    A run that grows may be written again and again: what is in place already is moved along.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / run.name
    building = folder / f".{run.name}-{token_hex(4)}"
    try:  # before the folder is there: a signal may come as soon as it is
        building.mkdir()
        placed = {
            name: (record, _placed(run, record, target, building / f"{name}.json"))
            for name, record in run.records.items()
        }
        if run.selftest:
            _dump(run.selftest, building / SELFTEST)
        _dump(
            RunRow(
                schema=3,
                framework=run.framework,
                backend=run.backend or UNSET,
                device=run.device,
                versions=run.versions,
                seed=run.seed,
                code=run.code,
                networks={name: checksum for name, (_, checksum) in sorted(placed.items())},
                selftest=_checksum(building / SELFTEST) if run.selftest else None,
            ),
            building / "run.json",
        )
        while not _in_place(building, target):
            pass
        run.placed = placed
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _in_place(building: Path, target: Path) -> bool:
    """Put a folder where it belongs; False where another run has just put its own there.

    What stood there, be it a folder, a file or a link, is gone when the new one is in place.
    """
    old = target.with_name(f".{target.name}-old-{os.getpid()}")
    with suppress(FileNotFoundError):
        target.rename(old)
    try:
        building.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    finally:
        if os.path.lexists(old):
            if not os.path.lexists(target):
                old.rename(target)
            elif old.is_dir() and not old.is_symlink():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink()
    return True


def _placed(run: Run, record: Record, target: Path, file: Path) -> str:
    """Have a record's file in the new folder, from the old one if it is there; its checksum."""
    known, checksum = run.placed.get(record.model, (None, ""))
    arrays = file.with_suffix(ARRAYS)
    if known is record:
        try:
            for each in (file, arrays) if record.arrays else (file,):
                each.hardlink_to(target / each.name)
        except OSError:  # no such file any more, or no links here
            file.unlink(missing_ok=True)
        else:
            return checksum
    if record.arrays:
        save_file({str(node): array for node, array in record.arrays.items()}, arrays)
    _dump(_row(record, _checksum(arrays) if record.arrays else UNSET), file)
    return _checksum(file)


def earlier_selftest(run: Run, folder: Path) -> dict[str, Any] | None:
    """The self-test of the run that ``run`` is going to replace, if that was one of the same.

    Of the same code, versions and seed, that is; any other is None, and so is one that is damaged.
    """
    place = folder / run.name
    try:
        data = _load(place / "run.json")
        checksum = data.get("selftest")
        return _listed(place / SELFTEST, checksum) if _same(run, data) and checksum else None
    except DamagedEvidence:
        return None


def earlier(run: Run, folder: Path) -> Run | None:
    """The run that ``run`` is going to replace, if that was one of the same.

    Raises :class:`DamagedEvidence`.
    """
    place = folder / run.name
    if not os.path.lexists(place / "run.json"):
        return None
    return _read_run(place) if _same(run, _load(place / "run.json")) else None


def _same(run: Run, data: dict[str, Any]) -> bool:
    now = {"schema": SCHEMA, "code": run.code, "versions": run.versions, "seed": run.seed}
    return all(data.get(key) == value for key, value in now.items())


def read(folder: Path) -> list[Run]:
    """Every run under ``folder``, by name, or none.  Raises :class:`DamagedEvidence`."""
    if not os.path.isdir(folder):  # whatever name it is
        raise DamagedEvidence(f"{folder}: no such folder; run the frameworks' checks first")
    return [_read_run(path.parent) for path in sorted(folder.glob("[!.]*/run.json"))]


def _read_run(folder: Path) -> Run:
    path = folder / "run.json"
    data = _load(path)
    if data.get("schema") != SCHEMA:
        raise DamagedEvidence(
            f"{path}: schema {data.get('schema')!r}, this version reads {SCHEMA}; record it again"
        )
    try:
        row = read_row(data, RunRow)
    except ValueError as error:
        raise DamagedEvidence(
            f"{path}: not a run of this version ({error}); record it again"
        ) from None
    run = Run(
        row.framework, row.device, row.versions, row.seed, row.code, backend=row.backend or ""
    )
    for name, checksum in row.networks.items():
        run.records[name] = _read_record(folder / f"{name}.json", name, checksum)
        gc.freeze()  # a collection looks at one network's record, not at all before it again
        run.placed[name] = run.records[name], checksum
    if row.selftest:
        run.selftest = _listed(folder / SELFTEST, row.selftest)
    return run


def _read_record(file: Path, name: str, checksum: str) -> Record:
    data = _listed(file, checksum)
    try:
        row = read_row(data, RecordRow, words=True)
        said = damage(row, name)
        if not said and written(row) != {"exact": [], **data}:
            said = "a field is missing, or one too many"
    except (ValueError, RecursionError) as error:
        said = str(error)
    if said:
        raise DamagedEvidence(f"{file}: not what a check leaves ({said}); record it again")
    record = _record(row)
    if other := published.another(record.graph, name):
        raise DamagedEvidence(f"{file}: its graph is that of {other} and not of {name}")
    if row.arrays:
        arrays = _whole(file.with_suffix(ARRAYS), row.arrays)
        try:
            record.arrays = {int(node): array for node, array in load_file(arrays).items()}
        except (SafetensorError, ValueError) as error:
            raise DamagedEvidence(f"{arrays}: cannot be read ({error}); record it again") from None
        if strange := record.arrays.keys() - set(range(len(record.graph))):
            raise DamagedEvidence(f"{arrays}: there is no node {min(strange)}; record it again")
    return record


def _row(record: Record, arrays: str | UnsetType) -> RecordRow:
    graph, training = GraphRow.of(record.graph), record.training
    taught = GraphRow.of(training) if training else None
    return RecordRow(graph=graph, training=taught, arrays=arrays, **_numeric(record))


def _record(row: RecordRow) -> Record:
    training = row.training.graph() if row.training else None
    return Record(graph=row.graph.graph(), training=training, **_numeric(row))


def _numeric(of: Record | RecordRow) -> dict[str, Any]:
    return {name: getattr(of, name) for name in ALIKE}


def _checksum(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _listed(file: Path, checksum: str) -> dict[str, Any]:
    """A file that ``run.json`` lists, and no other in its place."""
    return _load(_whole(file, checksum))


def _whole(file: Path, checksum: str) -> Path:
    """A file that is the one that was written.  Raises :class:`DamagedEvidence`."""
    if not file.is_file():
        raise DamagedEvidence(f"{file}: missing, though run.json lists it; record it again")
    if _checksum(file) != checksum:
        raise DamagedEvidence(f"{file}: not the file that run.json lists; record it again")
    return file


def _load(path: Path) -> dict[str, Any]:
    try:
        data = strict(text_of(path))
    except (OSError, ValueError) as error:
        raise DamagedEvidence(f"{path}: cannot be read ({error}); record it again") from None
    if not isinstance(data, dict):
        raise DamagedEvidence(f"{path}: not a JSON object; record it again")
    return data


def _dump(data: Any, path: Path) -> None:
    text = json.dumps(written(data), indent=1, sort_keys=True, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def networks(runs: list[Run]) -> Iterator[str]:
    """Names of the networks in any of the runs, in order of first appearance."""
    yield from dict.fromkeys(name for run in runs for name in run.records)
