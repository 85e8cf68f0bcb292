"""The check's job: our implementations in one framework, one network after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from conformance import reference
from conformance.data import written
from conformance.errors import INCONCLUSIVE, Refused
from conformance.files import cannot_write
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


class Say(Protocol):
    """How a job says how far it is, and what of its result is finished."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...

    def part(self, data: Json) -> None: ...


def work(job: Json, say: Say) -> Json:
    """Check the networks of ``job``; each outcome is a part as soon as its evidence is in place."""
    name = job["framework"]
    say(f"starting {name}")
    gpu = {"gpu": _gpu(name)} if job["device"] == "gpu" else {}
    versions = frameworks.versions(name) | gpu
    code = evidence.code_identity(name)
    backend = frameworks.backend(name)
    run = evidence.Run(name, job["device"], versions, job["seed"], code, backend=backend)
    place = Path(job["evidence"]) if job["evidence"] else None
    if place:
        run.selftest = evidence.earlier_selftest(run, place)
    if place and job["resume"] and (earlier := _earlier(run, place)):
        run.records, run.placed = earlier.records, earlier.placed
    about = {"device": job["device"], "versions": versions}
    say.part({"framework": about, "backend": backend})
    for each in job["architectures"]:
        model = reference.find(each)
        say(f"checking {model.name}")
        kept = _kept(run, model, job)
        found = kept or _outcome(run, model, job, say)
        if place:
            with cannot_write(place):
                evidence.write(run, place)
        said = f"kept: {summary(found)}" if kept else summary(found)
        say.part({"row": written(found.row()), "summary": said})
    return {}


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


def _outcome(run: evidence.Run, model: Model, job: Json, say: Say) -> Checked:
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
