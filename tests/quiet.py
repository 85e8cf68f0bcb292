"""Room for frameworks to talk, and a bar on the terminal while they work: for our own tests."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO


@contextmanager
def aside(show: bool) -> Iterator[IO[str]]:
    """Keep what frameworks print, from any language, off both of our streams.

    Yields standard error as it was.  With ``show`` it is also where their words go.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with os.fdopen(os.dup(2), "w") as terminal, tempfile.TemporaryFile("w") as unread:
        words = terminal if show else unread
        try:
            os.dup2(words.fileno(), 1)
            os.dup2(words.fileno(), 2)
            with redirect_stdout(words), redirect_stderr(words):
                yield terminal
        finally:
            words.flush()
            for number, stream in enumerate(kept, 1):
                os.dup2(stream, number)
                os.close(stream)


@contextmanager
def bar(title: str, terminal: IO[str]) -> Iterator[Callable[[int, int], None]]:
    """A bar over the nodes of a running network; nothing where there is no terminal."""
    if not terminal.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("nodes"),
        TimeElapsedColumn(),
    )  # fmt: skip
    shown = Progress(
        *columns, console=Console(file=terminal), transient=True,
        redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
    with shown:
        task = shown.add_task("", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
