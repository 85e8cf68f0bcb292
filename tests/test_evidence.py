"""What was found in training and backwards is written down, read again, and compared."""

import json
from dataclasses import replace
from hashlib import sha256
from math import inf

import numpy as np
import pytest
from msgspec import UNSET
from msgspec.structs import replace as changed

from conformance.data import written
from conformance.graph.model import Graph, Node, Parameter
from conformance.graph.resize import resized
from conformance.judge.record.agreement import agreement, joined
from conformance.judge.record.evidence import DamagedEvidence, Record, Run, read, write
from conformance.kinds.batch_norm import running_statistics
from conformance.numbers.gradients import Gradients
from conformance.numbers.oracle import Oracle
from conformance.numbers.parity import Control, NodeParity, Parity, SlotParity
from conformance.numbers.weights import BATCH, Weights

pytestmark = pytest.mark.bare

GRAPH = Graph([Node("input", {}, (), (4, 4, 3)), Node("relu", {}, (0,), (4, 4, 3))], (0,), (1,))
VALUES = NodeParity(1, 1.0, 1e-14, 1e-10, (0.5, 0.25))
SLOT = SlotParity(0, "image", 1.0, 1e-14, 1e-10, 1.0, (0.5, -0.25))
CONTROL = Control(0, "image: channels reversed", 0.1, 1e-10)
PARITY = Parity(0, (VALUES,), (CONTROL,))
GRADIENTS = Gradients(0, (SLOT,), (CONTROL,))
STEP = changed(PARITY, statistics=(SLOT,))
RECORD = Record("Tiny", GRAPH, PARITY, GRAPH, STEP, GRADIENTS, training_gradients=GRADIENTS)
SMALL = replace(RECORD, gradients=changed(GRADIENTS, image=(3, 3, 3)))
PAD = Node("pad", {"padding": ((1, 1), (1, 1)), "value": -inf}, (0,), (6, 6, 3))
#: JSON has no number without end, and msgspec takes NumPy's floats for none.
ENDLESS = Record(
    "Tiny", replace(GRAPH, nodes=[GRAPH.nodes[0], PAD]),
    changed(PARITY, nodes=(changed(VALUES, rms=np.float64(1), error=inf),)),
)  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [RECORD, SMALL, Record("Tiny", GRAPH), ENDLESS],
    ids=["thorough", "small", "traced", "without end"],
)
def test_a_record_is_read_as_it_was_written(record, tmp_path):
    """Training, running statistics and gradients included; or none of them."""
    write(Run("one", "cpu", {"one": "1.0"}, 0, "c0de", {"Tiny": record}), tmp_path)
    assert read(tmp_path)[0].records["Tiny"] == record


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        ("run.json", {"seed": -1}),
        ("run.json", {"note": "well"}),
        ("Tiny.json", {"parity": {}}),
        ("Tiny.json", {"note": "well"}),
        ("Tiny.json", {"executions": [{"seed": 0, "nodes": [], "controls": []}]}),
        ("Tiny.json", {"gradients": written(changed(GRADIENTS, image=(2, 2, 3)))}),
    ],
    ids=str,
)
def test_what_is_not_written_is_not_read(tmp_path, file, wrong):
    """A field too many, one too few, and one that is something else, whatever was compared."""
    record = replace(RECORD, executions=(changed(PARITY, precision="bfloat16"),))
    place = write(Run("one", "cpu", {"one": "1.0"}, 0, "c0de", {"Tiny": record}), tmp_path)
    assert read(tmp_path)[0].records == {"Tiny": record}
    data = json.loads((place / file).read_text()) | wrong
    (place / file).write_text(json.dumps(data))
    run = json.loads((place / "run.json").read_text())
    run["networks"] = {"Tiny": sha256((place / "Tiny.json").read_bytes()).hexdigest()}
    (place / "run.json").write_text(json.dumps(run))
    with pytest.raises(DamagedEvidence, match=file):
        read(tmp_path)


def with_arrays(*numbers):
    """A record with every number of its one node."""
    return replace(RECORD, arrays={1: np.array(numbers)})


def test_whole_results_are_kept_beside_the_evidence(tmp_path):
    """Bit for bit, and moved along when the run grows; a damaged file is refused by name."""
    kept = with_arrays(0.1, 1 / 3)
    run = Run("one", "cpu", {"one": "1.0"}, 0, "c0de", {"Tiny": kept})
    for _ in range(2):
        place = write(run, tmp_path) / "Tiny.safetensors"
        assert read(tmp_path)[0].records["Tiny"].arrays[1].tolist() == [0.1, 1 / 3]
    place.write_bytes(place.read_bytes()[:-1] + b"\x00")
    with pytest.raises(DamagedEvidence, match="Tiny.safetensors"):
        read(tmp_path)


def test_whole_results_are_compared_where_both_have_them():
    """A number that no sample holds parts two runs; without arrays on one side it is not seen."""
    one, other = with_arrays(0.5, 0.25, 7.0), with_arrays(0.5, 0.25, 7.1)
    assert agreement(one, one).modes["inference"].whole == 1
    assert agreement(one, RECORD).agrees
    apart = agreement(one, other)
    assert not apart.agrees
    assert apart.modes["inference"].first_divergence == (1, "")


