"""A site leads everywhere and runs nothing but its own script, whatever a network is called."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path, PurePosixPath
from typing import get_args, get_type_hints
from urllib.parse import unquote

import pytest
from msgspec import structs

from conformance.data import written
from conformance.graph.align import align
from conformance.graph.model import Graph, Node, Where
from conformance.judge.record.rows import GraphRow
from conformance.judge.results import Compare, Gate
from conformance.reports import curves, fold, layout, site
from conformance.reports.folder import NotOurs
from conformance.reports.results import results
from tests.selftest.tiny import PROFILE, REFERENCE, STRANGE, graph, parity, record, run, thorough

pytestmark = pytest.mark.bare

STRANGER = '<img src=x onerror="alert(1)"><script>alert(2)</script> | `x` [y](javascript:z)'

EVIDENCE = {
    "two that agree": [run("one"), run("two")],
    "two that differ": [run("one"), run("two", record(of=STRANGE, error=1e-9, problem=STRANGER))],
    "one without values": [run("one", record(numbers=False))],
    "not a number": [run("one", record(error=nan)), run("two", record(error=inf))],
    "in every mode": [run("one", thorough(), selftest=True), run("two", thorough(error=1e-9))],
    "none": [],
}

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """The ids, links and scripts of a page; an element that is not closed is a fault."""

    def __init__(self, text):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes), f"{tag} has an attribute twice"
        self.elements.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def documents(tmp_path):
    """A reference of two tiny networks."""
    place = tmp_path / "reference"
    place.mkdir()
    (place / "tiny.md").write_text(REFERENCE)
    (place / "profiles").mkdir()
    (place / "profiles/tiny.md").write_text(PROFILE)
    return place


@pytest.fixture
def write(documents, tmp_path):
    """Writes a site of some runs and returns its files by their paths."""

    def written(runs, to=tmp_path / "site"):
        site.write(results(runs, documents), runs, to, documents)
        return {
            path.relative_to(to).as_posix(): path.read_text(encoding="utf-8")
            for path in to.rglob("*")
            if path.is_file()
        }

    return written


@pytest.mark.parametrize("runs", EVIDENCE.values(), ids=EVIDENCE)
def test_every_link_leads_somewhere(runs, write):
    """Pages are well-formed, no id is there twice, and every link of the site has its target."""
    files = write(runs)
    pages = {name: Page(text) for name, text in files.items() if name.endswith(".html")}
    assert sorted(pages) == [
        "index.html",
        "ledger.html",
        "networks/Tiny-A.html",
        "networks/Tiny-B.html",
        "selftest.html",
        "variants.html",
    ]
    for name, page in pages.items():
        assert len(set(page.ids)) == len(page.ids), name
        for link in page.links:
            path, _, fragment = link.partition("#")
            target = PurePosixPath(name).parent / path if path else PurePosixPath(name)
            found = Path(*target.parts).as_posix().replace("networks/../", "")
            assert found in files, f"{name} leads to {link}"
            assert not fragment or unquote(fragment) in pages[found].ids, f"{name}: {link}"


@pytest.mark.parametrize("runs", EVIDENCE.values(), ids=EVIDENCE)
def test_nothing_of_a_name_runs(runs, write):
    """A page has one script, which is ours, and its policy allows no other and no network."""
    for name, text in write(runs).items():
        if not name.endswith(".html"):
            continue
        page = Page(text)
        assert [tag for tag, _ in page.elements].count("script") == 1
        assert not {"img", "iframe", "object", "i"} & {tag for tag, _ in page.elements}
        for _, attributes in page.elements:
            assert not [key for key in attributes if key.startswith("on") or key == "style"]
            assert not str(attributes.get("href")).startswith("javascript")
        (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        digest = b64encode(sha256(script.encode()).digest()).decode()
        policy = str(next(a["content"] for _, a in page.elements if "http-equiv" in a))
        assert policy.startswith("default-src 'none';")
        assert policy.endswith(f"script-src 'sha256-{digest}'")


@pytest.mark.parametrize("runs", EVIDENCE.values(), ids=EVIDENCE)
def test_same_evidence_same_bytes(runs, write, tmp_path):
    """A second site from the same evidence changes no byte and leaves nothing else behind."""
    assert write(runs) == write(runs) == write(runs, tmp_path / "again")


def test_what_is_wrong_is_marked_at_its_node(write):
    """The node whose value first differs is marked in the picture and in its line."""
    nodes = parity(graph()).nodes
    wrong = record(nodes=(nodes[0], *(structs.replace(each, error=1e-3) for each in nodes[1:])))
    page = write([run("one"), run("two", wrong)])["networks/Tiny-A.html"]
    (line,) = re.findall(r'<tr id="n2".*', page)
    assert "two first differs here" in line
    assert 'id="g2" class="function marked"' in page
    assert 'id="g1" class="weights"' in page


def test_what_two_runs_have_apart_is_told(write):
    """Another kernel in one of two runs stands at the top of the page and at its node."""
    page = write([run("one"), run("two", record(of=STRANGE))])["networks/Tiny-A.html"]
    assert "one and two differ at node 1, conv in conv1: kernel, 3x3 and 9x9" in page
    assert "kernel is 9x9 in two" in page


def test_a_stranger_is_refused(write, tmp_path):
    """A folder that holds anything that no report wrote is left as it is."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/notes.txt").write_text("mine")
    with pytest.raises(NotOurs, match=r"notes\.txt"):
        write([run()])
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["notes.txt"]


