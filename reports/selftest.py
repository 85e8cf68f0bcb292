"""The self-test: wrong models that the suite has to catch, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.reports.cells import above, listed, table, text
from conformance.reports.results import Json
from conformance.reports.view import View
from conformance.reports.words import blocks, count, of

NOT_RUN = (
    "No run has judged the wrong models; pytest --framework F --evidence DIR leaves with its"
    " evidence what became of them."
)

COLUMNS = (
    "in",
    "judged",
    "killed",
    "at their layer",
    "by their word",
    "false alarms",
    "apart in values by",
)

#: What became of a wrong model, and its sign.
FATES = {
    "caught": ("✓", "found first in the layer where it is, by what it changes there"),
    "elsewhere": ("≈", "noticed, but first in another layer or by another word"),
    "survives": ("✗", "not noticed"),
    "not run": ("–", "not judged by this run"),
}


def context(view: View) -> Json:
    """What both pages say; without any run that judged wrong models, that there is none."""
    found = view.results["selftest"]
    bugs = {each["name"]: each for own in found.values() for each in own["mutants"]}
    fates = {name: {m["name"]: fate(m) for m in own["mutants"]} for name, own in found.items()}
    return {
        "labels": list(view.names.values()),
        "columns": COLUMNS,
        "fates": FATES,
        "not_run": NOT_RUN,
        "totals": [(label, totals(found.get(name))) for name, label in view.names.items()],
        "missed": list(_missed(view)),
        "modes": [
            {
                "mode": mode,
                "bugs": [
                    {key: bug[key] for key in ("name", "architecture", "layer", "attribute", "who")}
                    | {
                        "fates": [
                            fates.get(name, {}).get(bug["name"], "not run") for name in view.names
                        ]
                    }
                    for bug in bugs.values()
                    if bug["mode"] == mode
                ],
            }
            for mode in dict.fromkeys(bug["mode"] for bug in bugs.values())
        ],
    }


def fate(mutant: Json) -> str:
    """What became of a wrong model, in a word."""
    if mutant["by_word"]:
        return "caught"
    return "elsewhere" if mutant["killed"] else "survives"


def totals(found: Json | None) -> list[str]:
    """A run's counts, as they stand under the columns; no counts of what was not run."""
    if found is None:
        return ["not run", *[""] * (len(COLUMNS) - 2)]
    mutants, separation = found["mutants"], found["measured"]["separation"]
    return [
        of(len(mutants), _all(found)),
        *(str(sum(each[key] for each in mutants)) for key in ("killed", "at_layer", "by_word")),
        f"{found['false_alarms']} of {count(found['checked'], 'network')}",
        f"{above(separation)} bounds" if separation else "not run",
    ]


def summary(view: View) -> str:
    """How many wrong models each run killed, for the front page; what was not judged lives."""
    said = []
    for name, label in view.names.items():
        own = view.results["selftest"].get(name)
        killed = sum(each["killed"] for each in own["mutants"]) if own else 0
        said.append(f"{label} {of(killed, _all(own)) if own else 'not run'}")
    return f"wrong models killed: {listed(said) or 'no runs'}"


def _all(found: Json) -> int:
    """How many wrong models there are, whether or not a check looks at them."""
    return len(found["unjudged"]) + int(found["planned"])


def _missed(view: View) -> Iterator[str]:
    """What was not caught as it should be, or not judged, with what was said instead."""
    for name, own in view.results["selftest"].items():
        label = view.names[name]
        for each in own["mutants"]:
            if (word := fate(each)) != "caught":
                yield (
                    f"{label}: {each['name']} in {each['architecture']} {word}: planted is"
                    f" {each['layer']}: {each['attribute']}, said is {each['said']}"
                )
        if missing := own["planned"] - len(own["mutants"]):
            yield f"{label}: {count(missing, 'wrong model')} that a check looks at were not judged"
        if own["unjudged"]:
            yield f"{label}: no check looks at {listed(own['unjudged'])}"
        if own["false_alarms"]:
            yield f"{label}: {count(own['false_alarms'], 'finding')} on right networks"


def page(view: View) -> str:
    """The page in Markdown."""
    own = context(view)
    if not own["modes"]:
        return blocks("# Self-test", "[All networks](index.md).", NOT_RUN)
    signs = Counter(f for mode in own["modes"] for bug in mode["bugs"] for f in bug["fates"])
    parts = [
        "# Self-test",
        "[All networks](index.md). A check that cannot fail says nothing. So each mistake that"
        " ports really have is planted in a right network, and has to be found: in its layer, by"
        " what it changes there. A right network traced twice must give no finding.",
        table(COLUMNS, [[text(label), *cells] for label, cells in own["totals"]]),
        "Apart in values: by how many times its bound the least of those that were run in float64"
        " exceeds it. "
        + "; ".join(f"{sign} {says}" for word, (sign, says) in FATES.items() if signs[word])
        + ".",
        "\n".join(f"- {text(line)}" for line in own["missed"]),
    ]
    for mode in own["modes"]:
        rows = [
            [
                f"`{bug['name']}`" if bug["name"].isidentifier() else text(bug["name"]),
                *(text(bug[key]) for key in ("architecture", "layer", "attribute")),
                *(FATES[each][0] for each in bug["fates"]),
                text(bug["who"]),
            ]
            for bug in mode["bugs"]
        ]
        header = [
            "bug",
            "network",
            "row",
            "what differs",
            *map(text, own["labels"]),
            "who makes it",
        ]
        parts += [f"## Seen in {text(mode['mode'])}", table(header, rows)]
    return blocks(*parts)
