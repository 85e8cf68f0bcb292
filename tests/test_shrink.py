"""The smallest image on which a network is the same one, and a port that is not."""

import pytest

from conformance import reference
from conformance.graph.resize import resized
from conformance.graph.shrink import smallest
from conformance.judge import published

SIZES = {
    "ResNet-50": (96, 96, 3),
    "ResNet-20-CIFAR": (12, 12, 3),
    "Inception-v4": (139, 139, 3),
    "VGG-D": None,  # a dense layer reads its last map
    "LeNet-5": None,
}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_smallest(name, size):
    """Nothing but the maps is another one, and one pixel less would change a layer."""
    graph = published.network(reference.find(name)).training
    assert smallest(graph) == size
    if size:
        small = resized(graph, size, exactly=True)
        pairs = list(zip(graph, small, strict=True))
        assert all(a.attributes == b.attributes and a.slots == b.slots for a, b in pairs)
        assert smallest(small) is None
