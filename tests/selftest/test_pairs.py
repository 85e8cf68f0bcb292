"""Two models with weights of their own: what differs is found, named, and carried over."""

import json
from dataclasses import replace
from functools import partial
from importlib import import_module
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
from conformance.ports import sandbox
from conformance.trace.port import Own
from tests.here import work
from tests.selftest import mutants
from tests.selftest.rows import parametrize, rows

#: Where the models below are found by the names of their modules.
ROOT = Path(__file__).parents[2]


def pytest_generate_tests(metafunc):
    if "pair" in metafunc.fixturenames:
        parametrize(metafunc, "pair", pairs)
    if "start" in metafunc.fixturenames:
        parametrize(metafunc, "start", partial(rows, file="pairs", name="STARTS"))


def pairs(room):
    """The pairs of a room, and its small network beside what the list of bugs makes of it."""
    small = import_module(f"tests.selftest.{room}.pairs").network
    listed = {
        name: replace(bug, right=small, parts=bug.parts or bug.layer)
        for name, bug in mutants(room).items()
        if bug.mode == "compare"
    }
    return rows(room, "pairs", "PAIRS") | listed


def size(room):
    """That of the images that every network of its pairs takes."""
    return import_module(f"tests.selftest.{room}.pairs").SIZE


def sides(room, pair):
    port = frameworks.tracer(room).port
    models = {"one": pair.right, "other": pair.wrong}
    return [Side(name, port(factory), size(room)) for name, factory in models.items()]


@pytest.mark.numbers
def test_what_differs_is_named(pair):
    """The verdict, the slot or attribute with its word, and the layer where results part."""
    room, pair = pair
    a, b = sides(room, pair)
    found = compare(a, b)
    assert pair.open in found.problem
    assert (found.run == found.planned) == (not found.problem) == (not pair.open)
    assert all("spare" in note for note in found.notes)
    assert found.verdict == (DIFFER if pair.layer else SAME)
    named = {(a.at(f.expected_node), f.attribute): f.found for f in found.structure} | {
        (a.at(s.a, s.training), s.slot): s.relation.word
        for s in found.slots
        if not s.relation.equal
    }
    assert not pair.layer or str(named[pair.layer, pair.attribute]) == str(pair.found)
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


def test_a_right_start_has_a_scheme(start):
    """Every kernel is judged, and none is a finding; wrong ones are in the list of bugs."""
    room, model = start
    side = Side("start", frameworks.tracer(room).port(model), size(room))
    found = initial(side.graph, side.own)
    kernels = {i for i, node in enumerate(side.graph) if "kernel" in node.parameters}
    assert {each.node for each in found if each.slot == "kernel"} == kernels
    assert not [each.finding for each in found if each.finding]


@pytest.mark.numbers
def test_compare_on_the_command_line(framework, tmp_path, capsys, monkeypatch):
    """Exit code 0 for the same, 1 for others; the result follows its schema."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    monkeypatch.chdir(ROOT)
    port = f"tests.selftest.{framework}.pairs:"
    image = "x".join(map(str, size(framework)))
    for other, code, verdict in (("wrong_epsilon", 1, "differ"), ("network", 0, "same")):
        result = tmp_path / f"{other}.json"
        arguments = ["compare", f"{port}network", f"{port}{other}", "--input", image]
        assert main([*arguments, "--json", str(result)]) == code
        data = json.loads(result.read_text(encoding="utf-8"))
        jsonschema.validate(data, schema(Compare))
        assert data["verdict"] == verdict
        assert max(map(len, capsys.readouterr().out.splitlines()[2:])) <= 80
        monkeypatch.setattr(sandbox, "work", work)  # one process of its own is enough


def test_convert_on_the_command_line(framework, tmp_path, capsys, monkeypatch):
    """A file in B's names is written; where the structures part, none is, and one line says why."""
    if reason := frameworks.missing(framework):
        pytest.skip(reason)
    monkeypatch.chdir(ROOT)
    port = f"tests.selftest.{framework}.pairs:"
    image = "x".join(map(str, size(framework)))
    target = tmp_path / "out.safetensors"
    for other, code in (("smaller", 1), ("network", 0)):
        arguments = ["convert", f"{port}network", f"{port}{other}", "--input", image]
        assert main([*arguments, "--out", str(target)]) == code
        assert target.exists() == (code == 0)
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == (code != 0)
        monkeypatch.setattr(sandbox, "work", work)  # one process of its own is enough
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
