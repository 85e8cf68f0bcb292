"""The published graphs: what every framework traces is what gate and identify read."""

from conformance.graph.align import align, findings
from conformance.graph.names import names
from conformance.judge import published
from conformance.judge.published import by_convention, neutral


def test_trace_is_the_published_graph(framework, model, examined):
    """Every layer, attribute and connection of both modes, under the paper's name."""
    record, network = examined.traced(framework, model), published.network(model)
    rows = [row.name for row in model.rows]
    for expected, traced in (
        (network.inference, record.graph),
        (network.training, record.training),
    ):
        found = neutral(traced, rows)
        alignment = align(expected, found)
        assert not findings(by_convention(expected, found), found, alignment)
        labels, theirs = names(expected, rows), names(found, rows)
        assert {labels[a]: theirs[b] for a, b in alignment.pairs.items()} == dict(
            zip(labels, labels, strict=True)
        )
