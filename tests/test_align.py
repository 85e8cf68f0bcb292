"""Alignment: what differs is one finding, and what does not differ is none."""

from dataclasses import replace

import pytest

from conformance.graph.align import align, findings
from conformance.graph.model import Graph, Node

pytestmark = pytest.mark.bare


def chain(*widths, kinds=("conv", "batch_norm", "relu")):
    """A network of blocks, each a convolution with norm and activation."""
    nodes = [Node("input", {}, (), (8, 8, 3))]
    for width in widths:
        for kind in kinds:
            attributes = {"kernel": (3, 3), "stride": (1, 1)} if kind == "conv" else {}
            nodes.append(Node(kind, attributes, (len(nodes) - 1,), (8, 8, width)))
    return Graph(nodes, (0,), (len(nodes) - 1,))


def residual(*branch):
    """A block whose branch is added to its input."""
    nodes = [Node("input", {}, (), (8, 8, 4)), Node("relu", {}, (0,), (8, 8, 4))]
    for kind in branch:
        nodes.append(Node(kind, {}, (len(nodes) - 1,), (8, 8, 4)))
    nodes.append(Node("add", {}, (len(nodes) - 1, 1), (8, 8, 4)))
    nodes.append(Node("relu", {}, (len(nodes) - 1,), (8, 8, 4)))
    return Graph(nodes, (0,), (len(nodes) - 1,))


def without(graph, index):
    """The same network with one layer left out."""
    bridge = graph.nodes[index].inputs[0]

    def moved(i):
        i = bridge if i == index else i
        return i - (i > index)

    nodes = [replace(n, inputs=tuple(map(moved, n.inputs))) for n in graph.nodes]
    del nodes[index]
    return Graph(nodes, graph.inputs, tuple(map(moved, graph.outputs)))


def changed(graph, index, **attributes):
    """The same network with attributes of one layer changed."""
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], attributes=nodes[index].attributes | attributes)
    return Graph(nodes, graph.inputs, graph.outputs)


NETWORKS = [chain(16), chain(16, 16, 32), chain(8, 8, 8, 8), residual("conv", "relu", "conv")]


@pytest.mark.parametrize("graph", NETWORKS)
def test_a_network_is_itself(graph):
    """Two traces of one network have nothing to tell apart."""
    alignment = align(graph, graph)
    assert alignment.complete
    assert alignment.pairs == {i: i for i in range(len(graph))}
    assert not findings(graph, graph, alignment)


@pytest.mark.parametrize("graph", NETWORKS[1:])
@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_a_missing_layer_is_one_finding(graph, index):
    """A layer left out anywhere is that one difference, and an extra one seen from behind."""
    less = without(graph, index)
    (missing,) = findings(graph, less, align(graph, less))
    assert (missing.attribute, missing.expected) == ("missing", graph.nodes[index].kind)
    (extra,) = findings(less, graph, align(less, graph))
    assert (extra.attribute, extra.found) == ("extra", graph.nodes[index].kind)


@pytest.mark.parametrize("index", [1, 4, 7])
def test_an_attribute_is_one_finding(index):
    """A changed attribute is found at its own layer, with both values."""
    graph = chain(16, 16, 32)
    wrong = changed(graph, index, kernel=(5, 5))
    (finding,) = findings(graph, wrong, align(graph, wrong))
    assert (finding.expected_node, finding.attribute) == (index, "kernel")
    assert (finding.expected, finding.found) == ((3, 3), (5, 5))


def test_single_precision_is_no_difference():
    """A constant that only passed through float32 is the constant that was written."""
    graph = changed(chain(16), 2, epsilon=1e-3)
    wrong = changed(chain(16), 2, epsilon=0.0010000000474974513)
    assert not findings(graph, wrong, align(graph, wrong))


