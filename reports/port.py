"""A stranger's port beside what it is meant to be: what the template of its page is filled with."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from conformance import reference
from conformance.data import read
from conformance.graph.align import Alignment, findings
from conformance.graph.model import Graph
from conformance.graph.rows import row_of
from conformance.judge.record.rows import GraphRow
from conformance.reports import curves, labels
from conformance.reports.drawing import draw
from conformance.reports.fold import Part, parts
from conformance.reports.network import error
from conformance.reports.results import Json
from conformance.values import text

Marks = dict[int, str]


def context(data: Json) -> Json:
    """What the page says; without graphs (a port that could not be traced) only the findings.

    ``data`` is the gate's result with ``expected`` and ``found`` (graphs as evidence writes
    them), ``pairs`` (expected node to found node) and ``parity`` (``nodes``, each with ``node``,
    an expected one, ``error``, None for no number, and ``bound``).
    """
    page: Json = {
        "port": str(data["port"]),
        "architecture": data["architecture"],
        "verdict": data["verdict"],
        "variant": data.get("variant") or "",
        "totals": list((data.get("totals") or {}).items()),
        "checks": data.get("checks") or {},
        "findings": [_finding(each) for each in data.get("findings") or ()],
        "rows": [],
        "first": None,
        "lines": [],
        "plot": None,
    }
    if data.get("expected") and data.get("found"):
        expected, found = (read(data[side], GraphRow).graph() for side in ("expected", "found"))
        pairs = {int(a): int(b) for a, b in (data.get("pairs") or {}).items()}
        page |= Pair(expected, found, pairs, data).context(page["findings"])
    return page


def _finding(finding: Json) -> Json:
    """A finding in words; its line is known when the graphs are drawn."""
    names = ("check", "node", "port_node", "attribute", "expected", "found", "hint", "source")
    return {name: text(finding.get(name)) for name in names} | {"line": None}


class Pair:
    """Two graphs, aligned: their lines side by side, and what differs at each node."""

    def __init__(self, expected: Graph, found: Graph, pairs: dict[int, int], data: Json) -> None:
        self.expected, self.found, self.pairs = expected, found, pairs
        self.back = {b: a for a, b in pairs.items()}
        try:
            names = [row.name for row in reference.find(data["architecture"]).rows]
        except reference.UnknownArchitecture:
            names = []
        self.rows = row_of(expected, names)
        self.found_rows = list(self._rows_of_found())
        nodes = (data.get("parity") or {}).get("nodes") or ()
        # What is no number is further off than any.
        self.parity = {
            each["node"]: (inf if each["error"] is None else each["error"], each["bound"])
            for each in nodes
        }
        self.marks, self.found_marks = self._marks()

    def _rows_of_found(self) -> Iterator[str]:
        """A found node's row is its counterpart's; what has none is where its input is."""
        rows: list[str] = []
        for index, node in enumerate(self.found):
            if index in self.back:
                rows.append(self.rows[self.back[index]])
            else:
                rows.append(rows[node.inputs[0]] if node.inputs else "")
            yield rows[-1]

    def _marks(self) -> tuple[Marks, Marks]:
        missing = tuple(i for i in range(len(self.expected)) if i not in self.pairs)
        extra = tuple(i for i in range(len(self.found)) if i not in self.back)
        said: tuple[dict[int, list[str]], dict[int, list[str]]] = ({}, {})
        alignment = Alignment(self.pairs, missing, extra)
        for each in findings(self.expected, self.found, alignment):
            want, have = labels.value(each.expected), labels.value(each.found)
            words = {"missing": "missing in the port", "extra": "only in the port"}.get(
                each.attribute, f"{each.attribute}: {want} expected, {have} found"
            )
            for side, node in zip(said, (each.expected_node, each.found_node), strict=True):
                if node is not None:
                    side.setdefault(node, []).append(words)
        beyond = (node for node, (off, bound) in self.parity.items() if off > bound)
        if (first := next(beyond, None)) is not None:
            for side, node in zip(said, (first, self.pairs.get(first)), strict=True):
                if node is not None:
                    side.setdefault(node, []).append("the first value that differs")
        left, right = ({i: "; ".join(w) for i, w in side.items()} for side in said)
        return left, right

    def context(self, listed: list[Json]) -> Json:
        """The part of the page that has pictures; leads ``listed`` findings to their lines."""
        lines = list(self._lines())
        # Several nodes may have one address; the one that differs is meant.
        places = {
            line["where"]: number
            for wrong in (False, True)
            for number, line in reversed(list(enumerate(lines)))
            if line["where"] and bool(line["mark"]) == wrong
        }
        for finding in listed:
            finding["line"] = places.get(finding["port_node"])
        rows = list(self._pictures())
        first = next((line["row"] for line in lines if line["mark"]), None)
        nodes = sorted(self.parity)
        errors, bounds = (tuple(self.parity[n][side] for n in nodes) for side in (0, 1))
        curve = [curves.Curve("the port", tuple(nodes), errors, bounds)] if nodes else []
        return {
            "rows": rows,
            "first": next((row for row in rows if row["row"] == first), None),
            "lines": lines,
            "row_names": list(dict.fromkeys(line["row"] for line in lines if line["row"])),
            "plot": curves.plot(curve),
        }

    def _pictures(self) -> Iterator[Json]:
        """For each row both pictures; a row that one side does not have has one."""
        left = {part.row: part for part in parts(self.expected, self.rows, self.marks)}
        right = {part.row: part for part in parts(self.found, self.found_rows, self.found_marks)}
        for row in dict.fromkeys([*left, *right]):
            wrong = sum(self.rows[i] == row for i in self.marks)
            wrong += sum(self.found_rows[i] == row for i in self.found_marks if i not in self.back)
            own = [self.marks[i] for i in self.marks if self.rows[i] == row]
            own += [self.found_marks[i] for i in self.found_marks if self.found_rows[i] == row]
            yield {
                "row": row,
                "wrong": wrong,
                "says": list(dict.fromkeys(own)),
                "expected": self._draw(self.expected, self.rows, left.get(row), self.marks),
                "found": self._draw(self.found, self.found_rows, right.get(row), self.found_marks),
            }

    @staticmethod
    def _draw(graph: Graph, rows: list[str], part: Part | None, marks: Marks) -> Any:
        return draw(graph, rows, part, marks) if part else None

    def _order(self) -> Iterator[tuple[int | None, int | None]]:
        """Both sides' nodes in the expected order; what has no partner stands where it fits."""
        extra = [i for i in range(len(self.found)) if i not in self.back]
        for index in range(len(self.expected)):
            partner = self.pairs.get(index)
            while partner is not None and extra and extra[0] < partner:
                yield None, extra.pop(0)
            yield index, partner
        yield from ((None, each) for each in extra)

    def _lines(self) -> Iterator[Json]:
        for a, b in self._order():
            off, bound = ("", "") if a is None else self.parity.get(a, ("", ""))
            words = [
                "" if a is None else self.marks.get(a, ""),
                "" if b is None else self.found_marks.get(b, ""),
            ]
            yield {
                "expected": a,
                "found": b,
                "row": self.rows[a] if a is not None else self.found_rows[b or 0],
                "want": _said(self.expected, a),
                "have": _said(self.found, b),
                "where": "" if b is None else str(self.found.nodes[b].where),
                "error": error(None if off == inf else off),
                "bound": error(bound),
                "mark": "; ".join(dict.fromkeys(filter(None, words))),
            }


def _said(graph: Graph, index: int | None) -> tuple[str, str, str]:
    if index is None:
        return ("", "", "")
    node = graph.nodes[index]
    return labels.name(node), labels.leaves(node), labels.settings(node)
