"""``conformance check``: our implementations against the documents and against the oracle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from conformance import boot, reference
from conformance import errors as codes
from conformance.cli import arguments, baseline
from conformance.cli.facts import found
from conformance.cli.output import Output, code
from conformance.errors import Refused
from conformance.files import folder, put
from conformance.judge import evidence, render
from conformance.judge.examine import EVERY, examine
from conformance.judge.finding import overall
from conformance.judge.network import Checked, compared_with, not_run, outcome, summary
from conformance.judge.repeat import Repeat, sentences
from conformance.numbers.precision import ON, PRECISIONS
from conformance.ports import implementations as frameworks
from conformance.ports import memory
from conformance.quiet import NO_GPU, aside, bar, environment, on_gpu
from conformance.reference import Model
from conformance.trace.port import PLAIN, Execution, UntraceableModel

#: Exit codes, the mildest first.
SEVERITY = (codes.CONFORMS, codes.INCONCLUSIVE, codes.DEVIATES)

#: How many sentences a network gets on the terminal; the result has them all.
SENTENCES = 10

Json = dict[str, Any]


HELP = """\
Each network is traced without weights and every claim about it judged; then it is run on
canonical weights and every node compared.  Without ARCH every network is checked, without
--framework in every framework that is installed, one process each.  Names ignore case and
punctuation.

example:
  conformance check
  conformance check resnet50 vgg16 --framework torch
  conformance check lenet5 --thorough --repeat 200
  conformance check lenet5 --no-numbers --json -
  conformance check googlenet --precision float32 --precision bfloat16 --compiled
  conformance check --device gpu --evidence evidence
  conformance check --framework keras --evidence evidence
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("architectures", metavar="ARCH", nargs="*", help="default: every network")
    command.add_argument(
        "--framework", metavar="F", action="append",
        help="check in this framework (repeatable; default: every one that is installed)",
    )  # fmt: skip
    command.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="where to run (default: cpu)"
    )
    command.add_argument(
        "--precision", metavar="P", action="append",
        help="compare in this precision as well: float32, tf32, float16 or bfloat16 (repeatable;"
        " float64 decides and is always there; default: none on the CPU, float32, tf32 and bfloat16"
        " on a GPU)",
    )  # fmt: skip
    command.add_argument(
        "--compiled", action="store_true",
        help="compare what torch.compile, jax.jit or tf.function makes of it as well",
    )  # fmt: skip
    command.add_argument(
        "--no-numbers", action="store_true", help="trace and judge, but run nothing"
    )
    command.add_argument(
        "--seed", metavar="N", type=arguments.seed, default=0, help="of the weights (default: 0)"
    )
    command.add_argument(
        "--thorough", action="store_true", help="run a training step and gradients as well"
    )
    command.add_argument(
        "--repeat", metavar="N", type=arguments.times, default=1,
        help="run the numbers N times, with seeds from --seed up, and show the spread",
    )  # fmt: skip
    command.add_argument(
        "--arrays", metavar="ROW", action="append",
        help="keep every number of this row of the paper's table beside the evidence, as"
        " safetensors ('all' for every row; repeatable)",
    )  # fmt: skip
    command.add_argument(
        "--evidence", type=Path, metavar="DIR", help="leave what was found in DIR, for 'report'"
    )
    command.add_argument("--finished", type=Path, help=SUPPRESS)  # what is done so far
    arguments.form(command)
    arguments.baseline(command)
    arguments.schema(command, "check")


def run(options: Namespace) -> int:
    """Check every chosen network in every chosen framework, one process a framework."""
    output = Output(options.json)
    earlier = baseline.read(options.baseline, "check") or {"results": []}
    known = {(row["framework"], row["architecture"]): row for row in earlier["results"]}
    ran = options.thorough or options.repeat > 1 or options.precision or options.compiled
    if options.no_numbers and ran:
        raise Refused("--thorough, --repeat, --precision and --compiled: leave out --no-numbers")
    if options.thorough and options.device == "gpu":
        raise Refused("training and gradients are run on the CPU: leave out --thorough or the GPU")
    names = options.architectures or list(reference.models())
    models = list({model.name: model for model in map(found, names)}.values())
    _kept_rows(options, models)
    chosen = _frameworks(options.framework or [])
    options.executions = _executions(options)
    if options.evidence:
        folder(options.evidence)
    if len(chosen) == 1:
        result = _here(chosen[0], models, options, output)
    else:
        parts = [_apart(name, models, options, output) for name in chosen]
        if options.device == "gpu" and not options.framework:
            # Whichever sees no GPU has said so; asked for by name, it would have to.
            parts = [part for part in parts if part["frameworks"]] or parts
        result = _result([row for part in parts for row in part["results"]], options)
        result["frameworks"] = {k: v for part in parts for k, v in part["frameworks"].items()}
        count = len(result["frameworks"])
        _last_line(f"{count} framework{'' if count == 1 else 's'}", result, output)
    for row in result["results"]:
        baseline.set_aside(row, known.get((row["framework"], row["architecture"])))
    output.result(result)
    if options.format == "markdown":
        output.document(render.check(result), options.format)
    return max((code(row) for row in result["results"]), key=SEVERITY.index)


