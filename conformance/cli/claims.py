"""``conformance claims``: the ledger, every printed number with what arithmetic says of it."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from conformance import reference
from conformance.cli.facts import LIVE, as_json, found
from conformance.cli.output import Output
from conformance.errors import CONFORMS, Refused

#: What can be said of a claim without building anything.
STATUSES = ("confirmed", "rounded", "ambiguous", "contradicted", "cited", LIVE)
#: What names a claim in the table; the result has its id as well.
SAID = ("model", "layer", "subject", "quantity")


HELP = """\
Where a claim stands, what is printed, what the table's own rows or the claim's formula come
to, and the status that follows; for what does not hold, what does and why.  'needs a model'
is decided by 'conformance check'.  Statuses: confirmed, rounded, ambiguous, contradicted,
cited, needs a model.

example:
  conformance claims --status contradicted
  conformance claims --section vgg-net --status rounded --status ambiguous
  conformance claims --arch googlenet --json -
"""


def options(command: ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument(
        "--status",
        metavar="S",
        action="append",
        help="of this status only (repeatable; default: all)",
    )
    command.add_argument("--section", metavar="X", help="of this section of a document only")
    command.add_argument("--arch", metavar="ARCH", help="about this network only")


def run(options: Namespace) -> int:
    """Show the claims that all filters let through, by family and in the order of their files."""
    output = Output(options.json)
    statuses = [_meant(each, STATUSES, "status") for each in options.status or []]
    every = reference.claims()
    sections = dict.fromkeys(each.section for each in every)
    section = _meant(options.section, sections, "section") if options.section else ""
    models = reference.models()
    model = found(options.arch).name if options.arch else ""
    rows = [
        {"family": claim.family, "model": claim.model, **as_json(claim, models.get(claim.model))}
        for claim in every
        if section in ("", claim.section) and model in ("", claim.model)
    ]
    rows = [row for row in rows if not statuses or row["status"] in statuses]
    if rows:
        output.table(("line", "claim", "printed", "value", "status"), list(_lines(rows)))
        output.line()
    counts = Counter(row["status"] for row in rows)
    output.line(f"{len(rows):,} of {len(every):,} claims")
    for status in (each for each in STATUSES if counts[each]):
        output.line(f"{counts[status]:,} {status}")
    output.result(
        {"schema": 1, "counts": {each: counts[each] for each in STATUSES}, "claims": rows}
    )
    return CONFORMS


def _meant(text: str, known: Iterable[str], what: str) -> str:
    """The known word that ``text`` is, or is but for its case, or for its case and punctuation.

    Raises :class:`Refused`.
    """
    words = list(known)
    for alike in (str, str.casefold, _plain):
        for word in words:
            if alike(word) == alike(text):
                return word
    near = get_close_matches(_plain(text), map(_plain, words), n=3, cutoff=0)
    nearest = dict.fromkeys(word for each in near for word in words if _plain(word) == each)
    raise Refused(f"no {what} is called {text!r}; the nearest are {', '.join(nearest)}")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _lines(rows: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """The rows of the table: a section where it changes, a claim, and why it does not hold."""
    before = ""
    for row in rows:
        if (section := f"{row['document']}, {row['section']}") != before:
            yield "", section, "", "", ""
        before = section
        value = row["counted"] or row["arithmetic"] or ""
        said = SAID[:-1] if row["quantity"] == "cited" else SAID  # its status says so
        words = " ".join(filter(None, (row[each] for each in said)))
        yield row["line"], words, row["printed"], value, row["status"]
        if row["why"]:
            yield "", row["why"], "", "", ""
