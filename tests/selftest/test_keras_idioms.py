"""How people write Keras: compiled, subclassed, with switches, and what asks how it is called."""

from importlib.util import find_spec

import pytest

if find_spec("keras") is None:
    pytest.skip("keras is not installed", allow_module_level=True)

from conformance.trace.keras.port import keras, port
from tests.selftest.plainly import plainly

layers = keras.layers


@pytest.fixture(autouse=True)
def chosen(pytestconfig):
    if "keras" not in (pytestconfig.getoption("framework") or ["keras"]):
        pytest.skip("not the framework that was asked for")


class End(layers.Layer):
    """What becomes of a network's result, by a function of it and of the training switch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x, training=None):
        return self.function(x, training)


def lenet(function):
    """LeNet-5 as its table has it."""

    def mean():
        return [layers.AveragePooling2D(2), layers.Activation("tanh")]

    return keras.Sequential([
        layers.Input((32, 32, 1)),
        layers.Conv2D(6, 5, activation="tanh"), *mean(),
        layers.Conv2D(16, 5, activation="tanh"), *mean(),
        layers.Conv2D(120, 5, activation="tanh"), layers.Flatten(),
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
