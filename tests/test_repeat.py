"""Numbers run again with other seeds, and in training and backwards: what `check` makes of them."""

import json

import jsonschema
import pytest
from msgspec.structs import replace

from conformance.cli import main
from conformance.data import schema
from conformance.judge.record.examine import examine
from conformance.judge.record.repeat import Repeat
from conformance.judge.results import Check
from conformance.numbers.gradients import gradients
from conformance.numbers.parity import parity
from conformance.ports import implementations as frameworks
from tests.here import here
from tests.test_check import SMALLEST

SCHEMA = schema(Check)


@pytest.fixture
def checked(room, capsys, monkeypatch):
    """The exit code, the result and the lines of a check of the smallest network."""
    here(monkeypatch)

    def run(*options):
        code = main(["check", SMALLEST.name, "--framework", room, "--json", "-", *options])
        printed = capsys.readouterr()
        result = json.loads(printed.out)
        jsonschema.validate(result, SCHEMA)
        return code, result["results"][0], printed.err

    return run


def off(results):
    """The last result far beyond its bound."""
    return (*results[:-1], replace(results[-1], error=0.5))


def lost(results):
    """All results but the last."""
    return results[:-1]


def with_seeds(seeds, change):
    """The comparison of every node, whose results are changed with some seeds."""

    def changed(*args, **options):
        found = parity(*args, **options)
        return replace(found, nodes=change(found.nodes)) if found.seed in seeds else found

    return changed


def in_training(*args, **options):
    found = parity(*args, **options)
    return replace(found, nodes=off(found.nodes)) if "training" in options else found


def backwards(*args, **options):
    found = gradients(*args, **options)
    return found if "training" in options else replace(found, slots=off(found.slots))


def backwards_in_training(*args, **options):
    found = gradients(*args, **options)
    return replace(found, slots=off(found.slots)) if "training" in options else found


def test_a_right_network_raises_no_alarm(checked):
    """Each mode is run once a seed; margins and separation are shown, and no seed deviates."""
    code, row, said = checked("--repeat", "5", "--thorough", "--seed", "3")
    assert code == 0
    assert (row["repeat"]["first_seed"], row["repeat"]["times"]) == (3, 5)
    assert set(row["repeat"]["modes"]) == {
        "inference",
        "training",
        "gradients",
        "training gradients",
    }
    for mode, spread in row["repeat"]["modes"].items():
        assert not spread["deviating"]
        least, median, greatest = (spread["nearest"][k] for k in ("least", "median", "greatest"))
        assert 0 <= least <= median <= greatest < 1 < 10 < spread["separation"]
        assert spread["seconds"]["least"] > 0
        assert f"    {mode}, seeds 3 to 7: 0 of 5 deviate; largest error " in said


def test_more_repetitions_are_more_checks(checked):
    """What each of them did is counted, as planned and as run."""
    once, twice = checked()[1]["checks"], checked("--repeat", "2")[1]["checks"]
    assert twice["planned"] == twice["run"] > once["planned"] == once["run"]
    assert checked()[1]["repeat"] is None


def test_one_seed_that_deviates_is_named(checked, monkeypatch):
    """The verdict is that of the worst seed, which can be had again alone."""
    monkeypatch.setattr("conformance.judge.record.examine.parity", with_seeds({5}, off))
    code, row, said = checked("--repeat", "4", "--seed", "3")
    assert code == 1
    assert row["repeat"]["modes"]["inference"]["deviating"] == [5]
    (finding,) = row["findings"]
    assert finding["sentence"].startswith(f"with --seed 5: {SMALLEST.name} ")
    assert f"    {finding['sentence']}\n" in said
    code, row, _ = checked("--seed", "5")
    assert code == 1
    assert f"with --seed 5: {row['findings'][0]['sentence']}" == finding["sentence"]
    assert checked("--seed", "4")[0] == 0


def test_a_network_that_always_deviates_is_told_once(checked, monkeypatch):
    """The same node with every seed is one finding."""
    monkeypatch.setattr("conformance.judge.record.examine.parity", with_seeds({0, 1, 2}, off))
    code, row, _ = checked("--repeat", "3")
    assert code == 1
    assert len(row["findings"]) == 1
    assert row["repeat"]["modes"]["inference"]["deviating"] == [0, 1, 2]


def test_one_seed_that_lost_a_result_is_no_pass(checked, monkeypatch):
    """It is inconclusive, and the seed is named."""
    monkeypatch.setattr("conformance.judge.record.examine.parity", with_seeds({1}, lost))
    code, row, _ = checked("--repeat", "3")
    assert code == 3
    assert row["open"][0]["why"].startswith("with --seed 1: ")
    assert row["checks"]["planned"] == row["checks"]["run"] + 1


def test_a_repetition_traces_nothing(room, monkeypatch):
    """The trace is taken once in inference and once in training, whatever the number of seeds."""
    port, traced = frameworks.port(room, SMALLEST), []
    trace = port.trace

    def counted(size, training=False):
        traced.append(training)
        return trace(size, training)

    monkeypatch.setattr(port, "trace", counted)
    monkeypatch.setattr(frameworks, "port", lambda *_: port)
    told = []
    repeat = Repeat(0, 3)
    record = examine(
        room, SMALLEST, thorough=True, repeat=repeat, progress=lambda *each: told.append(each)
    )
    assert traced == [False, True]
    assert len(repeat.repetitions) == 12
    assert record.parity
    assert record.parity.seed == 0
    nodes = len(record.parity.nodes)
    assert told[: 3 * nodes] == [(done, 3 * nodes) for done in range(1, 3 * nodes + 1)]


@pytest.mark.parametrize(
    ("replaced", "wrong", "name", "word"),
    [
        ("parity", in_training, "training", "in training"),
        ("gradients", backwards, "gradient", "the first gradient that differs"),
        ("gradients", backwards_in_training, "gradient", "the first gradient of training"),
    ],
)
def test_thorough_sees_training_and_gradients(checked, monkeypatch, replaced, wrong, name, word):
    """What is off there alone deviates, and only with --thorough."""
    monkeypatch.setattr(f"conformance.judge.record.examine.{replaced}", wrong)
    code, row, said = checked("--thorough")
    assert code == 1
    assert [each["check"] for each in row["findings"]] == [name]
    assert word in said
    code, row, _ = checked()
    assert code == 0
    assert row["training"] is row["gradients"] is row["training_gradients"] is None


@pytest.mark.bare
def test_thorough_is_not_quietly_run_on_something_else(capsys):
    """A step of training and gradients have no GPU check: that is said before anything runs."""
    assert main(["check", "--device", "gpu", "--thorough"]) == 2
    assert "leave out --thorough or the GPU" in capsys.readouterr().err


@pytest.mark.bare
@pytest.mark.parametrize("option", [["--thorough"], ["--repeat", "2"]], ids=" ".join)
def test_numbers_that_are_not_run_cannot_be_repeated(option, capsys):
    """Asking for both is wrong usage."""
    assert main(["check", "--no-numbers", *option]) == 2
    assert "leave out --no-numbers" in capsys.readouterr().err


@pytest.mark.bare
@pytest.mark.parametrize("times", ["0", "-1", "many"])
def test_times_are_a_number(times, capsys):
    """At least one."""
    assert main(["check", "--repeat", times]) == 2
    assert "whole number" in capsys.readouterr().err
