"""Every network in lower precisions, and compiled: nothing costs more than the precision does."""

import pytest

from conformance import reference
from conformance.graph.rows import row_of
from conformance.judge.record import modes
from conformance.numbers.precision import ON
from conformance.ports import implementations as frameworks
from conformance.trace.port import Execution

pytestmark = pytest.mark.numbers


def test_every_node_agrees_in_lower_precisions(framework, family, examined):
    """Nothing in a network of ours costs more than the precision does; one network a family."""
    record = examined.thorough(framework, family)
    found = modes.compared(record)
    rows = row_of(record.graph, [row.name for row in reference.find(record.model).rows])
    for precision in ON[examined.device]:
        assert not list(found[precision].doubts())
        if diverged := found[precision].first_divergence:
            node = record.graph.nodes[diverged.node]
            pytest.fail(
                f"{record.model} in {framework}: first divergence in {precision} at"
                f" {rows[diverged.node]}, {node.kind} {node.where}: {diverged.error:.1e},"
                f" bound {diverged.bound:.1e}"
            )


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_the_smallest_network_agrees_in_half_precisions(framework, precision, examined):
    """On a processor not every framework has every operation in them; of this one it has."""
    found = examined.executed(framework, examined.smallest(), Execution(precision))
    assert not found.problem
    assert len(found.nodes) > 1
    assert found.first_divergence is None
    assert any(each.caught for each in found.controls)


def test_the_smallest_network_agrees_compiled(framework, examined):
    """What a compiler makes of it has the same outputs, in float64."""
    found = examined.executed(framework, examined.smallest(), Execution(compiled=True))
    if frameworks.backend(framework) == "torch":
        assert found.problem == "Keras on PyTorch is run step by step only"
        return
    assert not found.problem
    assert found.nodes
    assert found.first_divergence is None
    assert all(each.caught for each in found.controls)
