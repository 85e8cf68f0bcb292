"""How people write Keras: compiled, subclassed, with switches, and what asks how it is called."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("keras") is None:
    pytest.skip("keras is not installed", allow_module_level=True)

import keras
from keras import layers

from conformance import reference
from conformance.implementations.keras.layers import conv_bn
from conformance.judge.port import idle, precision
from conformance.judge.port.subject import subject
from conformance.judge.port.verdict import judge
from conformance.ports import implementations
from conformance.trace.canonical import canonical
from conformance.trace.keras.port import port
from tests.selftest.keras.resnets import restaged
from tests.selftest.keras.training import straight
from tests.selftest.plainly import TABLE, plainly


@pytest.fixture(autouse=True)
def chosen():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("its wrong models ask what TensorFlow does")


class End(layers.Layer):
    """What becomes of a network's result, by a function of it and of the training switch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x, training=None):
        return self.function(x, training)


def lenet(function=lambda x, training: x, types=(None, None, None)):
    """LeNet-5 as its table has it, what becomes of its result, and its convolutions' types."""

    def mean():
        return [layers.AveragePooling2D(2), layers.Activation("tanh")]

    return keras.Sequential([
        layers.Input((32, 32, 1)),
        layers.Conv2D(6, 5, activation="tanh", dtype=types[0]), *mean(),
        layers.Conv2D(16, 5, activation="tanh", dtype=types[1]), *mean(),
        layers.Conv2D(120, 5, activation="tanh", dtype=types[2]), layers.Flatten(),
        layers.Dense(84, activation="tanh"), layers.Dense(10, activation="softmax"),
        End(function),
    ])  # fmt: skip


def eager(x):
    """Whether there are numbers: neither a graph nor a symbol."""
    try:
        return keras.ops.convert_to_numpy(x) is not None
    except Exception:
        return False


ENDS = {
    "right": (lambda x, training: x, True),
    "asks whether it is traced": (lambda x, training: 2 * x if eager(x) else x, False),
    "asks for the precision": (lambda x, training: 2 * x if x.dtype == "float32" else x, False),
    "asks how many images": (
        lambda x, training: keras.ops.roll(x, 1, 1) if x.shape[0] == 3 and eager(x) else x,
        False,
    ),
    "asks for the phase": (lambda x, training: 2 * x if training is None else x, False),
}


@pytest.mark.parametrize(("function", "right"), ENDS.values(), ids=ENDS)
def test_a_plain_run_tells_what_asks_how_it_is_called(function, right):
    """Called as its users call it, a model has to compute what was observed."""
    part = plainly(port(lambda: lenet(function)))
    assert (part.run, not part.findings) == (1, right)


LOW = "mixed_bfloat16"


@pytest.mark.parametrize(
    ("types", "found", "remarked"),
    [((None,) * 3, [], []), ((LOW,) * 3, [], ["C1"]), ((None, LOW, None), ["C3"], [])],
    ids=["float32", "policy", "island"],
)
def test_a_policy_of_precision_is_a_remark_and_an_island_a_finding(types, found, remarked):
    """What all convolutions are computed in is meant; what one is computed in was left in."""
    asked = subject(port(lambda: lenet(types=types)), TABLE, None, 0, lambda *said: None)
    part = precision.check(asked)
    assert [each.node for each in part.findings] == found
    assert [each.node for each in part.remarks] == remarked


class Drawn(layers.Layer):
    """A branch times a number that is drawn in every call."""

    def call(self, x):
        return x * keras.ops.cast(keras.random.uniform((1,)), x.dtype)


class Unkept(layers.Layer):
    """A layer that is made in every call."""

    def call(self, x):
        return layers.Conv2D(16, 5, activation="tanh")(x)


