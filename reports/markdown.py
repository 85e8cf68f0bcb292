"""The report as Markdown: a front page, and for each family the reference's own tables again.

A page has no date, host or duration, and shows errors as powers of ten, so that a change of a page
is a change of behaviour.
"""

from __future__ import annotations

from pathlib import Path

from conformance import reference
from conformance.judge.record.evidence import Run
from conformance.reports import exact, ledger, precisions, selftest, variants
from conformance.reports.folder import publish
from conformance.reports.front import front
from conformance.reports.page import page
from conformance.reports.results import Json, dumped
from conformance.reports.view import View

#: The first line of every page, by which a report knows its own.
MARK = "<!-- Written by `conformance report`; it replaces this file. -->"


def write(results: Json, runs: list[Run], folder: Path, documents: Path = reference.HERE) -> None:
    """Write ``index.md``, a page a family and one a subject, and data into ``folder``.

    Other files there are kept.  Raises :class:`~reports.folder.NotOurs` for a file of that name
    that no report wrote, before anything is changed.
    """
    view = View(results, runs, documents)
    pages = {
        "index.md": front(view),
        "ledger.md": ledger.page(view),
        "selftest.md": selftest.page(view),
        "variants.md": variants.page(view),
        "precisions.md": precisions.page(view),
    }
    if exact.ran(view):
        pages["exact.md"] = exact.page(view)
    pages |= {f"{family.stem}.md": page(view, family) for family in view.families}
    marked = {name: f"{MARK}\n\n{text.rstrip()}\n" for name, text in pages.items()}
    data = {"results.json": dumped(results), **ledger.files(results)}
    publish(marked | data, folder, (MARK, '{\n"schema": ', ledger.HEADER, ledger.BADGE))
