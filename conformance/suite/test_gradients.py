"""In training and backwards: one network a family computes what its graph says there too.

This costs more than inference, though it is run on the smallest image on which a network is the
same one.  So of each family one is taken, the one with the most kinds of layers.
"""

import pytest

from conformance import reference
from conformance.graph.rows import row_of

pytestmark = pytest.mark.numbers


@pytest.fixture
def record(framework, family, examined):
    if examined.device == "gpu":
        pytest.skip("training and gradients are run on the CPU: leave out --device gpu")
    return examined.thorough(framework, family)


def place(record, graph, index):
    """A node in the paper's name and in the port's own address."""
    rows = row_of(graph, [row.name for row in reference.find(record.model).rows])
    return f"{record.model} {rows[index]}, {graph.nodes[index].kind} {graph.nodes[index].where}"


def test_every_node_agrees_in_training(record):
    """Batch statistics, dropout that keeps everything, auxiliary outputs: all within bound."""
    parity = record.training_parity
    assert not parity.problem, parity.problem
    assert len(parity.nodes) == len(record.training) - 1  # all but the input
    if diverged := parity.first_divergence:
        pytest.fail(
            f"first divergence in training at {place(record, record.training, diverged.node)}:"
            f" {diverged.error:.1e}, bound {diverged.bound:.1e}"
        )


def test_running_statistics_after_one_step(record):
    """Every running mean and variance is replaced by what the graph's momentum makes of it."""
    norms = [n for n in record.training if n.attributes.get("momentum") is not None]
    parity = record.training_parity
    kept = sum(len({"mean", "variance"} & node.slots.keys()) for node in norms)
    assert len(parity.statistics) == kept
    wrong = [
        f"{each.slot} of {place(record, record.training, each.node)}: {each.error:.1e}, bound"
        f" {each.bound:.1e}"
        for each in parity.statistics
        if not each.agrees
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_every_gradient_agrees(record, training):
    """The framework's own derivative by image and parameters is that of the graph."""
    found = record.training_gradients if training else record.gradients
    graph = record.training if training else record.graph
    assert not found.problem, found.problem
    if wrong := found.first_divergence:
        places = [place(record, graph, index) for index in found.suspects(graph)]
        pytest.fail(
            f"first wrong gradient from the output back: {wrong.slot} of"
            f" {place(record, graph, wrong.node)}: {wrong.error:.1e}, bound {wrong.bound:.1e},"
            f" {wrong.share:.3g} times the right one; altered at or after {'; '.join(places)}"
        )


def test_wrong_oracles_are_told_apart(record):
    """Control arms: altered nodes in training and reordered gradients exceed their bounds."""
    for found in (record.training_parity, record.gradients, record.training_gradients):
        assert (controls := found.controls)
        missed = [f"{c.alteration} at node {c.node}" for c in controls if not c.caught]
        assert not missed, "\n".join(missed)