def test_an_earlier_site_is_replaced(write, tmp_path):
    """Pages of networks that are no longer there go."""
    write([run()])
    (tmp_path / "site/networks/Gone.html").write_text(f"{site.MARK}\nold")
    assert "networks/Gone.html" not in write([run("one"), run("two")])


def chain(blocks, width=4):
    """Residual blocks alike, one after another."""
    nodes = [Node("input", {}, (), (8, 8, width))]
    for _ in range(blocks):
        start = len(nodes) - 1
        for kind in ("conv", "batch_norm", "relu", "conv"):
            kernel = {"kernel": (3, 3), "stride": (1, 1)} if kind == "conv" else {}
            nodes.append(Node(kind, kernel, (len(nodes) - 1,), (8, 8, width)))
        nodes.append(Node("add", {}, (len(nodes) - 1, start), (8, 8, width)))
        nodes.append(Node("relu", {}, (len(nodes) - 1,), (8, 8, width)))
    return Graph(nodes, (0,), (len(nodes) - 1,))


def test_blocks_alike_are_drawn_once():
    """Of a hundred blocks alike, all but the first are one box, and every node has its part."""
    deep = chain(100)
    (part,) = fold.parts(deep, [""] * len(deep))
    assert part.nodes == list(range(601))
    folded = [node for _, nodes in part.repeats for node in nodes]
    assert len(folded) >= 590
    assert len(set(folded)) == len(folded)


@pytest.mark.parametrize("change", ["marked", "other kernel"])
def test_a_block_that_is_not_like_the_others_is_drawn(change):
    """A node with a finding, or with another kernel, is never folded away."""
    deep = chain(100)
    odd = 6 * 50 + 1
    if change == "other kernel":
        deep.nodes[odd] = replace(deep.nodes[odd], attributes={"kernel": (1, 1), "stride": (1, 1)})
    (part,) = fold.parts(deep, [""] * len(deep), {odd} if change == "marked" else ())
    assert odd not in {node for _, nodes in part.repeats for node in nodes}
    assert len(part.repeats) == 2


def test_boxes_do_not_overlap():
    """Boxes of a layer keep their distance, and every edge leads down."""
    edges = [(0, 1), (0, 2), (0, 3), (0, 4), (2, 5), (5, 6), (3, 7), (1, 8), (6, 8), (7, 8), (4, 8)]
    found = layout.layered(9, edges)
    for number, (x, y) in enumerate(found.boxes):
        for a, b in found.boxes[:number]:
            assert y != b or abs(x - a) >= layout.BOX - 1e-9
    for (a, b), points in zip(edges, found.edges, strict=True):
        assert (points[0], points[-1]) == (found.boxes[a], found.boxes[b])
        assert [y for _, y in points] == list(range(int(points[0][1]), int(points[-1][1]) + 1))


