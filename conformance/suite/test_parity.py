"""Every node of every network computes what its graph says, in float64."""

import pytest

from conformance.graph.rows import row_of

pytestmark = pytest.mark.numbers


def test_every_node_agrees_with_the_oracle(framework, model, examined):
    """No node's result is further from the oracle's than double precision allows."""
    record = examined.record(framework, model)
    parity = record.parity
    assert not parity.problem, parity.problem
    assert len(parity.nodes) == len(record.graph) - 1  # all but the input
    if diverged := parity.first_divergence:
        row = row_of(record.graph, model.row_names)[diverged.node]
        node = record.graph.nodes[diverged.node]
        pytest.fail(
            f"{model.name} in {framework}: first divergence at {row}, {node.kind} {node.where}:"
            f" {diverged.error:.1e}, bound {diverged.bound:.1e},"
            f" everything before agrees to {parity.before(diverged):.1e}"
        )


def test_a_wrong_oracle_is_told_apart(framework, model, examined):
    """With one node of each kind altered in the oracle, the same comparison fails."""
    controls = examined.record(framework, model).parity.controls
    assert controls
    missed = [f"{c.alteration} at node {c.node}" for c in controls if not c.caught]
    assert not missed, "\n".join(missed)
