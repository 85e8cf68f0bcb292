"""Room for frameworks to talk, and a bar on the terminal while they work."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO

#: Without a GPU in sight a framework computes on the processor, which is then what we may say.
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def on_gpu() -> dict[str, str]:
    """Variables by which a framework leaves the memory that it does not need to others, and
    computes the same in every run, without trying first which of several ways is the fastest.

    XLA's own autotuning stays on: without it convolutions never use the units that compute TF32.
    """
    flag = "--xla_gpu_deterministic_ops=true"
    return {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_FLAGS": f"{flag} {os.environ.get('XLA_FLAGS', '')}".rstrip(),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_DETERMINISTIC_OPS": "1",
    }


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
