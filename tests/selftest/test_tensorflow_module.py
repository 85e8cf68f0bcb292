"""A plain TensorFlow module, which knows nothing of Keras, is judged like any other port."""

import sys
from functools import partial
from importlib.util import find_spec
from math import prod

import pytest

from conformance import reference
from conformance.judge.port.verdict import judge
from conformance.trace.canonical import canonical
from tests.selftest.plainly import plainly

if find_spec("tensorflow") is None:
    pytest.skip("tensorflow is not installed", allow_module_level=True)

import tensorflow as tf

from conformance.trace.tensorflow.port import port

MODEL = reference.find("LeNet-5-table")
KERNELS = [(5, 5, 1, 6), (5, 5, 6, 16), (5, 5, 16, 120), (120, 84), (84, 10)]


class LeNet(tf.Module):
    """The document's summary of LeNet-5; its variables are all called alike."""

    def __init__(self, pool=tf.nn.avg_pool2d):
        super().__init__()
        random = tf.random.Generator.from_seed(1998)
        self.pool = pool
        self.kernels = [
            tf.Variable(random.normal(s, stddev=prod(s[:-1]) ** -0.5))  # LeCun's
            for s in KERNELS
        ]
        self.biases = [tf.Variable(tf.zeros(s[-1])) for s in KERNELS]

    def __call__(self, x):
        for i in range(3):
            x = tf.tanh(tf.nn.conv2d(x, self.kernels[i], 1, "VALID") + self.biases[i])
            x = tf.tanh(self.pool(x, 2, 2, "VALID")) if i < 2 else x
        x = tf.reshape(x, (x.shape[0], -1))
        x = tf.tanh(x @ self.kernels[3] + self.biases[3])
        return tf.nn.softmax(x @ self.kernels[4] + self.biases[4])


@pytest.mark.numbers
def test_module_conforms():
    """In structure, values and gradients; nothing tells it that it trains."""
    found = judge(port(LeNet), MODEL, trained=True)
    assert (found.verdict, found.findings, found.judgement.open) == ("conforms", [], [])
    assert found.judgement.unjudged[0].check == "training"


def test_wrong_module_deviates():
    """Every second pixel for the average of four is named where it is."""
    found = judge(port(lambda: LeNet(lambda x, *_: x[:, ::2, ::2])), MODEL, numbers=False)
    assert [(each.node, each.attribute) for each in found.findings] == [
        ("S2 avg_pool", "kernel"),
        ("S4 avg_pool", "kernel"),
    ]


class Signed(LeNet):
    """A graph of its own, which takes float32 and nothing else."""

    @tf.function(input_signature=[tf.TensorSpec((None, 32, 32, 1), tf.float32)])
    def __call__(self, x):
        return super().__call__(tf.ensure_shape(x, (None, 32, 32, 1)))


def test_a_signature_keeps_no_module_from_float64():
    """It is read as the function that it is made of, and called plainly as it is."""
    graphs = [canonical(port(made).trace((32, 32, 1))) for made in (Signed, LeNet)]
    assert [n.kind for n in graphs[0]] == [n.kind for n in graphs[1]]


class Prepared(LeNet):
    """Numbers in float32, which TensorFlow adds to no float64."""

    def __call__(self, x):
        return super().__call__((tf.cast(x, tf.float32) - tf.constant(0.1307)) / tf.constant([0.3]))


def test_numbers_in_float32_meet_float64():
    """They are read, and as they were written: not as single precision has them."""
    graph = canonical(port(Prepared).trace(MODEL.input))
    (scale,) = [node for node in graph if node.kind == "scale"]
    assert scale.attributes == {"factor": 1 / 0.3, "offset": -0.1307 / 0.3}


class Laid(LeNet):
    """A convolution as a product of TensorFlow's patches, perhaps with its kernel out of reach."""

    cut = staticmethod(lambda kernel: kernel)

    def __call__(self, x):
        x = tf.tanh(tf.nn.conv2d(x, self.kernels[0], 1, "VALID") + self.biases[0])
        x = tf.tanh(self.pool(x, 2, 2, "VALID"))
        x = tf.image.extract_patches(x, [1, 5, 5, 1], [1] * 4, [1] * 4, "VALID")
        x = tf.einsum("nhwk,ko->nhwo", x, tf.reshape(self.cut(self.kernels[1]), (150, 16)))
        x = tf.tanh(self.pool(tf.tanh(x + self.biases[1]), 2, 2, "VALID"))
        x = tf.tanh(tf.nn.conv2d(x, self.kernels[2], 1, "VALID") + self.biases[2])
        x = tf.tanh(tf.reshape(x, (x.shape[0], -1)) @ self.kernels[3] + self.biases[3])
        return tf.nn.softmax(x @ self.kernels[4] + self.biases[4])


class Cut(Laid):
    cut = staticmethod(tf.stop_gradient)


@pytest.mark.parametrize(("module", "found"), [(Laid, []), (Cut, [("C3", "gradient")])])
def test_patches_are_a_convolution(module, found):
    """With its gradient, which a product of what is laid out has like any other."""
    judged = judge(port(module), MODEL, trained=True)
    assert [(each.node, each.attribute) for each in judged.findings] == found
    assert judged.verdict == ("deviates" if found else "conforms")


class Halved(LeNet):
    """A model that looks at the number of its images."""

    def __call__(self, x):
        return super().__call__(x) * (0.5 if x.shape[0] == 3 and tf.executing_eagerly() else 1.0)


@pytest.mark.parametrize(("module", "right"), [(LeNet, True), (Halved, False)])
def test_a_plain_run_tells_what_asks_how_it_is_called(module, right):
    """Called as its users call it, a module has to compute what was observed."""
    part = plainly(port(module))
    assert (part.run, not part.findings) == (1, right)


def of_keras_2(bias=True, normed=False):
    """A LeNet of Keras 2; with a batch norm, it is behind the first layer."""
    layers = pytest.importorskip("tf_keras", reason="tf_keras is not installed").layers
    norms = [layers.BatchNormalization()] if normed else []
    return sys.modules["tf_keras"].Sequential(
        [
            layers.Input(MODEL.input), layers.Conv2D(6, 5, activation="relu"), *norms,
            layers.MaxPooling2D(), layers.Conv2D(16, 5, activation="relu", use_bias=bias),
            layers.MaxPooling2D(), layers.Flatten(), layers.Dense(120, "relu"),
            layers.Dense(84, "relu"), layers.Dense(10, "softmax"),
        ]
    )  # fmt: skip


def test_a_model_of_keras_2_is_read():
    """In float64, which its layers do not have of themselves; it computes what it did."""
    found = judge(port(of_keras_2), MODEL)
    assert found.verdict == "conforms-as-variant", found.findings
    assert {each.name for each in found.profiles} == {"ReLU", "max pooling"}
    assert (port(of_keras_2).declared(), port(LeNet).declared()) == (MODEL.input, None)


@pytest.mark.parametrize(
    ("wrong", "attribute", "layer"),
    [({"bias": False}, "bias", "conv2d_"), ({"normed": True}, "extra", "batch_normalization")],
)
def test_a_wrong_model_of_keras_2_is_named_at_its_layer(wrong, attribute, layer):
    """By the name that Keras gives the layer."""
    findings = judge(port(partial(of_keras_2, **wrong)), MODEL, numbers=False).findings
    (found,) = [each for each in findings if each.attribute == attribute]
    assert found.port_node.startswith(layer)
