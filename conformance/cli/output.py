"""What a command writes: lines and tables for people, JSON for programs, and refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.files import put, refuse_early


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
        if target and not self.aside:
            refuse_early(Path(target))

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line, however long: it is wrapped by nobody but the terminal."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

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
            table.add_row(*map(Text, row))
        with self.console.capture() as drawn:
            self.console.print(table)
        self.console.file.writelines(line.rstrip() + "\n" for line in drawn.get().splitlines())

    def result(self, data: dict[str, Any]) -> None:
        """The result for programs, if it was asked for."""
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if self.aside:
            sys.stdout.write(text)
        elif self.target:
            put(text, Path(self.target))

    def again(self, told: list[list[Any]]) -> None:
        """What :class:`Told` has kept."""
        for method, *arguments in told:
            getattr(self, method)(*arguments)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal while something is done; nothing elsewhere."""
        bar = Progress()
        try:
            yield bar
        finally:
            bar.hide()


class Told:
    """Lines and tables of a job, for the command that has asked for it."""

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []

    def line(self, text: str = "", style: str | None = None) -> None:
        """See :meth:`Output.line`."""
        self.lines.append(["line", text, style])

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See :meth:`Output.table`."""
        self.lines.append(["table", columns, rows])


class Progress:
    """What is being done, and how far it is."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        self.shown = progress.Progress(
            progress.SpinnerColumn(), progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(), progress.TimeElapsedColumn(),
            console=console, transient=True, disable=not console.is_terminal,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self.task = self.shown.add_task("starting", total=None)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show a stage of the work."""
        self.shown.start()
        self.shown.update(self.task, description=stage, completed=done, total=total or None)

    def hide(self) -> None:
        """Make room for lines; the next stage shows it again."""
        self.shown.stop()
