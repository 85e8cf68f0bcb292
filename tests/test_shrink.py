"""The smallest image on which a network is the same one, and a port that is not."""

from typing import Any

import pytest
from msgspec import UNSET

from conformance import reference
from conformance.graph.resize import resized
from conformance.graph.shrink import smallest
from conformance.judge import published
from conformance.judge.port import smaller
from conformance.judge.port.subject import subject
from conformance.judge.record.examine import examine
from conformance.judge.record.modes import compared
from conformance.ports import implementations as frameworks
from conformance.trace.port import UntraceableModel

SIZES = {
    "ResNet-50": (96, 96, 3),
    "ResNet-20-CIFAR": (12, 12, 3),
    "Inception-v4": (139, 139, 3),
    "VGG-D": None,  # a dense layer reads its last map
    "LeNet-5": None,
}


@pytest.mark.bare
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


class OneSize:
    """A port that takes images of one size only, or computes otherwise on others."""

    def __init__(self, port, size, otherwise=None):
        self.port, self.size, self.otherwise = port, size, otherwise
        self.framework, self.trains = port.framework, port.trains

    def __getattr__(self, name):
        return getattr(self.port, name)

    def trace(self, size, training=False, batch=None):
        if size == self.size:
            return self.port.trace(size, training, batch)
        if self.otherwise is None:
            raise UntraceableModel("an image of another size")
        return self.otherwise.trace(size, training, batch)


@pytest.fixture
def resnet():
    if reason := frameworks.missing("torch"):
        pytest.skip(reason)
    return lambda name="ResNet-20-CIFAR": frameworks.port("torch", reference.find(name))


def trained(port):
    model = reference.find("ResNet-20-CIFAR")
    side, tape = smaller.taught(subject(port, model, None, 0, lambda *stage: None))
    assert [side.expected.nodes[a].shape for a in side.pairs] == [
        side.found.nodes[b].shape for b in side.pairs.values()
    ]
    return side.expected.nodes[0].shape, tape[0].shape


def test_training_is_run_on_the_smallest_image(resnet):
    """The oracle and the port are given the same small images."""
    assert trained(resnet()) == ((12, 12, 3), (2, 3, 12, 12))


def test_another_network_on_a_small_image_is_run_on_the_whole(resnet):
    """What refuses a small image, or is another network on it, is trained on the paper's."""
    whole = (32, 32, 3), (2, 3, 32, 32)
    assert trained(OneSize(resnet(), (32, 32, 3))) == whole
    assert trained(OneSize(resnet(), (32, 32, 3), resnet("ResNet-32-CIFAR"))) == whole


def test_a_record_says_on_which_image_training_was_run(resnet, monkeypatch):
    """The smallest where the network is the same one there, in training and backwards; else its
    own, of which nothing is said."""
    model = reference.find("ResNet-20-CIFAR")
    others = {(12, 12, 3): resnet(), UNSET: OneSize(resnet(), (32, 32, 3))}
    for image, port in others.items():
        monkeypatch.setattr(frameworks, "port", lambda *names, port=port: port)
        record: Any = examine("torch", model, thorough=True)
        assert record.training.nodes[0].shape == model.input
        for found in (record.gradients, record.training_parity, record.training_gradients):
            assert found.image == image
            assert found.first_divergence is None
            assert all(each.caught for each in found.controls)
        modes = [*compared(record).values()]
        assert [each.planned for each in modes] == [len(each.results) for each in modes]
