"""The report as a static site: pages that need no network, each with its style and script in it.

Templates escape whatever they are filled with, and a page's policy lets only our own script run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from errno import EEXIST
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import reference
from conformance.files import put
from conformance.judge.record.evidence import Run
from conformance.reports import ledger, network, port, selftest, variants
from conformance.reports.folder import NotOurs, begins, publish
from conformance.reports.front import worst
from conformance.reports.results import VERDICTS, Json, dumped
from conformance.reports.view import View
from conformance.reports.words import MARKS, SIGNS, counted, missing, of, subject

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: How a page, or another file of a site, begins.
MARK = "<!doctype html>\n<!-- Written by `conformance report`; it replaces this file. -->"
OURS = (MARK, '{\n"schema": ', ledger.HEADER, ledger.BADGE)

TEMPLATES = Path(__file__).with_name("templates")


def write(results: Json, runs: list[Run], folder: Path, documents: Path = reference.HERE) -> None:
    """Write the site into ``folder``, in place of an earlier one.

    Raises :class:`~reports.folder.NotOurs`, before anything is changed, where the folder holds
    a file that no report wrote.
    """
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not begins(path, OURS):
            stranger = path.relative_to(folder)
            raise NotOurs(EEXIST, f"no report wrote {stranger}; choose an empty folder", str(path))
    view = View(results, runs, documents)
    pages = {
        "index.html": page("front.html", _front(view)),
        "ledger.html": page("ledger.html", _ledger(view)),
        "selftest.html": page("selftest.html", selftest.context(view)),
        "variants.html": page("variants.html", variants.context(view)),
        **ledger.files(results),
        "results.json": dumped(results),
    }
    for each in results["networks"]:
        pages[network.page_of(each["model"])] = page("network.html", network.context(view, each))
    publish(pages, folder, OURS)


def port_page(data: Mapping[str, Any], path: Path) -> None:
    """Write the page of somebody's port, ``data`` as :func:`reports.port.context` takes it.

    The page is put in its place in one move.  Raises :class:`~conformance.errors.Refused`
    where it cannot be written.
    """
    put(page("port.html", port.context(dict(data))), path)


def page(template: str, context: Mapping[str, Any]) -> str:
    """A page of one template."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js")
    )
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    made.filters["prose"] = prose
    made.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy,
        "marks": MARKS,
        "signs": SIGNS,
    }
    return made


def prose(words: str) -> Markup:
    """The reference's own Markdown: links to the web and nothing else of it, all else as text."""
    from markupsafe import Markup, escape

    said = escape(words.replace("*", ""))
    link = r'<a href="\2" rel="noreferrer">\1</a>'
    return Markup(re.sub(r"\[([^][]+)\]\((https?://[^()\s]+)\)", link, str(said)))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _front(view: View) -> Json:
    networks = view.results["networks"]
    return {
        "summary": f"{len(networks)} published networks; {len(view.claims):,} printed numbers,"
        " each set beside what the frameworks really build; and the values of every node,"
        " compared in float64 with an independent oracle and between the frameworks.",
        "labels": list(view.names.values()),
        "verdicts": list(reversed(VERDICTS)),
        "families": [
            {
                "title": family.title,
                "networks": [
                    {
                        "model": each["model"],
                        "page": network.page_of(each["model"]),
                        "verdicts": [
                            (label, each["verdicts"][name]["verdict"])
                            for name, label in view.names.items()
                        ],
                        "agree": all(pair["agrees"] for pair in each["agreement"])
                        if each["agreement"]
                        else None,
                    }
                    for each in networks
                    if each["family"] == family.stem
                ],
            }
            for family in view.families
            if family.models
        ],
        "counts": [(word, n) for word in MARKS if (n := view.results["counts"][word])],
        "total": len(view.claims),
        "wrong": [
            {
                "id": claim["id"],
                "page": network.page_of(claim["model"]) if claim["model"] else "ledger.html",
                "subject": subject(claim),
                "printed": claim["printed"],
                "holds": counted(claim),
                "why": claim["why"],
            }
            for claim in worst(view)
        ],
        "runs": [_run(view, run) for run in view.results["runs"]],
        "missing": list(missing(view.results, view.claims)),
        "selftest": selftest.summary(view),
        "variants": variants.summary(view),
    }


def _run(view: View, run: Json) -> Json:
    checks = view.results["checks"][run["name"]]
    versions = run["environment"]["versions"].items()
    return {
        "name": run["name"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions),
        "seed": run["seed"],
        "claims": of(checks["claims"]["run"], checks["claims"]["planned"]),
        "nodes": of(checks["nodes"]["run"], checks["nodes"]["planned"]),
    }


def _ledger(view: View) -> Json:
    rows = [network.claim_row(view, claim) for claim in view.claims.values()]
    return {
        "claims": rows,
        "statuses": [word for word in MARKS if view.results["counts"][word]],
        "pages": list(dict.fromkeys(row["page"] for row in rows)),
        "sections": list(dict.fromkeys(row["section"] for row in rows)),
    }