@pytest.mark.parametrize("other", [{"device": "gpu"}, {"backend": "jax"}], ids=str)
def test_runs_of_different_kinds_are_compared_in_what_both_have(other):
    """A GPU run has no gradients: they are told as left out, and all else is compared."""
    whole = Run("one", "cpu", {}, 0, "c0de", {"Tiny": RECORD})
    less = replace(RECORD, gradients=None)
    found = joined(whole, replace(whole, records={"Tiny": less}, **other), "Tiny")
    assert (found.agrees, found.alone) == (True, ("gradients",))
    assert "gradients" not in found.modes
    assert not joined(whole, replace(whole, records={"Tiny": less}), "Tiny").agrees
    off = replace(less, parity=changed(PARITY, nodes=(changed(VALUES, sample=(0.5, 0.3)),)))
    assert not joined(whole, replace(whole, records={"Tiny": off}, **other), "Tiny").agrees


def test_equal_gradients_agree():
    """Two runs that found the same agree."""
    assert agreement(RECORD, RECORD).agrees


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (None, "one of the runs only"),
        (changed(GRADIENTS, problem="it has no gradient"), "it has no gradient"),
        (changed(GRADIENTS, slots=()), "no value in the"),
        (changed(GRADIENTS, image=(3, 3, 3)), "images have different sizes"),
        (
            changed(GRADIENTS, slots=(changed(SLOT, slot="kernel"),)),
            "no value in the",
        ),
        (
            changed(GRADIENTS, slots=(changed(SLOT, sample=(0.5, float("nan"))),)),
            "not a finite",
        ),
        (changed(GRADIENTS, slots=(changed(SLOT, sample=(0.5, -0.2)),)), ""),
    ],
)
@pytest.mark.parametrize("which", ["gradients", "training_gradients"])
def test_gradients_that_differ_are_no_agreement(which, other, problem):
    """Nor are those that only one run has, whichever comes first."""
    record = replace(RECORD, **{which: other})
    for found in (agreement(RECORD, record), agreement(record, RECORD)):
        assert not found.agrees
        assert problem in found.problem


NORM = ("gamma", "beta", "mean", "variance")


def taught(unbiased, side=4, **changes):
    """A record of a norm that is in training, its statistics as the oracle has them.

    The images of its step are of another size than the graph's where ``side`` is.
    """
    attributes = {"epsilon": 0.1, "statistics": "batch", "momentum": 0.9, "unbiased": unbiased}
    slots: dict[str, tuple[int, ...]] = dict.fromkeys(NORM, (3,))
    parameters: dict[str, tuple[Parameter, ...]] = {n: (Parameter(n, (3,)),) for n in NORM}
    norm = Node("batch_norm", attributes | changes, (0,), (4, 4, 3), parameters, slots)
    graph = Graph([Node("input", {}, (), (4, 4, 3)), norm], (0,), (1,))
    image = (side, side, 3)
    small = resized(graph, image, exactly=True)
    weights = Weights(small, like=graph)
    oracle = Oracle(small, weights.slot, weights.images(BATCH))
    stored = running_statistics(norm, oracle.parameters(1), oracle.result(0))
    statistics = [SlotParity.of(1, slot, new, new, 1e-7) for slot, new in stored.items()]
    values = NodeParity(1, 1.0, 1e-14, 1e-10, (0.5, 0.25))
    run = UNSET if side == 4 else image
    step = Parity(0, (values,), (CONTROL,), statistics=tuple(statistics), image=run)
    return Record("Tiny", GRAPH, PARITY, graph, step)


@pytest.mark.parametrize("side", [4, 3])
def test_a_convention_is_stated_and_no_finding(side):
    """A sample's variance on one side and the batch's on the other: the same network."""
    one, other = taught(True, side), taught(False, side)
    for pair in ((one, other), (other, one)):
        found = agreement(*pair)
        assert found.agrees
        assert [each.attribute for each in found.modes["training"].conventions] == ["unbiased"]
    assert not agreement(taught(True), taught(True)).modes["training"].conventions


@pytest.mark.parametrize("slot", ["mean", "variance"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_a_convention_hides_nothing(unbiased, slot):
    """A running statistic that is a thousandth off is told apart, whatever the convention."""
    one, other = taught(True), taught(unbiased)
    off = [
        changed(each, sample=tuple(1.001 * x for x in each.sample)) if each.slot == slot else each
        for each in other.training_parity.statistics
    ]
    other.training_parity = changed(other.training_parity, statistics=tuple(off))
    found = agreement(one, other)
    assert not found.agrees
    assert found.modes["training"].first_divergence == (1, slot)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"training": None}, "traced in one of the runs only"),
        ({"training_parity": None}, "training: values were recorded in one of the runs only"),
        ({"training_parity": changed(PARITY, seed=1)}, "training: seeds"),
        ({"training_parity": changed(PARITY, problem="2 outputs")}, "training: 2 outputs"),
        ({"training_parity": taught(True, side=3).training_parity}, "images have different sizes"),
        ({"training_parity": changed(PARITY, nodes=(VALUES,))}, "has no value in the"),
        ({"training": taught(False, momentum=0.99).training}, ""),
        ({"training": taught(False, momentum=None).training}, ""),
    ],
)
def test_training_that_differs_is_no_agreement(changes, problem):
    """Nor is that which only one run has, whichever comes first."""
    one, other = taught(True), replace(taught(True), **changes)
    for found in (agreement(one, other), agreement(other, one)):
        assert found.modes["inference"].agrees
        assert not found.agrees
        assert problem in found.problem
        assert found.problem or found.modes["training"].findings