def _executions(options: Namespace) -> list[Execution]:
    """The ways to execute a network besides the one that decides.  Raises :class:`Refused`."""
    usual = ON[options.device] if options.device == "gpu" else ()
    asked = list(dict.fromkeys(name.lower() for name in options.precision or usual))
    if unknown := [name for name in asked if name not in PRECISIONS]:
        raise Refused(f"no precision {unknown[0]!r}; known are {', '.join(PRECISIONS)}")
    if "tf32" in asked and options.device == "cpu":
        raise Refused("tf32 is a precision of GPUs: leave it out, or add --device gpu")
    found = [Execution(name, options.device) for name in asked if name != PLAIN.precision]
    if options.compiled:
        found.append(Execution(PLAIN.precision, options.device, compiled=True))
    return [] if options.no_numbers else found


def _kept_rows(options: Namespace, models: list[Model]) -> None:
    """Whether the rows to be kept whole exist and have a place.  Raises :class:`Refused`."""
    if not options.arrays:
        return
    if not options.evidence or options.no_numbers:
        raise Refused("--arrays keeps results beside the evidence: add --evidence DIR, run numbers")
    rows = {row.name for model in models for row in model.rows} | {EVERY}
    if unknown := [name for name in options.arrays if name not in rows]:
        near = get_close_matches(unknown[0], rows, n=1)
        guess = f": did you mean {near[0]}?" if near else ""
        raise Refused(f"none of these networks has a row {unknown[0]!r}{guess}")


def _frameworks(asked: list[str]) -> list[str]:
    """The frameworks asked for, or all that are installed.  Raises :class:`Refused`."""
    try:
        chosen = list(dict.fromkeys(map(frameworks.find, asked)))
    except frameworks.UnknownFramework as unknown:
        raise Refused(str(unknown)) from None
    for name in chosen:
        if reason := frameworks.missing(name):
            raise Refused(reason, codes.INCONCLUSIVE)
    installed = [name for name in frameworks.frameworks() if not frameworks.missing(name)]
    if not (chosen or installed):
        extras = " or ".join(f"'.[{name}]'" for name in frameworks.frameworks())
        raise Refused(f"no framework is installed: pip install {extras}", codes.INCONCLUSIVE)
    return chosen or installed


def _here(name: str, models: list[Model], options: Namespace, output: Output) -> Json:
    """Check in one framework, in this process, and leave its evidence."""
    outcomes: list[Checked] = []
    with environment(NO_GPU if options.device == "cpu" else on_gpu()):
        with aside(options.debug) as terminal, bar(f"starting {name}", terminal):
            gpu = {"gpu": _gpu(name)} if options.device == "gpu" else {}
            versions = frameworks.tracer(name).versions() | gpu
        code = evidence.code_identity(name)
        backend = frameworks.backend(name)
        run = evidence.Run(name, options.device, versions, options.seed, code, backend=backend)
        if options.evidence:
            run.selftest = evidence.earlier_selftest(run, options.evidence)

        def result() -> Json:
            rows = _result([each.as_json() for each in outcomes], options)
            return rows | {"frameworks": {name: {"device": options.device, "versions": versions}}}

        for model in models:
            if options.finished:
                put(json.dumps({"at": model.name} | result()), options.finished)
            try:
                outcomes.append(_outcome(run, model, options))
                if options.evidence:
                    _keep(run, options.evidence)
            except KeyboardInterrupt:
                if not run.placed:
                    raise
                kept = f"{len(run.placed)} of {len(models)} networks is in {options.evidence}"
                raise Refused(f"interrupted; evidence of {kept}", codes.INTERRUPTED) from None
            if options.format == "text":
                width = max(len(each.name) for each in models)
                _lines(outcomes[-1].as_json(), width, output)
    using = f" with {backend}" if backend else ""
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    _last_line(f"{name}{using} on {options.device} ({packages})", result(), output)
    return result()


def _keep(run: evidence.Run, place: Path) -> None:
    """Write down what has been finished, so that nothing after it can take it away."""
    try:
        evidence.write(run, place)
    except OSError as error:
        raise Refused(f"cannot write into {place}: {error.strerror}") from None


def _gpu(name: str) -> str:
    """The name of the GPU that a framework sees.  Raises :class:`Refused` where it sees none."""
    if found := frameworks.tracer(name).gpu():
        return str(found)
    raise Refused(f"{name} sees no GPU here: leave out --device gpu", codes.INCONCLUSIVE)


