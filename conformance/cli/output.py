"""What a command writes: lines and tables for people, JSON for programs, and refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.cli import baseline
from conformance.errors import CONFORMS, DEVIATES, INCONCLUSIVE, Refused
from conformance.files import put, refuse_early
from conformance.printable import line

if TYPE_CHECKING:
    from conformance.judge.document import Document
    from conformance.judge.results import Compare, Gate, Identify, Network

#: Columns that a table gets at least, whatever COLUMNS says.
NARROWEST = 40

#: The exit code of a verdict; any other word is inconclusive.
CODES = {
    "conforms": CONFORMS, "conforms-as-variant": CONFORMS, "same": CONFORMS,
    "deviates": DEVIATES, "differ": DEVIATES,
}  # fmt: skip


def code(result: Gate | Identify | Compare | Network) -> int:
    """The exit code of a result; with a baseline only what is new deviates."""
    found = CODES.get(result.verdict, INCONCLUSIVE)
    if found == DEVIATES and (passes := baseline.passes(result)) is not None:
        return CONFORMS if passes else INCONCLUSIVE
    return found


class Output:
    """Where a command's words go.

    With ``--json -`` the result is the only thing on standard output, and whatever is meant for
    people goes to standard error.
    """

    def __init__(self, target: str | None):
        from rich.console import Console

        self.target = target
        self.aside = target == "-"
        self.console = Console(stderr=self.aside, highlight=False)
        self.console.width = max(self.console.width, NARROWEST)
        if self.aside:
            _refuse_lost()
        elif target:
            refuse_early(Path(target))

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line, however long: it is wrapped by nobody but the terminal."""
        for each in text.split("\n"):
            self.console.print(line(each), style=style, markup=False, emoji=False, soft_wrap=True)

    def document(self, document: Document, form: str = "text") -> None:
        """A verdict with what it rests on."""
        if form == "markdown":
            self.line(document.markdown().rstrip())
            return
        self.line(document.headline, document.colour)
        for each in document.lines():
            self.line(each)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> None:
        """A table that fits the terminal; columns named in ``right`` are set flush right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(
                column,
                header_style="bold",
                overflow="fold",
                justify="right" if column in right.split(", ") else "left",
                min_width=max(map(len, column.split())),
            )
        for row in rows:
            table.add_row(*(Text(line(each)) for each in row))
        with self.console.capture() as drawn:
            self.console.print(table)
        self.console.file.writelines(line.rstrip() + "\n" for line in drawn.get().splitlines())

    def result(self, data: dict[str, Any]) -> None:
        """The result for programs, if it was asked for."""
        if self.aside:
            # Escapes of JSON, which any encoding has.
            sys.stdout.write(json.dumps(data, indent=1, allow_nan=False) + "\n")
            sys.stdout.flush()
            _refuse_lost()
        elif self.target:
            text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
            put(f"{text}\n", Path(self.target))

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal while something is done; nothing elsewhere."""
        bar = Progress()
        try:
            yield bar
        finally:
            bar.hide()


def _refuse_lost() -> None:
    """The result has not reached standard output, or could not."""
    if getattr(sys.stdout, "lost", ""):
        raise Refused("")  # why it is lost is told at the end


class Progress:
    """What is being done, and how far it is."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        self.shown = progress.Progress(
            progress.SpinnerColumn(), progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(), progress.TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_interactive,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self.task = self.shown.add_task("starting", total=None)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show a stage of the work."""
        self.shown.start()
        self.shown.update(self.task, description=stage, completed=done, total=total or None)

    def line(self, text: str) -> None:
        """What is known already, on a terminal above the bar."""
        if self.shown.console.is_terminal:
            self.shown.console.print(line(text), markup=False, emoji=False, soft_wrap=True)

    def hide(self) -> None:
        """Make room for lines; the next stage shows it again."""
        if not self.shown.disable:  # rich before 13.9 would end with an empty line
            self.shown.stop()
