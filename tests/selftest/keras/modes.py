"""Right in inference, wrong in training or backwards: what is done to Keras models by accident."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from conformance.implementations.keras import lenet, resnet_cifar
from tests.selftest.rows import Wrong


def planted(layer: str, then: Callable[[Any], Any]) -> keras.Model:
    """LeNet-5 with something done to the result of one of its activations."""
    model = lenet.MODELS["LeNet-5"]()
    activation = model.get_layer(layer)
    activation.activation = lambda x: then(lenet.squash(x))
    return model


@ops.custom_gradient
def doubled(x: Any) -> Any:
    """An identity with a rule of its own that scales, as a gradient reversal layer has one."""
    return x, lambda above: 2 * above


def momentum_turned_round() -> keras.Model:
    """PyTorch's momentum, the share that is new, given to Keras as the share that is kept."""
    model = resnet_cifar.MODELS["ResNet-20-CIFAR"]()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.1
    return model


class Constant(keras.layers.BatchNormalization):
    """A norm whose batch statistics are constants to the gradient."""

    def _moments(self, inputs: Any, mask: Any) -> Any:
        return tuple(map(ops.stop_gradient, super()._moments(inputs, mask)))


def statistics_stopped() -> keras.Model:
    """ResNet-20 with one such norm, the second of the second stage."""
    model = resnet_cifar.MODELS["ResNet-20-CIFAR"]()
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    norms[8].__class__ = Constant
    return model


BACKWARD: dict[str, Wrong] = {
    "stopped": Wrong("LeNet-5", partial(planted, "S4", ops.stop_gradient), "S4", found=0.0),
    "doubled by a rule": Wrong("LeNet-5", partial(planted, "C5", doubled), "C5", found=2.0),
}

STEP: dict[str, Wrong] = {
    "statistics stopped": Wrong("ResNet-20-CIFAR", statistics_stopped, "stage2"),
}

TRAINING: dict[str, Wrong] = {
    "momentum turned round": Wrong("ResNet-20-CIFAR", momentum_turned_round, "conv1", "statistics"),
}