class Net:
    """A network written down layer by layer; a call adds a layer and returns its number."""

    def __init__(self, size=32):
        self.nodes = [Node("input", {}, (), (size, size, 3))]

    def __call__(self, kind, *sources, width=None, stride=1, kernel=3):
        sources = sources or (len(self.nodes) - 1,)
        height, _, channels = self.nodes[sources[0]].shape
        attributes = {}
        if kind in ("conv", "max_pool", "avg_pool"):
            attributes = {"kernel": (kernel, kernel), "stride": (stride, stride)}
        if kind == "concat":
            channels = sum(self.nodes[i].shape[-1] for i in sources)
        height = -(-height // stride)
        self.nodes.append(Node(kind, attributes, sources, (height, height, width or channels)))
        return len(self.nodes) - 1

    def graph(self):
        return Graph(self.nodes, (0,), (len(self.nodes) - 1,))


def straight(layers, size=32):
    """Layers one after the other, as ``conv:16 relu max_pool/2``."""
    net = Net(size)
    for layer in layers.split():
        kind, _, width = layer.partition(":")
        kind, _, stride = kind.partition("/")
        net(kind, width=int(width or 0) or None, stride=int(stride or 1))
    return net.graph()


def residuals(*blocks, norm=True, size=32, projected=True):
    """Stages of residual blocks, each twice as wide as the one before and half the size."""
    net = Net(size)
    net("conv", width=16)
    for stage, count in enumerate(blocks):
        for block in range(count):
            width, stride = 16 * 2**stage, 2 if stage and not block else 1
            shortcut = source = len(net.nodes) - 1
            for at, step in enumerate((stride, 1)):
                source = net("conv", source, width=width, stride=step)
                source = net("batch_norm", source) if norm else source
                source = net("relu", source) if not at else source
            if stride == 2 and projected:
                shortcut = net("conv", shortcut, width=width, stride=2, kernel=1)
            elif stride == 2:
                shortcut = net("pad", net("max_pool", shortcut, stride=2), width=width)
            net("relu", net("add", source, shortcut))
    return net.graph()


def inception(order=(0, 1, 2, 3), leave=(), norm=False, kernel=5, widths=(8, 12, 6, 4)):
    """Two blocks of four branches, of which the first may be put together in another way."""
    net = Net()
    for block in range(2):
        before, ends = net("conv", width=16), []
        for branch, width in enumerate(widths):
            end = before
            if branch == 3:
                end = net("max_pool", end)
            for size in (1, 3) if branch == 1 else (1, kernel) if branch == 2 else (1,):
                end = net("conv", end, width=width + size, kernel=size)
                end = net("relu", net("batch_norm", end) if norm else end)
            ends.append(end)
        written = [ends[i] for i in order if i not in leave] if block == 0 else ends
        net("concat", *written)
    net("global_avg_pool")
    return net.graph().__class__(*_reachable(net.graph()))


def _reachable(graph):
    """A graph without the nodes that its output does not need."""
    kept = sorted(graph.ancestors(*graph.outputs))
    new = {old: number for number, old in enumerate(kept)}
    nodes = [
        replace(graph.nodes[i], inputs=tuple(new[j] for j in graph.nodes[i].inputs)) for i in kept
    ]
    return nodes, (0,), tuple(new[i] for i in graph.outputs)


def told(expected, found):
    """The findings between two graphs, each as attribute and values, in order."""
    result = findings(expected, found, align(expected, found))
    return [(f.attribute, f.expected, f.found) for f in result]


PLAIN = "conv:16 relu conv:16 relu max_pool/2 conv:32 relu conv:32 relu max_pool/2 conv:64 relu"
LAYERS = [
    ("conv:16 relu", "conv:16 batch_norm relu", [("extra", None, "batch_norm")]),
    ("conv:8 relu lrn max_pool conv:8", "conv:8 relu max_pool lrn conv:8",
     [("order", ("lrn", "max_pool"), ("max_pool", "lrn"))]),
    ("conv:8 batch_norm relu conv:8", "conv:8 relu batch_norm conv:8",
     [("order", ("batch_norm", "relu"), ("relu", "batch_norm"))]),
    ("conv:8 max_pool/2 relu conv:8", "conv:8 relu max_pool/2 conv:8",
     [("order", ("max_pool", "relu"), ("relu", "max_pool"))]),
    ("conv:8 max_pool/2 conv:8", "conv:8 avg_pool/2 conv:8", [("kind", "max_pool", "avg_pool")]),
    ("conv:8 tanh conv:9 tanh", "conv:8 relu conv:9 relu", [("kind", "tanh", "relu")] * 2),
    (PLAIN, PLAIN.replace("conv:32 relu max", "conv:48 relu max"), [("width", 32, 48)]),
    (PLAIN, PLAIN.replace("conv:64", "conv:10") + " softmax",
     [("width", 64, 10), ("extra", None, "softmax")]),
    (PLAIN, PLAIN.replace("relu conv", "batch_norm relu conv"),
     [("extra", None, "batch_norm")] * 2),
    (PLAIN, PLAIN.replace("conv:32 relu", "conv:32 relu conv:32 relu", 1),
     [("extra", None, "conv"), ("extra", None, "relu")]),
    (PLAIN.replace("conv:16", "conv:16 lrn"), PLAIN.replace("conv:64 relu", "conv:64"),
     [("missing", "lrn", None), ("missing", "lrn", None), ("missing", "relu", None)]),
]  # fmt: skip


@pytest.mark.parametrize("size", [32, 45])
@pytest.mark.parametrize(("expected", "found", "differences"), LAYERS)
def test_layers_differ_where_they_do(expected, found, differences, size):
    """A difference in a chain is that difference alone, at another input size as well."""
    assert told(straight(expected), straight(found, size)) == differences


@pytest.mark.parametrize("size", [32, 45])
@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("other", [{}, {"norm": False}], ids=["as it is", "without norm"])
def test_a_block_too_few_is_that_block(stage, other, size):
    """A block left out is the last of its stage, whole, whatever else has changed everywhere."""
    less = [3, 3, 3]
    less[stage] = 2
    expected, found = residuals(3, 3, 3), residuals(*less, size=size, **other)
    alignment = align(expected, found)
    block = "conv batch_norm relu conv batch_norm add relu".split()
    missing = [a for a in alignment.missing if expected.nodes[a].kind != "batch_norm"]
    assert [expected.nodes[a].kind for a in missing] == [k for k in block if k != "batch_norm"]
    ends = [i for i, n in enumerate(expected) if n.kind == "add"]
    assert missing[-2] == ends[3 * stage + 2]
    assert missing[0] == ends[3 * stage + 1] + 2
    norms = [n.kind for n in expected].count("batch_norm") if other else 2
    assert len(findings(expected, found, alignment)) == len(missing) + norms
    assert not alignment.extra


def test_blocks_too_many_in_every_stage():
    """A deeper network has the shallower one's blocks and whole blocks beside them."""
    differences = told(residuals(2, 2, 2), residuals(4, 3, 5))
    assert {attribute for attribute, *_ in differences} == {"extra"}
    assert len(differences) == 7 * (2 + 1 + 3)


def test_another_shortcut_is_that_shortcut():
    """A projection for a padded shortcut is found in the shortcut, twice, and nowhere else."""
    differences = told(residuals(2, 2, 2, projected=False), residuals(2, 2, 2))
    assert sorted(differences, key=str) == sorted(
        [("missing", "max_pool", None), ("missing", "pad", None), ("extra", None, "conv")] * 2,
        key=str,
    )


def test_no_shortcut_is_a_missing_addition():
    """Without its shortcut a block is the same chain of layers."""
    expected = residuals(2, 2)
    addition = next(i for i, node in enumerate(expected) if node.kind == "add")
    assert told(expected, without(expected, addition)) == [("missing", "add", None)]


def test_activation_before_addition_is_one_finding():
    """An activation inside the branch instead of behind the addition has changed places with it."""
    expected = residual("conv", "batch_norm", "conv", "batch_norm")
    *nodes, addition, relu = expected.nodes
    place = len(nodes)
    nodes += [replace(relu, inputs=(place - 1,)), replace(addition, inputs=(place, 1))]
    found = Graph(nodes, (0,), (place + 1,))
    assert told(expected, found) == [("order", ("add", "relu"), ("relu", "add"))]


def test_another_source_is_one_finding():
    """A layer that reads something else is found by what it reads."""
    expected = residual("conv", "batch_norm", "tanh")
    nodes = list(expected.nodes)
    nodes[5] = replace(nodes[5], inputs=(4, 2))
    found = Graph(nodes, (0,), expected.outputs)
    assert told(expected, found) == [("inputs", (4, 1), (4, 2))]


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize("norm", [False, True], ids=["as it is", "with norm"])
def test_a_branch_order_is_one_finding(order, norm):
    """Branches concatenated in another order differ where they are joined and nowhere else."""
    differences = told(inception(), inception(order, norm=norm))
    assert [d for d in differences if d[0] != "extra"] == [("order", (0, 1, 2, 3), order)]
    assert {kind for _, _, kind in differences if _ is None} <= {"batch_norm"}


def test_equal_shapes_do_not_hide_a_branch_order():
    """Two branches that differ in their kernel alone have changed places, not kernels."""
    differences = told(inception(widths=(8, 8, 6, 8)), inception((0, 1, 3, 2), widths=(8, 8, 6, 8)))
    assert differences == [("order", (0, 1, 2, 3), (0, 1, 3, 2))]


@pytest.mark.parametrize("branch", range(4))
def test_a_branch_too_few_is_that_branch(branch):
    """A branch left out is its own layers and not the join."""
    lengths = {0: 2, 1: 4, 2: 4, 3: 3}
    differences = told(inception(), inception(leave=(branch,)))
    assert [attribute for attribute, *_ in differences] == ["missing"] * lengths[branch]


def test_two_habits_at_once_are_two_kinds_of_finding():
    """3x3 for 5x5 and batch norm everywhere: as many findings as there are such layers."""
    expected, found = inception(), inception(norm=True, kernel=3)
    differences = told(expected, found)
    assert differences.count(("kernel", (5, 5), (3, 3))) == 2
    assert differences.count(("extra", None, "batch_norm")) == 12
    widths = [d for d in differences if d[0] == "width"]
    assert widths == [("width", 11, 9)] * 2
    assert len(differences) == 16


@pytest.mark.parametrize("extra", ["lrn", "dropout", "conv"])
def test_a_head_on_the_side_is_extra(extra):
    """A second output takes nothing away from the network that it grows out of."""
    expected = inception()
    last = len(expected)
    nodes = [*expected.nodes, Node(extra, {}, (9,), expected.nodes[9].shape)]
    found = Graph(nodes, (0,), (*expected.outputs, last))
    assert told(expected, found) == [("extra", None, extra)]
