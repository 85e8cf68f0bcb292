"""What a port computes or stores and no output reads is named, and nothing else is."""

import pytest

from conformance.graph.model import Where
from conformance.judge.port import idle
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare


def tape(*dead, output="fc", kept=(), stored=()):
    """A tape on which each of some layers reads the image, and one of them is the output."""
    made = Tape()
    image = made.input((1, 4), "NC")
    for layer in (output, *dead):
        weight = made.parameter(f"{layer}.weight", (4, 3))
        made.where = Where(layer, f"net.py:{len(made)}")
        value = made.dot(image, weight, (1, 0))
        if layer in (output, *kept):
            made.outputs += (value,)
        made.where = Where()
    made.stored = made.parameters | {f"{layer}.weight": (10, 100) for layer in stored}
    return made


def remarks(inference, training=None):
    """The place and the sentence of each remark."""
    found = idle.check(inference, training, training is not None)
    return [(each.port_node, each.hint) for each in found.remarks]


def test_a_branch_that_is_dropped_is_named():
    """By its path and line, with what its layer stores."""
    said = "computed and never read: its 12 stored numbers are not counted"
    assert remarks(tape("branch.conv"), tape("branch.conv")) == [("branch.conv (net.py:4)", said)]


def test_a_layer_that_is_never_called_is_named():
    """By the name of what it stores."""
    said = "no output depends on it: its 1,000 stored numbers are not counted"
    assert remarks(tape(stored=["fc2"]), tape(stored=["fc2"])) == [("fc2", said)]


def test_a_part_that_is_never_called_is_named_once():
    """As a copy of the network that keeps its averages; not a part that is read in places."""
    made = tape(output="net.fc", stored=["ema.conv1", "ema.conv2.norm", "net.conv1"])
    assert [place for place, _ in remarks(made)] == ["ema", "net.conv1"]


def test_what_one_mode_reads_is_not_idle():
    """An auxiliary head may be computed in inference too, or be left out of it."""
    assert not remarks(tape("aux"), tape("aux", kept=["aux"]))
    assert not remarks(tape(stored=["aux"]), tape("aux", kept=["aux"]))


def test_without_training_it_is_said_of_inference():
    """A pair shows no training, which may read it."""
    assert remarks(tape(stored=["aux"]))[0][1].startswith("no output depends on it in inference: ")


@pytest.mark.parametrize("read", [False, True])
def test_a_pool_has_a_place_only(read):
    """What stores nothing is told by where it is."""
    made = tape()
    made.where = Where("pool", "net.py:9")
    pooled = made.window(0, "max", (2,), (2,), ((0, 0),))
    made.outputs += (pooled,) if read else ()
    there = [("pool (net.py:9)", "computed and never read")]
    assert remarks(made, made) == ([] if read else there)


def test_statistics_of_a_norm_that_is_read_are_its_own():
    """A norm that takes those of the batch stores others, and is not idle for that; nor is a part
    of it that holds as many numbers as one of its own arrays."""
    made = tape()
    made.stored |= {"fc.running_mean": (4,), "fc.mean.average": (1, 12)}
    assert not remarks(made, made)
    made.stored["fc.more.weight"] = (10, 100)
    assert [place for place, _ in remarks(made, made)] == ["fc.more"]
