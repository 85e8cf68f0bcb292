"""A kind is one row, the row is complete, and every node is as its row says."""

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from conformance.graph.model import Graph, InvalidGraph, Node, verify
from conformance.kinds import KINDS, counted_as
from conformance.kinds.experiment import Trial, wrong
from conformance.kinds.kind import TRAITS
from conformance.numbers.oracle import Oracle
from tests.test_adjoint import CASES, Case

pytestmark = pytest.mark.bare

PLACED = {"kernel": (3, 3), "stride": (1, 1), "padding": ((0, 0), (0, 0))}


def gaps(row):
    """The fields that a row leaves empty, and must not."""
    free = {"attributes", "optional", "slots", "reads", "fitted", "written", "counted", "traits"}
    if row.has("end"):
        free.add("causes")  # no port computes it
    empty = [f.name for f in fields(row) if f.name not in free and not getattr(row, f.name)]
    words, altered = row.altered or ("", None)
    same = not words or not callable(altered) or altered is Trial.run
    strange = {*row.traits.split()} - TRAITS.keys()
    return empty + ["altered"] * same + ["traits"] * bool(strange)


@pytest.mark.parametrize("row", KINDS.values(), ids=KINDS)
def test_a_row_is_complete(row):
    """Nothing that the suite needs of a kind is left out of its row."""
    assert not gaps(row), f"{row.name} lacks {', '.join(gaps(row))}"


@pytest.mark.parametrize("field", ["forward", "adjoint", "spread", "altered", "causes", "name"])
def test_an_incomplete_row_is_named(field):
    """A row that lacks one field is told by the name of that field."""
    lacking: dict[str, Any] = {field: ()}
    assert field in gaps(replace(KINDS["relu"], **lacking))


def test_a_control_arm_that_changes_nothing_is_no_control_arm():
    """The operation itself in the place of its alteration counts as a gap."""
    assert gaps(replace(KINDS["tanh"], altered=("as it is", Trial.run))) == ["altered"]


def test_a_trait_that_there_is_not_is_a_gap():
    """A row is what its words say, and each of them says something."""
    assert gaps(replace(KINDS["tanh"], traits="activation pasing")) == ["traits"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_control_arm_alters_the_result(case):
    """The altered operation does not give what the operation gives."""
    case = Case(*case)
    node, oracle = case.graph.nodes[case.last], case.forward(case.values)
    want = oracle.result(case.last)
    again = case.forward(case.values)
    inputs = [again.result(i) for i in node.inputs]
    _, got = wrong(again, node, again.parameters(case.last), inputs)
    assert got.shape != want.shape or np.abs(got - want).max() > 1e-3 * np.abs(want).max()


def graph(*nodes):
    return Graph([Node("input", {}, (), (9, 8, 4)), *nodes], (0,), (len(nodes),))


def test_a_graph_of_rows_is_valid():
    """Attributes as the row says, those that it may have, and a primitive of no kind."""
    right = graph(
        Node("max_pool", dict(PLACED), (0,), (7, 6, 4)),
        Node("scale", {"factor": 2.0, "offset": 1.0}, (1,), (7, 6, 4), {}, {"gamma": (4,)}),
        Node("unknown:fft", {"anything": 1}, (2,), (7, 6, 4)),
    )
    assert verify(right) is right


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node("average", {}, (0,), (1,)), "node 1, average, : is of no kind"),
        (Node("max_pool", PLACED | {"ceil": True}, (0,), (1,)), "max_pool, : has ceil"),
        (Node("avg_pool", dict(PLACED), (0,), (1,)), "lacks count_include_pad"),
        (Node("relu", {}, (0,), (1,), {}, {"gamma": (1,)}), "relu, : holds gamma"),
        (Node("unknown:fft", {}, (-1,), (1,)), "unknown:fft, : reads node -1"),
        (Node("relu", {}, (1,), (1,)), "relu, : reads node 1"),
    ],
    ids=["no kind", "too much", "too little", "a slot", "no node", "itself"],
)
def test_a_wrong_node_is_named(node, words):
    """A node of no kind, or with other attributes or slots than its row's, is no valid graph, nor
    is one that reads what is not computed before it."""
    with pytest.raises(InvalidGraph, match=words):
        verify(graph(node))


def test_a_sum_over_windows_is_computed():
    """What divides by nothing is a kind as well: the sum of each window."""
    node = Node("sum_pool", dict(PLACED), (0,), (7, 6, 4))
    image = np.arange(9 * 8 * 4.0).reshape(1, 9, 8, 4)
    result = Oracle(graph(node), lambda index, name: image, image).result(1)
    assert result[0, 2, 3, 1] == image[0, 2:5, 3:6, 1].sum()


def test_an_unknown_count_of_layers_is_no_empty_one():
    """A misspelt count is an error and not zero layers."""
    assert counted_as("weight layers") == {"conv", "dense"}
    with pytest.raises(KeyError):
        counted_as("heavy layers")


def test_an_unknown_trait_is_no_absent_one():
    """A misspelt trait is an error and not one that no kind has."""
    assert KINDS["conv"].has("weighted")
    with pytest.raises(KeyError):
        KINDS["conv"].has("wieghted")


def test_the_kinds_import_no_framework():
    """The rows are arithmetic: whoever reads them waits for no framework."""
    program = (
        "import sys; from conformance.kinds import KINDS;"
        "print(*{'torch', 'keras', 'tensorflow', 'jax', 'flax'} & set(sys.modules), len(KINDS))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == [str(len(KINDS))], done.stdout + done.stderr
