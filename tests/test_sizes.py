"""Images of another size: a network's graph for them, and what is left without some layers."""

from dataclasses import replace
from typing import Any

import pytest

from conformance import reference
from conformance.graph.model import Graph
from conformance.graph.resize import CannotResize, resized, without
from conformance.judge import published
from conformance.judge.port import sizes
from conformance.judge.port.subject import compared
from conformance.trace.canonical import canonical
from conformance.trace.port import Unfinished, UntraceableModel
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare


def graph(name):
    return published.network(reference.find(name)).inference


def dense(found):
    return [node.slots["kernel"] for node in found if node.kind == "dense"]


@pytest.mark.parametrize("name", [model.name for model in reference.models().values()])
def test_own_size_is_the_network(name):
    """For the paper's image the graph stays as it is, in every shape, slot and window."""
    model = reference.find(name)
    assert resized(graph(name), model.input).nodes == graph(name).nodes


def test_dense_layer_follows_the_map():
    """On 32x32 the last map of VGG is one pixel: nothing is flattened, fc6 reads its 512 maps."""
    found = resized(graph("VGG-A"), (32, 32, 3))
    assert dense(found) == [(512, 4096), (4096, 4096), (4096, 1000)]
    assert "flatten" not in {node.kind for node in found}
    assert dense(resized(graph("VGG-A"), (64, 64, 3)))[0] == (2048, 4096)


def test_first_layer_follows_the_channels():
    """A grey image changes the first kernel and no other."""
    here, there = (resized(graph("ResNet-18"), (224, 224, channels)) for channels in (1, 3))
    kernels = [[n.slots["kernel"] for n in each if n.kind == "conv"] for each in (here, there)]
    assert [a for a, b in zip(*kernels, strict=True) if a != b] == [(7, 7, 1, 64)]


def test_a_grey_port_is_given_images_of_the_papers_size():
    """And none of another network that takes grey ones."""

    class Grey:
        def trace(self, size, batch=1):
            if size[-1] != 1:
                raise UntraceableModel("it takes one channel")
            return Tape()

    port: Any = Grey()
    assert sizes.traced(port, reference.find("ResNet-18"))[0] == (224, 224, 1)


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [
        ("LeNet-5", (28, 28, 1), "the window of C5 is larger than its map"),
        ("Inception-v3", (64, 64, 3), "is larger than its map"),
        ("GoogLeNet", (224, 224, 64), ""),
    ],
)
def test_size_without_a_meaning(name, size, why):
    """An image that a network cannot take is refused with the row; a map's channels it can."""
    if not why:
        assert resized(graph(name), size).nodes[1].slots["kernel"] == (7, 7, 64, 64)
        return
    with pytest.raises(CannotResize, match=why):
        resized(graph(name), size)


def test_pool_of_the_whole_map_has_its_shortest_name():
    """Of a pool with one window no stride is seen, and a mean of the whole map is global."""
    pools = [node for node in resized(graph("Inception-v3"), (75, 75, 3)) if "pool" in node.kind]
    strides = [node.attributes["stride"] for node in pools if node.kind == "max_pool"]
    assert strides == [(2, 2), (2, 2), (2, 2), (3, 3)]
    taught = published.network(reference.find("GoogLeNet")).training
    for side, heads in ((96, "avg_pool"), (80, "global_avg_pool")):  # maps of 6x6 and 5x5
        found = [node.kind for node in resized(taught, (side, side, 3)) if "avg" in node.kind]
        assert found == [heads, heads, "global_avg_pool"]


def test_pool_of_one_pixel_does_nothing():
    """Also where the paper's own pools have no meaning on so small an image, and the port's do."""
    model, size = reference.find("GoogLeNet"), (28, 28, 1)
    nodes = [
        replace(node, attributes=node.attributes | {"padding": ((1, 1), (1, 1))})
        if node.kind == "max_pool" and node.attributes["stride"] == (2, 2)
        else node
        for node in graph("GoogLeNet")
    ]
    padded = resized(Graph(nodes, (0,), graph("GoogLeNet").outputs), size, exactly=True)
    (mean,) = (i for i, node in enumerate(padded) if node.kind == "global_avg_pool")
    port = resized(without(padded, {mean}), size, exactly=True)
    found = compared(graph("GoogLeNet"), port, model, size)
    assert found.unsized
    assert {each.attribute for each in found.findings} == {"padding"}


