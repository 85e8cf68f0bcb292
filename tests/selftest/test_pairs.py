"""Two models with weights of their own: what differs is found, named, and carried over."""

import json
from functools import partial
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file

from conformance.cli import main
from conformance.data import schema
from conformance.judge.compare import compare
from conformance.judge.convert import CannotConvert, convert, write
from conformance.judge.finding import DIFFER, SAME
from conformance.judge.results import Compare
from conformance.numbers.initial import initial
from conformance.numbers.own_weights import Side
from conformance.ports import implementations as frameworks
from conformance.trace.port import Own
from tests.selftest.rows import parametrize, rows

#: Where the models below are found by the names of their modules.
ROOT = Path(__file__).parents[2]


def pytest_generate_tests(metafunc):
    for name, listed in (("pair", "PAIRS"), ("start", "STARTS")):
        if name in metafunc.fixturenames:
            parametrize(metafunc, name, partial(rows, file="pairs", name=listed))


def sides(room, pair):
    port = frameworks.tracer(room).port
    return [
        Side(name, port(factory), pair.size)
        for name, factory in (("one", pair.one), ("other", pair.other))
    ]


@pytest.mark.numbers
def test_what_differs_is_named(pair):
    """The verdict, the slot or attribute with its word, and the layer where results part."""
    room, pair = pair
    a, b = sides(room, pair)
    found = compare(a, b)
    assert pair.open in found.problem
    assert (found.run == found.planned) == (not found.problem) == (not pair.open)
    assert all("spare" in note for note in found.notes)
    assert found.verdict == (DIFFER if pair.node else SAME)
    named = {(a.at(f.expected_node), f.attribute): f.found for f in found.structure} | {
        (a.at(s.a, s.training), s.slot): s.relation.word
        for s in found.slots
        if not s.relation.equal
    }
    assert not pair.node or named[pair.node, pair.attribute] == pair.found
    assert (a.at(found.parted.a) if found.parted else "") == pair.parts


def test_a_round_trip_is_exact(pair, tmp_path):
    """What A's values become in B and then in A again is what they were, bit for bit."""
    room, pair = pair
    a, b = sides(room, pair)
    if pair.stops:
        with pytest.raises(CannotConvert, match=pair.stops):
            convert(a, b)
        return
    there = convert(a, b)
    assert {handle: array.shape for handle, array in there.items()} == {
        handle: array.shape for handle, array in b.own.arrays.items()
    }
    write(there, tmp_path / "there.safetensors")
    b.own = Own(load_file(tmp_path / "there.safetensors"))
    back = convert(b, a)
    assert back.keys() == a.own.arrays.keys()
    for handle, array in a.own.arrays.items():
        assert np.array_equal(back[handle].view(np.uint8), array.view(np.uint8)), handle


def test_a_start_is_judged(start):
    """Right initial values have a scheme for each kernel; wrong ones are one finding, in place."""
    room, start = start
    side = Side("start", frameworks.tracer(room).port(start.model), start.size)
    found = initial(side.graph, side.own)
    kernels = [i for i, node in enumerate(side.graph) if "kernel" in node.parameters]
    wrong = [(side.at(each.node), each.finding) for each in found if each.finding]
    judged = {each.node for each in found if each.slot == "kernel"}
    assert judged == set(kernels)
    assert [node for node, _ in wrong] == [start.node] * bool(start.node)
    assert all(start.said in said for _, said in wrong)


@pytest.mark.numbers
def test_compare_on_the_command_line(framework, tmp_path, capsys, monkeypatch):
    """Exit code 0 for the same, 1 for others; the result follows its schema."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    monkeypatch.chdir(ROOT)
    port = f"tests.selftest.{framework}.pairs:"
    size = "x".join(map(str, rows(framework, "pairs", "PAIRS")["the same"].size))
    for other, code, verdict in (("network", 0, "same"), ("wrong_epsilon", 1, "differ")):
        result = tmp_path / f"{other}.json"
        arguments = ["compare", f"{port}network", f"{port}{other}", "--input", size]
        assert main([*arguments, "--json", str(result)]) == code
        data = json.loads(result.read_text(encoding="utf-8"))
        jsonschema.validate(data, schema(Compare))
        assert data["verdict"] == verdict
        assert max(map(len, capsys.readouterr().out.splitlines()[2:])) <= 80


def test_convert_on_the_command_line(framework, tmp_path, capsys, monkeypatch):
    """A file in B's names is written; where the structures part, none is, and one line says why."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    monkeypatch.chdir(ROOT)
    port = f"tests.selftest.{framework}.pairs:"
    size = "x".join(map(str, rows(framework, "pairs", "PAIRS")["the same"].size))
    target = tmp_path / "out.safetensors"
    for other, code in (("smaller", 1), ("network", 0)):
        arguments = ["convert", f"{port}network", f"{port}{other}", "--input", size]
        assert main([*arguments, "--out", str(target)]) == code
        assert target.exists() == (code == 0)
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == (code != 0)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
