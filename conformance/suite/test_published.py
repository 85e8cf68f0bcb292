"""The published graphs: what every framework traces is what gate and identify read."""

from conformance.graph.align import align, findings
from conformance.graph.names import names
from conformance.judge import published
from conformance.judge.published import by_convention, neutral


def test_trace_is_the_published_graph(framework, model, examined):
    """Every layer, attribute and connection of both modes, and the paper's names of parameters."""
    record, network = examined.traced(framework, model), published.network(model)
    rows = model.row_names
    for expected, traced in (
        (network.inference, record.graph),
        (network.training, record.training),
    ):
        found = neutral(traced, rows)
        alignment = align(expected, found)
        assert not findings(by_convention(expected, found), found, alignment)
        assert alignment.pairs.keys() == set(range(len(expected)))
        labels, theirs = names(expected, rows), names(found, rows)
        # To which row a layer without parameters belongs is a matter of a framework's own names.
        stored = [index for index, node in enumerate(expected) if node.slots]
        assert [theirs[alignment.pairs[i]] for i in stored] == [labels[i] for i in stored]