def test_without_layers():
    """What read a layer that is left out reads what that read; a join cannot be left out."""
    whole = graph("VGG-A")
    gone = {i for i, node in enumerate(whole) if node.where.path in ("fc6", "fc7")}
    found = without(whole, gone)
    assert len(found) == len(whole) - len(gone)
    assert [node.slots["kernel"][1] for node in found if node.kind == "dense"] == [1000]
    joined = graph("Inception-module")
    concat = next(i for i, node in enumerate(joined) if node.kind == "concat")
    with pytest.raises(ValueError, match="unpack"):
        without(joined, {concat})


def test_heads_that_fit_no_map_are_missed_and_nothing_else():
    """A port without heads is held against what has a meaning on its image, in every layer."""
    model, size = reference.find("GoogLeNet"), (32, 32, 3)
    paper = published.network(model).training
    main = paper.ancestors(paper.outputs[0])
    heads = {i for i in range(len(paper)) if i not in main}
    with pytest.raises(CannotResize):
        resized(paper, size)
    port = resized(graph("GoogLeNet"), size)
    conv = next(i for i, node in enumerate(port) if node.where.path == "conv2")
    wrong = replace(port.nodes[conv], attributes=port.nodes[conv].attributes | {"groups": 3})
    nodes = [*port.nodes[:conv], wrong, *port.nodes[conv + 1 :]]
    found = compared(paper, Graph(nodes, port.inputs, port.outputs), model, size)
    assert not found.unsized
    missing = {each.expected_node for each in found.findings if each.attribute == "missing"}
    dropped = {i for i in main if paper.nodes[i].kind == "dropout"}
    assert missing == heads | dropped
    (other,) = (each for each in found.findings if each.attribute != "missing")
    assert other.attribute == "groups"


class Picky:
    """A port that takes images of one size."""

    framework = "torch"
    trains = False

    def __init__(self, size):
        self.size = size

    def trace(self, size, training=False, batch=None):
        if size != self.size:
            raise UntraceableModel(f"not {size}")
        return size


def test_a_port_that_takes_several_images_only_is_told_so_once():
    """However often it is traced: what it gives is left as it was."""

    class Several(Picky):
        tape = Tape()

        def trace(self, size, training=False, batch=None):
            if batch is None:
                raise UntraceableModel("one image is none")
            return self.tape

    several: Any = Several((32, 32, 3))
    for _ in range(2):
        (fault,) = sizes.at(several, (32, 32, 3)).faults
        assert (fault.attribute, fault.found) == ("batch", "fails: one image is none")
    assert not several.tape.faults


def test_an_unfinished_port_is_told_so_whatever_it_says_of_other_images():
    """That it takes no image of another size is no reason."""

    class Constant(Picky):
        def trace(self, size, training=False, batch=None):
            super().trace(size)
            raise Unfinished("nothing is computed")

    constant: Any = Constant((32, 32, 1))
    with pytest.raises(Unfinished):
        sizes.traced(constant, reference.find("VGG-D"))
    with pytest.raises(Unfinished):
        sizes.first(constant, sizes.known(), canonical)


def test_port_is_tried_on_the_images_of_others():
    """A port that refuses the paper's image is traced on one that it takes, if there is any."""
    model = reference.find("VGG-D")
    picky: Any = Picky((32, 32, 3))
    assert sizes.traced(picky, model)[0] == (32, 32, 3)
    picky = Picky((100, 90, 3))
    picky.declared = lambda: (100, 90, 3)
    assert sizes.traced(picky, model)[0] == (100, 90, 3)
    with pytest.raises(UntraceableModel, match=r"not \(224, 224, 3\)"):
        picky = Picky((31, 31, 3))
        sizes.traced(picky, model)