def _outcome(run: evidence.Run, model: Model, options: Namespace) -> Checked:
    """Examine one network and judge it; what was found goes into the run."""
    numbers = not options.no_numbers
    repeat = Repeat(run.seed, options.repeat) if options.repeat > 1 else None
    with aside(options.debug) as terminal:
        if not _implemented(run.framework, model):
            return not_run(run.framework, model, "there is no implementation")
        with bar(f"{model.name} in {run.framework}", terminal) as progress:
            try:
                record = examine(
                    run.framework, model, numbers=numbers, thorough=options.thorough,
                    seed=run.seed, how=Execution(device=options.device),
                    others=options.executions,
                    arrays=options.arrays or (), repeat=repeat, progress=progress,
                )  # fmt: skip
                beside = {
                    each.name: run.records.get(each.name)
                    or examine(run.framework, each, numbers=False)
                    for each in compared_with(model)
                    if _implemented(run.framework, each)
                }
            except Exception as error:
                said = memory.shortage(error)
                if not said and not isinstance(error, UntraceableModel):
                    raise
                return not_run(run.framework, model, said or str(error))
    run.records[model.name] = record
    return outcome(
        run.framework, model, record, numbers, beside, options.thorough, repeat, options.executions
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


def _apart(name: str, models: list[Model], options: Namespace, output: Output) -> Json:
    """Check in one framework in a process of its own: none has to hold more than one of them."""
    with tempfile.TemporaryDirectory() as room:
        target, finished = Path(room) / "result.json", Path(room) / "finished.json"
        command = [
            *boot.command("conformance", "check", *(model.name for model in models)),
            *("--framework", name, "--device", options.device, "--seed", str(options.seed)),
            *("--json", str(target), "--finished", str(finished)),
            *(("--evidence", str(options.evidence)) if options.evidence else ()),
            *(part for each in options.precision or () for part in ("--precision", each)),
            *(part for each in options.arrays or () for part in ("--arrays", each)),
            *(("--compiled",) if options.compiled else ()),
            *(("--no-numbers",) if options.no_numbers else ()),
            *(("--thorough",) if options.thorough else ()),
            *("--repeat", str(options.repeat)),
            *(("--debug",) if options.debug else ()),
        ]
        output.flush()
        code, peak = _waited(subprocess.Popen(command, stdout=2 if output.aside else None))
        if target.exists():
            part: Json = json.loads(target.read_text(encoding="utf-8"))
            return part
        done: Json = {"at": "", "frameworks": {}, "results": []}
        if finished.exists():
            done = json.loads(finished.read_text(encoding="utf-8"))
    if code == codes.INCONCLUSIVE:  # it has said why
        return done | {"results": _rest(name, models, done, "the framework could not be run")}
    if code >= 0:
        raise Refused(f"the run of {name} ended with exit code {code}", codes.FAULT)
    how = f"killed by {signal.Signals(-code).name}"
    if code == -signal.SIGKILL:  # nobody else does that to a process
        how += f", as the system does for want of memory: {memory.held(peak)}"
    at = f" at {done['at']}" if done["at"] else ""
    output.line(f"the run of {name} ended{at}: {how}", style="yellow")
    return done | {"results": _rest(name, models, done, f"the run of {name} ended{at}: {how}")}


def _rest(name: str, models: list[Model], done: Json, reason: str) -> list[Json]:
    """The rows that a process has finished, and one for each network that it has not."""
    rows = {row["architecture"]: row for row in done["results"]}
    return [rows.get(each.name) or not_run(name, each, reason).as_json() for each in models]


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """The exit code of a process, which is given time to leave nothing half-written, and the most
    memory that it held, as the system counts it."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, usage.ru_maxrss
    except KeyboardInterrupt:
        # The terminal has told it as well; whoever told only us has to wait for our word.
        for patience, word in ((5, signal.SIGINT), (10, signal.SIGKILL)):
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(word)
        if process.wait() != -signal.SIGKILL:  # then it has said so
            raise Refused("", codes.INTERRUPTED) from None
        raise


def _result(rows: list[Json], options: Namespace) -> Json:
    """The result; it deviates if any network does, and conforms only if all do."""
    return {
        "schema": 1,
        "verdict": overall(row["verdict"] for row in rows),
        "seed": options.seed,
        "numbers": not options.no_numbers,
        "checks": {key: sum(row["checks"][key] for row in rows) for key in ("planned", "run")},
        "results": rows,
    }


def _lines(row: Json, width: int, output: Output) -> None:
    """One line for a network, and one below it for each thing that is wrong or open."""
    from rich.text import Text

    room = max(map(len, frameworks.frameworks()))
    said = f"{row['architecture']:{width}}  {row['framework']:{room}}  "
    verdict = f"{row['verdict']:12}", render.COLOURS.get(row["verdict"], "yellow")
    line = Text.assemble(said, verdict)
    output.console.print(line, Text(summary(row)), soft_wrap=True)
    for sentence in sentences(row["repeat"]) if row["repeat"] else ():
        output.line(f"    {sentence}")
    reasons = render.sentences(row)
    for sentence in reasons[:SENTENCES]:
        output.line(f"    {sentence}")
    if (more := len(reasons) - SENTENCES) > 0:
        output.line(f"    and {more} more: --json FILE has them all")


def _last_line(who: str, result: Json, output: Output) -> None:
    counts = Counter(row["verdict"] for row in result["results"])
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
    checks = result["checks"]
    output.line(f"{who}: {verdicts}; {checks['run']:,} of {checks['planned']:,} checks ran")