def test_what_exceeds_the_bound_lies_above_it():
    """On the plot an error beyond its bound is higher than it, and one that is none is marked."""
    curve = curves.Curve("one", (1, 2, 3), (1e-14, 1e-3, nan), (1e-10, 1e-10, 1e-10))
    plot = curves.plot([curve])
    assert plot is not None
    (line,) = plot.lines
    errors, bounds = (
        [float(pair.split()[1]) for pair in path[1:].split("L")]
        for path in (line.errors, line.bounds)
    )
    assert errors[0] > bounds[0] and errors[1] < bounds[1]
    assert len(errors) == 2 and line.lost == curves.LEFT + curves.WIDTH
    assert curves.plot([]) is None


def ported(found, **changes):
    """What the gate hands over for a port of a tiny network."""
    expected = graph()
    alignment = align(expected, found)
    return {
        "port": f"{STRANGER}.py:net",
        "architecture": "Tiny-A",
        "verdict": "deviates",
        "variant": None,
        "findings": [
            {
                "check": "structure",
                "node": "conv1",
                "port_node": str(found.nodes[1].where),
                "attribute": "kernel",
                "expected": (3, 3),
                "found": (9, 9),
                "hint": STRANGER,
                "source": "Table 1",
            }
        ],
        "totals": {"parameters": 47},
        "checks": {"planned": 9, "run": 5},
        "expected": written(GraphRow.of(expected)),
        "found": written(GraphRow.of(found)),
        "pairs": {str(a): b for a, b in alignment.pairs.items()},
        "parity": {"nodes": [{"node": 1, "error": None, "bound": 1e-10}]},
    } | changes


def longer():
    """The tiny network with a second activation."""
    nodes = graph().nodes
    more = Node("tanh", {}, (2,), (2, 2, 2), where=Where(STRANGER))
    tail = [replace(node, inputs=(node.inputs[0] + 1,)) for node in nodes[3:]]
    return Graph([*nodes[:3], more, *tail], (0,), (5,))


PORTS = {
    "another kernel": (ported(STRANGE), "kernel: 3x3 expected, 9x9 found", 1),
    "a layer too many": (ported(longer(), parity={}), "only in the port", 3),
    "not a number": (ported(graph(), findings=[]), "the first value that differs", 1),
}


@pytest.mark.parametrize(("data", "said", "node"), PORTS.values(), ids=PORTS)
def test_a_port_parts_at_its_node(data, said, node, tmp_path):
    """The page of a port says at the node what differs there, and nowhere else."""
    site.port_page(data, tmp_path / "port.html")
    text = (tmp_path / "port.html").read_text(encoding="utf-8")
    page = Page(text)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    (line,) = re.findall(r'<tr id="line\d+"[^>]*data-is="differs".*?</tr>', text, re.DOTALL)
    assert f'id="f{node}"' in line and said in line
    assert "Where the two first part" in text
    assert not {"img", "i"} & {tag for tag, _ in page.elements}
    assert [tag for tag, _ in page.elements].count("script") == 1


def test_a_port_that_was_not_traced_has_its_page(tmp_path):
    """Without graphs there are the findings, and no picture."""
    data = {key: ported(graph())[key] for key in ("port", "architecture", "findings")}
    site.port_page(data | {"verdict": "inconclusive"}, tmp_path / "port.html")
    page = Page((tmp_path / "port.html").read_text(encoding="utf-8"))
    assert "svg" not in {tag for tag, _ in page.elements}
    assert [path.name for path in tmp_path.iterdir()] == ["port.html"]


VERDICTS = {word for row in (Gate, Compare) for word in get_args(get_type_hints(row)["verdict"])}


@pytest.mark.parametrize("verdict", sorted(VERDICTS))
def test_every_verdict_has_its_page(verdict, tmp_path):
    """Of a port beside the paper, and of two ports beside each other."""
    site.port_page(ported(graph()) | {"verdict": verdict}, tmp_path / "port.html")
    text = (tmp_path / "port.html").read_text(encoding="utf-8")
    assert re.search(rf'<span class="status {verdict}">\S {verdict}</span>', text)
