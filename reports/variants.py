"""Known variants: what each says, where it is found, and which differences it explains."""

from __future__ import annotations

import re
from itertools import groupby

from conformance.reference.variants import COLUMNS, profiles
from conformance.reports.cells import listed, table, text
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import blocks, count, prose


def context(view: View) -> Json:
    """The families that have variants, those of any network last, and their variants."""
    titles = {family.stem: family.title for family in view.families}
    known = profiles(view.documents / "profiles")
    found = []
    for stem, own in groupby(known, key=lambda each: each.family):
        variants = [
            {
                "id": re.sub(r"\W+", "-", f"{stem} {each.name}"),
                "name": each.name,
                "models": listed(each.models),
                "says": f"{each.says[:1].upper()}{each.says[1:]}.",
                "source": each.source,
                "found_in": each.found_in,
                "another": each.another,
                "differences": [
                    [d.layer, d.node, d.attribute, d.paper, d.variant, d.count]
                    for d in each.differences
                ],
            }
            for each in own
        ]
        title = "Any network" if stem == "any" else titles.get(stem, stem)
        found.append({"stem": stem, "title": title, "variants": variants})
    found.sort(key=lambda each: each["stem"] == "any")
    return {"columns": COLUMNS, "families": found}


def summary(view: View) -> str:
    """How many there are, for the front page."""
    families = context(view)["families"]
    return count(sum(len(each["variants"]) for each in families), "variant")


def page(view: View) -> str:
    """The page in Markdown."""
    families = context(view)["families"]
    parts = [
        "# Known variants",
        "[All networks](index.md). A port whose differences are all in such a table is that"
        " variant, or several at once, and not a mistake; with one difference more it deviates,"
        " and only that one is shown. A star stands for anything.",
        "" if families else "The reference has none.",
    ]
    for family in families:
        page = "" if family["stem"] == "any" else f"[Its tables]({family['stem']}.md)"
        parts += [f"## {text(family['title'])}", page]
        for each in family["variants"]:
            notes = {
                "of": text(each["models"]),
                "source": prose(each["source"]),
                "found in": prose(each["found_in"]),
            }
            another = " **Another network, which only bears the name.**" if each["another"] else ""
            parts += [
                f'### <a id="{each["id"]}"></a>{text(each["name"])}',
                f"{prose(each['says'])}{another}",
                "\n".join(f"- {key}: {value}" for key, value in notes.items() if value),
                table(COLUMNS, [list(map(text, row)) for row in each["differences"]]),
            ]
    return blocks(*parts)
