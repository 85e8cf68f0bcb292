"""The run of every network on a GPU: how networks are dealt, and what is left of a cut run."""

import argparse

import pytest

from benchmarks import gpu
from conformance import reference
from conformance.judge.record import evidence
from conformance.judge.record.evidence import Record, Run
from conformance.numbers.precision import PRECISIONS
from tests.selftest.tiny import graph

pytestmark = pytest.mark.bare
MODELS = list(reference.models().values())


def names(hands):
    return sorted(model.name for hand in hands for model in hand)


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 16])
def test_every_network_is_dealt_once_to_every_framework(processes):
    """However many processes there are, all of them have something to do."""
    hands = gpu.divided(processes, gpu.LANES, MODELS)
    assert list(hands) == list(gpu.LANES)
    assert sum(hands.values()) == (processes if processes >= 3 else processes * 3)
    for lane, count in hands.items():
        dealt = gpu.dealt(lane, MODELS, count)
        assert names(dealt) == names([MODELS])
        assert len(dealt) == count


@pytest.mark.parametrize("lane", gpu.LANES, ids=lambda lane: lane.name)
def test_a_process_does_its_small_networks_first(lane):
    """A run that is cut has lost the large ones, and processes end within one network's time."""
    dealt = gpu.dealt(lane, MODELS, 6)
    assert all(hand == sorted(hand, key=lane.seconds) for hand in dealt)
    times, longest = [lane.whole(hand) for hand in dealt], max(map(lane.seconds, MODELS))
    assert max(times) - min(times) <= longest


def test_no_more_processes_than_networks():
    """Few networks leave hands empty, and an empty hand is no process."""
    assert [len(hand) for hand in gpu.dealt(gpu.LANES[0], MODELS[:2], 5)] == [1, 1]


def ran(name, code):
    """One network in a run of some code."""
    return Run("torch", "gpu", {"torch": "1"}, 0, code, {name: Record(name, graph())})


@pytest.fixture
def parts(tmp_path):
    """Evidence of two processes, one network each, and none of a third."""
    for number, name in enumerate(("a", "b")):
        evidence.write(ran(name, "code"), tmp_path / "parts" / f"torch-{number}.0")
    (tmp_path / "parts" / "torch-2.0").mkdir()
    return tmp_path


def test_what_processes_left_is_joined(parts):
    """In one folder, which another run adds to and a run of other code replaces."""
    gpu.join(parts / "parts", parts)
    assert [sorted(run.records) for run in evidence.read(parts)] == [["a", "b"]]
    for code, left in (("code", ["a", "b", "c"]), ("other", ["c"])):
        again = parts / code
        evidence.write(ran("c", code), again / "torch-0.0")
        gpu.join(again, parts)
        assert [sorted(run.records) for run in evidence.read(parts)] == [left]


@pytest.fixture
def race(tmp_path, monkeypatch):
    """A race whose processes end at the second network, and with it."""
    options = argparse.Namespace(evidence=tmp_path, device="cpu")
    race = gpu.Race(options)
    tried = []

    def check(lane, todo, place):
        tried.append(todo)
        (place / "torch-cpu").mkdir()
        (place / "torch-cpu" / f"{todo[0]}.json").touch()
        return 0 if len(todo) < 2 else 3

    monkeypatch.setattr(race, "_check", check)
    return race, tried


def test_a_network_that_ends_its_process_costs_no_other(race, capsys):
    """The networks behind it are checked by another process, and it is told."""
    models = MODELS[:5]
    a, b, c, d, e = (model.name for model in models)
    running, tried = race
    running.work(gpu.LANES[0], 0, models)
    assert tried == [[a, b, c, d, e], [c, d, e], [e]]
    assert [(name, verdict) for _, name, _, verdict in running.times] == [
        (b, "exit code 3"),
        (d, "exit code 3"),
    ]
    assert f"{b} ended it" in capsys.readouterr().out


def test_after_the_time_is_up_nothing_is_begun(race):
    """Not even behind a network that ended its process."""
    running, tried = race
    running.stop()
    running.work(gpu.LANES[0], 0, MODELS)
    assert tried == []


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_precision_that_was_not_used_is_told_from_one_that_was(name):
    """By a result that is off by its own cost, and by one that is off by the next finer's."""
    precision = PRECISIONS[name]
    bound = precision.unit / precision.oracle.unit  # of a cost of one rounding
    own, finer = bound / precision.margin, bound / precision.margin * 2.0**-13
    assert not precision.unused(own, bound)
    assert precision.unused(finer, bound) == (name in ("tf32", "float16", "bfloat16"))