def convolutions(second, before=()):
    """Two convolutions, the second of which may be none."""
    return keras.Sequential([
        layers.Input((32, 32, 1)), *before,
        layers.Conv2D(6, 5, activation="tanh"), layers.AveragePooling2D(2),
        layers.Activation("tanh"), *second, layers.Flatten(), layers.Dense(10),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("second", "kind", "attribute", "value"),
    [
        (lambda: [layers.Conv2D(16, 5)], "conv", "weights", None),
        (lambda: [Unkept()], "conv", "weights", "drawn in every call"),
        (lambda: [layers.Conv2D(16, 5), Drawn()], "unknown:random", "weights", None),
    ],
    ids=["right", "layer made in call", "random factor"],
)
def test_what_is_drawn_in_a_call_is_named(second, kind, attribute, value):
    """Weights that are no parameters are said of their layer; a draw has a node of its own."""
    graph = canonical(port(lambda: convolutions(second())).trace((32, 32, 1)))
    found = [node for node in graph if node.kind == kind]
    assert found and found[-1].attributes.get(attribute) == value


def fitted():
    """Compiled and fitted, so that it has weights, in layers without names."""
    model = convolutions([])
    model.compile("sgd", "mse", metrics=["accuracy"])
    model.fit(np.zeros((2, 32, 32, 1)), np.eye(10)[:2], verbose=0)
    return model


def test_a_fitted_model_is_read():
    """As one that was only built is."""
    kinds = [
        [node.kind for node in canonical(port(factory).trace((32, 32, 1)))]
        for factory in (fitted, lambda: convolutions([]))
    ]
    assert kinds[0] == kinds[1]


def test_a_sequential_model_says_where_its_channels_are():
    """Whatever Keras' own setting is when it is traced."""
    shape = {"data_format": "channels_first"}
    made = [layers.Input((1, 8, 8)), layers.Conv2D(4, 3, **shape), layers.Flatten()]
    tape = port(lambda: keras.Sequential(made)).trace((8, 8, 1))
    assert tape[0].attributes["axes"] == "NCHW"


SMALL = (32, 32, 1)
PREPARED = {
    "flip": (lambda: [layers.RandomFlip("horizontal")], [], ["augmentation"]),
    "in a model": (
        lambda: [keras.Sequential([layers.RandomZoom(0.2), layers.RandomRotation(0.1)])],
        [],
        ["augmentation"] * 2,
    ),
    "its own size": (lambda: [layers.Resizing(32, 32)], [], []),
    "another size": (lambda: [layers.Resizing(16, 32), layers.Resizing(32, 32)], ["operation"], []),
    "not adapted": (lambda: [layers.Normalization()], [], ["adapted"]),
    "adapted": (lambda: [adapted()], ["extra"], []),
    "noise": (lambda: [layers.GaussianNoise(0.1)], ["random"], []),
}


def adapted():
    """To numbers that cannot be the mean and deviation of images."""
    layer = layers.Normalization()
    layer.adapt(np.array([-7.0, -1.0]).reshape(2, 1, 1, 1))
    return layer


@pytest.mark.parametrize(("before", "found", "remarks"), PREPARED.values(), ids=PREPARED)
def test_what_prepares_images_is_no_layer_of_the_network(before, found, remarks):
    """What augments, or makes an image as large as it is, is a remark or nothing at all."""

    def build():
        return keras.Sequential([layers.Input(SMALL), *before(), *lenet().layers])

    judged = judge(port(build), TABLE)
    assert [each.attribute for each in judged.findings if each.check != "forward"] == found
    assert [each.attribute for each in judged.judgement.remarks] == remarks
    assert judged.verdict == ("deviates" if found else "conforms")


@pytest.mark.parametrize(("squashed", "found"), [(True, []), (False, ["missing"])])
def test_a_model_may_make_its_images_as_large_as_the_paper_has_them(squashed, found):
    """What lies behind that is judged on images of this size, and nobody has to name it."""

    def build():
        first, *rest = lenet().layers
        first = first if squashed else layers.Conv2D(6, 5)
        return keras.Sequential([layers.Input((28, 28, 1)), layers.Resizing(32, 32), first, *rest])

    judged = judge(port(build), TABLE)
    assert [each.attribute for each in judged.findings if each.check == "structure"] == found
    assert [each.attribute for each in judged.judgement.remarks] == ["resized"]
    assert judged.verdict == ("deviates" if found else "conforms")


def test_what_augments_maps_of_the_network_is_found():
    """Behind the first layer it changes what the network computes while it trains."""

    def build():
        first, *rest = lenet().layers
        return keras.Sequential([layers.Input(SMALL), first, layers.RandomFlip(), *rest])

    found = judge(port(build), TABLE, numbers=False).findings
    assert {(each.check, each.attribute) for each in found} >= {("training", "random")}


def dropped(x, training):
    return keras.random.dropout(x, 0.5, seed=1) if training else x


@pytest.mark.parametrize(
    ("last", "drops"),
    [(lambda: End(dropped), "the same in every call"), (lambda: layers.Dropout(0.5, seed=1), None)],
    ids=["in a call", "of a layer"],
)
def test_a_seed_in_a_call_drops_the_same_in_every_call(last, drops):
    """That of a layer is where its draws begin."""

    def build():
        return keras.Sequential([layers.Input(SMALL), layers.Flatten(), layers.Dense(8), last()])

    node = canonical(port(build).trace(SMALL, True)).nodes[-1]
    assert (node.kind, node.attributes.get("drops")) == ("dropout", drops)


def unchanged(x):
    return x


def rectifier(back):
    """A ReLU with a backward of its own: of what comes back, and of where the input is positive."""

    @keras.ops.custom_gradient
    def rectified(x):
        def pulled(*above, upstream=None):
            return back(above[0] if upstream is None else upstream, x > 0)

        return keras.ops.relu(x), pulled

    return rectified


#: A network; what stands for the ReLU in a block of it, and on its shortcut; what is named.
BACKWARD = {
    "a backward of its own": (
        "Basic-block",
        rectifier(lambda g, on: keras.ops.where(on, g, 0 * g)),
        unchanged,
        [],
    ),
    "straight through": ("Basic-block", rectifier(lambda g, on: g), unchanged, ["block/1 relu"]),
    "shortcut": (
        "ResNet-20-CIFAR",
        keras.ops.relu,
        keras.ops.stop_gradient,
        ["stage2/2 add"],
    ),
}


@pytest.mark.parametrize(("name", "relu", "shortcut", "nodes"), BACKWARD.values(), ids=BACKWARD)
def test_the_node_that_alters_a_gradient_is_named(name, relu, shortcut, nodes):
    """And not the first norm upstream that suffers."""
    network = reference.find(name)

    def block(x, width, stride):
        y = Done(relu)(conv_bn(x, width, 3, stride))
        return layers.Add()([conv_bn(y, width, 3), Done(shortcut)(x)])

    def build():
        if name != "Basic-block":
            return restaged(implementations.factory("keras", network), "stage2", 1, block)
        image = keras.Input(network.input)
        return keras.Model(image, layers.ReLU(name="block")(block(image, 64, 1)))

    found = judge(port(build), network).findings
    assert [(f.check, f.node) for f in found] == [("gradient", node) for node in nodes]


class Done(layers.Layer):
    """Something done to a map."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class Idle(keras.Model):
    """One layer whose result is dropped, and one that is never called."""

    def __init__(self):
        super().__init__()
        self.extra, self.norm = layers.Conv2D(2, 3, name="extra"), layers.BatchNormalization()
        self.unused, self.drop = layers.Dense(9, name="unused"), layers.Dropout(0.5)
        self.unused.build((None, 9))
        self.last = layers.Dense(10)

    def call(self, x, training=False):
        self.norm(self.extra(x), training=training)
        return self.drop(self.last(layers.Flatten()(x)), training=training)


def test_idle_layers_are_named():
    """Neither the state of a random stream nor what a norm counts is a layer by itself."""
    model, size = port(Idle), (8, 8, 1)
    part = idle.check(model.trace(size), model.trace(size, training=True), model.trains)
    found = [str(each.found) for each in part.remarks]
    assert [name.rstrip("_0123456789") for name in found] == [
        "batch_normalization", "extra", "unused",
    ]  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["in front", "behind"])
def test_an_output_besides_is_one_finding(first):
    """What is returned besides the network's result is said once, and hides nothing of that."""
    whole = lenet()
    besides = whole.layers[-3].output
    outputs = [besides, *whole.outputs] if first else [*whole.outputs, besides]
    found = judge(port(lambda: keras.Model(whole.inputs, outputs)), TABLE)
    (finding,) = found.findings
    assert (finding.attribute, finding.expected, finding.found) == ("outputs", 1, 2)
    assert found.forward is not None and found.verdict == "deviates"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("function, again", [(lambda x: x, False), (straight, True)])
def test_another_image_needs_no_call(function, again, training):
    """The operations of a trace are those of a new call on a smaller image, line by line; what
    brings a derivative of its own along is called again."""
    calls = []

    def seen(x, training):
        calls.append(x.shape)
        return function(x)

    def small():
        return keras.Sequential([
            layers.Input((32, 32, 3)), layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D(),
            layers.Dense(10), End(seen),
        ])  # fmt: skip

    traced = port(small)
    tape = traced.trace((32, 32, 3), training)
    calls.clear()
    found = traced.resized((16, 16, 3), training)
    assert bool(calls) == again and tape[0].shape[1:] == (32, 32, 3)
    anew = port(small).resized((16, 16, 3), training)
    assert found.operations == anew.operations
    assert (found.outputs, found.updates) == (anew.outputs, anew.updates)


@pytest.mark.skipif(not find_spec("jax"), reason="jax is not installed")
def test_keras_is_imported_without_jax_and_a_port_with_it():
    """In a process of ours no module of TensorFlow's brings JAX along; whoever asks gets it."""
    said = (
        "import sys; from conformance.trace import registry; registry.ready(); import keras;"
        " before = 'jax' in sys.modules; import jax; print(before, jax.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "jax"]
