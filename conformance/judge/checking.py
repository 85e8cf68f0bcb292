"""The check's job: our implementations in one framework, one network after the other.

What is run uses every processor by itself.  What is only traced does not: then networks are
examined in several processes at a time.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from conformance import reference
from conformance.chunks import processors
from conformance.data import written
from conformance.errors import INCONCLUSIVE, Refused
from conformance.files import cannot_write
from conformance.judge import published
from conformance.judge.finding import CONFORMS
from conformance.judge.record import evidence
from conformance.judge.record.evidence import Record
from conformance.judge.record.examine import examine
from conformance.judge.record.network import Checked, compared_with, not_run, outcome, summary
from conformance.judge.record.repeat import Repeat
from conformance.ports import implementations as frameworks
from conformance.ports import memory
from conformance.reference import Model
from conformance.trace.port import Execution, UntraceableModel

Json = dict[str, Any]
#: What will come of a network in another process, and its record.
Ahead = Future[tuple[Checked, Record | None]]

#: So many networks are worth the seconds in which another process starts a framework.
WORTH = 16


class Say(Protocol):
    """How a job says how far it is, and what of its result is finished."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...

    def part(self, data: Json) -> None: ...


def work(job: Json, say: Say) -> Json:
    """Check the networks of ``job``; each outcome is a part as soon as its evidence is in place."""
    say(f"starting {job['framework']}")
    with _processes(job) as pool:
        started = pool.submit(_run, job) if pool else None
        ahead = _begun(pool, job) if pool else {}
        run = started.result() if started else _run(job)
        place = Path(job["evidence"]) if job["evidence"] else None
        if place:
            run.selftest = evidence.earlier_selftest(run, place)
        if place and job["resume"] and (earlier := _earlier(run, place)):
            run.records, run.placed = earlier.records, earlier.placed
        about = {"device": job["device"], "versions": run.versions}
        say.part({"framework": about, "backend": run.backend})
        for model in map(reference.find, job["architectures"]):
            say(f"checking {model.name}")
            kept = _kept(run, model, job)
            found = kept or _found(run, model, job, say, ahead.get(model.name))
            if place:
                with cannot_write(place):
                    evidence.write(run, place)
            said = f"kept: {summary(found)}" if kept else summary(found)
            say.part({"row": written(found.row()), "summary": said})
    return {}


def _run(job: Json) -> evidence.Run:
    """What is to be run with which releases; the framework has been started then."""
    name = job["framework"]
    gpu = {"gpu": _gpu(name)} if job["device"] == "gpu" else {}
    versions, code = frameworks.versions(name) | gpu, evidence.code_identity(name)
    backend = frameworks.backend(name)
    return evidence.Run(name, job["device"], versions, job["seed"], code, backend=backend)


def _gpu(name: str) -> str:
    """The name of the GPU that a framework sees.  Raises :class:`Refused` where it sees none."""
    if found := frameworks.tracer(name).gpu():
        return str(found)
    raise Refused(f"{name} sees no GPU here: leave out --device gpu", INCONCLUSIVE)


def _earlier(run: evidence.Run, place: Path) -> evidence.Run | None:
    """The run to go on from, if there is one.  Raises :class:`Refused` where it is damaged."""
    try:
        return evidence.earlier(run, place)
    except evidence.DamagedEvidence as damaged:
        raise Refused(f"{damaged}; remove {place / run.name}, or leave out --resume") from None


def _kept(run: evidence.Run, model: Model, job: Json) -> Checked | None:
    """A network that conforms by the record that is in place, which has all that is asked for."""
    if (record := run.records.get(model.name)) is None or job["repeat"] > 1 or job["arrays"]:
        return None
    if {each["precision"] for each in job["whole"]} - {each.precision for each in record.exact}:
        return None
    found = _judged(run, model, record, job)
    return found if found.verdict == CONFORMS else None


