"""A plain TensorFlow module, which knows nothing of Keras, is judged like any other port."""

from importlib.util import find_spec
from math import prod

import pytest

from conformance import reference
from conformance.judge.port import judge

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


@pytest.fixture
def chosen(pytestconfig):
    """The module stands with Keras' networks."""
    if "keras" not in (pytestconfig.getoption("framework") or ["keras"]):
        pytest.skip("not the framework that was asked for")


@pytest.mark.numbers
def test_module_conforms(chosen):
    """In structure, values and gradients; nothing tells it that it trains."""
    found = judge(port(LeNet), MODEL, trained=True)
    assert (found.verdict, found.findings, found.judgement.open) == ("conforms", [], [])
    assert found.judgement.unjudged[0].check == "training"


def test_wrong_module_deviates(chosen):
    """Every second pixel for the average of four is named where it is."""
    found = judge(port(lambda: LeNet(lambda x, *_: x[:, ::2, ::2])), MODEL, numbers=False)
    assert [(each.node, each.attribute) for each in found.findings] == [
        ("S2 avg_pool", "kernel"),
        ("S4 avg_pool", "kernel"),
    ]