@contextmanager
def _processes(job: Json) -> Iterator[ProcessPoolExecutor | None]:
    """As many as there are processors, where there is enough to trace; None for no other."""
    alone = job["numbers"] or job["resume"] or job["device"] == "gpu" or sys.platform != "linux"
    count = 1 if alone else min(processors(), len(job["architectures"]) // WORTH)
    if count < 2:
        yield None
        return
    # No framework has been started yet.  A pool with a process that was killed ends the others by
    # SIGTERM and waits for them: as an exception it would be taken for what came of a network.
    ends = (signal.SIGTERM, signal.SIG_DFL)
    pool = ProcessPoolExecutor(count, get_context("fork"), signal.signal, ends)
    try:
        yield pool
    except BrokenProcessPool:
        said = f"a process of the run of {job['framework']} was killed: too little memory?"
        raise Refused(said, INCONCLUSIVE) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begun(pool: ProcessPoolExecutor, job: Json) -> dict[str, Ahead]:
    """All networks, in the order asked for, but for the longest: it would be waited for."""
    names = job["architectures"]
    order = dict.fromkeys([max(names, key=_nodes), *names])
    return {name: pool.submit(_alone, job, name) for name in order}


def _nodes(name: str) -> int:
    """How long a network takes, roughly."""
    model = reference.find(name)
    return len(published.network(model).inference) if published.known(model.name) else 0


def _alone(job: Json, name: str) -> tuple[Checked, Record | None]:
    """What comes of one network in a process of a pool, and its record."""
    run = evidence.Run(job["framework"], job["device"], {}, job["seed"], "")
    found = _outcome(run, reference.find(name), job, lambda *_: None)
    return found, run.records.get(name)


def _found(run: evidence.Run, model: Model, job: Json, say: Say, ahead: Ahead | None) -> Checked:
    """The outcome of a network, perhaps ``ahead`` in another process; its record is the run's."""
    if ahead is None:
        return _outcome(run, model, job, say)
    found, record = ahead.result()
    if record:
        run.records[model.name] = record
    return found


def _outcome(
    run: evidence.Run, model: Model, job: Json, say: Callable[[str, int, int], None]
) -> Checked:
    """Examine one network and judge it; what was found goes into the run."""
    repeat = Repeat(run.seed, job["repeat"]) if job["repeat"] > 1 else None
    others = [Execution(**each) for each in job["executions"]]
    if not _implemented(run.framework, model):
        return not_run(run.framework, model, "there is no implementation")
    try:
        record = examine(
            run.framework, model, numbers=job["numbers"], thorough=job["thorough"],
            seed=run.seed, how=Execution(device=job["device"]), others=others,
            whole=[Execution(**each) for each in job["whole"]],
            arrays=job["arrays"], repeat=repeat,
            progress=lambda done, total: say(f"checking {model.name}", done, total),
        )  # fmt: skip
        found = _judged(run, model, record, job, repeat)
    except Exception as error:
        said = memory.shortage(error)
        if not said and not isinstance(error, UntraceableModel):
            raise
        return not_run(run.framework, model, said or str(error))
    run.records[model.name] = record
    return found


def _judged(
    run: evidence.Run, model: Model, record: Record, job: Json, repeat: Repeat | None = None
) -> Checked:
    """Judge one network by its record, beside the networks that its claims compare it with."""
    others = [Execution(**each) for each in job["executions"]]
    beside = {
        each.name: run.records.get(each.name) or examine(run.framework, each, numbers=False)
        for each in compared_with(model)
        if _implemented(run.framework, each)
    }
    return outcome(
        run.framework, model, record, job["numbers"], beside, job["thorough"], repeat, others
    )


def _implemented(name: str, model: Model) -> bool:
    try:
        frameworks.factory(name, model)
    except KeyError:
        return False
    except ModuleNotFoundError as missing:
        if missing.name != f"conformance.implementations.{name}.{model.family}":
            raise
        return False
    return True
