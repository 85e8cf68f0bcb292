"""Wrong models in Flax: our own networks, each with one bug that ports to Flax really have.

A bug is planted in a correct model.  ``MUTANTS`` says what has to be found, and where; numbers
at equal weights see nothing where the weights are put to the same use (a dense C3 receives zeros
for what is not connected, a flatten order is made up for) or where only an output is added.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import nnx

from conformance.selftest import Mutant
from implementations.flax import alexnet, lenet, resnet, vgg

MODELS: dict[str, Any] = alexnet.MODELS | lenet.MODELS | resnet.MODELS | vgg.MODELS


def planted(architecture: str, bug: Callable[[Any], nnx.Module | None]) -> nnx.Module:
    """A network with a bug: the model that ``bug`` returns, or the one that it has changed."""
    model = MODELS[architecture](rngs=nnx.Rngs(0))
    return bug(model) or model


class Also(nnx.Module):
    """A module with something done to its result."""

    def __init__(self, module: nnx.Module, then: Callable[[jax.Array], jax.Array]) -> None:
        self.module = module
        self.then = then

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.then(self.module(x))


def dense_c3(model: Any) -> None:
    """The connection table is taken for an optimisation."""
    model.C3.layers[0].mask = None


def average_s2(model: Any) -> None:
    """Subsampling is read as average pooling with a coefficient."""
    model.S2 = AverageSubsampling(6)


class AverageSubsampling(lenet.Subsampling):
    def __call__(self, x: jax.Array) -> jax.Array:
        mean = nnx.avg_pool(x, (2, 2), strides=(2, 2))
        return lenet.squash(self.coefficient * mean + self.bias)


def plain_tanh(model: Any) -> None:
    """The squashing function is taken for tanh."""
    model.F6.layers[1] = nnx.tanh


def averaged_alpha(model: Any) -> None:
    """The constants of PyTorch's normalisation, which divides alpha by n."""
    model.norm1.alpha = 1e-4 / 5


def radius_for_size(model: Any) -> None:
    """n = 5 is taken for the radius of the neighbourhood."""
    model.norm2.n = 11


def grouped(model: Any) -> None:
    """The two groups of the two-column network, in one layer only."""
    rngs = nnx.Rngs(0)
    model.conv2.layers[0] = nnx.Conv(96, 256, (5, 5), padding=2, feature_group_count=2, rngs=rngs)


def average_for_maximum(model: Any) -> None:
    """nnx.avg_pool where nnx.max_pool was meant."""
    model.pool5 = AveragePool()


class AveragePool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.avg_pool(x, (3, 3), strides=(2, 2))


def width_before_height(model: Any) -> None:
    """A transpose from another layout swaps height and width before the dense layers."""
    model.pool5 = Also(model.pool5, lambda x: x.transpose(0, 2, 1, 3))


def no_bias(model: Any) -> None:
    """use_bias=False copied from a network with batch norm."""
    model.fc7.layers[0] = nnx.Linear(4096, 4096, use_bias=False, rngs=nnx.Rngs(0))


def same_padding(model: Any) -> None:
    """padding="SAME": 2 and 3 pixels instead of 3 and 3 where an even input is halved."""
    model.conv1.layers[0].layers[0].padding = "SAME"


def same_pool(model: Any) -> nnx.Module:
    """padding="SAME" in the pool: nothing above, one row below."""
    return SamePool(*MODELS["ResNet-18"].args, rngs=nnx.Rngs(0))


class SamePool(resnet.ResNet):
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(self.conv1(x), (3, 3), strides=(2, 2), padding="SAME")
        x = self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x))))
        return self.fc(x.mean(axis=(1, 2)))


def other_epsilon(model: Any) -> None:
    """The epsilon of Keras, 1e-3, in every batch norm."""
    for _, module in nnx.iter_modules(model):
        if isinstance(module, nnx.BatchNorm):
            module.epsilon = 1e-3


def no_scale(model: Any) -> None:
    """use_scale=False, which Keras' Inceptions have, before an addition."""
    model.conv5_x.layers[1].residual.layers[2].layers[1] = nnx.BatchNorm(
        512, use_scale=False, momentum=0.9, epsilon=1e-5, rngs=nnx.Rngs(0)
    )


def relu_before_addition(model: Any) -> None:
    """The last ReLU of a block is applied to the residual and not to the sum."""
    block = model.conv3_x.layers[1]
    model.conv3_x.layers[1] = ReluBeforeAddition(block.residual, block.shortcut)


class ReluBeforeAddition(resnet.Residual):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.residual(x)) + x


def bare_projection(model: Any) -> None:
    """The projection shortcut has no batch norm."""
    block = model.conv4_x.layers[0]
    block.shortcut = block.shortcut.layers[0]


def stride_on_3x3(model: Any) -> None:
    """ResNet v1.5: the stride is on the 3x3 of a bottleneck."""
    first, _, second, *_ = model.conv3_x.layers[0].residual.layers
    first.layers[0].strides, second.layers[0].strides = 1, 2


def missing_relu(model: Any) -> None:
    """A ReLU lost between two convolutions."""
    model.conv3.layers[1] = lambda x: x


def dilated(model: Any) -> None:
    """kernel_dilation for strides, the size kept by padding."""
    conv = model.conv5.layers[0]
    conv.kernel_dilation, conv.padding = 2, 2


def softmax_at_the_end(model: Any) -> None:
    """Probabilities where logits are expected."""
    model.fc8 = Also(model.fc8, nnx.softmax)


def mutant(
    architecture: str,
    bug: Callable[[Any], nnx.Module | None],
    layer: str,
    attribute: str,
    numbers: bool = True,
) -> Mutant:
    return Mutant(architecture, partial(planted, architecture, bug), layer, attribute, numbers)


MUTANTS: dict[str, Mutant] = {
    "dense C3": mutant("LeNet-5", dense_c3, "C3", "table", numbers=False),
    "average in S2": mutant("LeNet-5", average_s2, "S2", "divisor"),
    "plain tanh in F6": mutant("LeNet-5", plain_tanh, "F6", "missing"),
    "alpha averaged": mutant("AlexNet", averaged_alpha, "norm1", "alpha"),
    "radius for size": mutant("AlexNet", radius_for_size, "norm2", "n"),
    "grouped conv2": mutant("AlexNet", grouped, "conv2", "groups"),
    "average for maximum": mutant("AlexNet", average_for_maximum, "pool5", "kind"),
    "width before height": mutant("AlexNet", width_before_height, "fc6", "order", numbers=False),
    "no bias in fc7": mutant("AlexNet", no_bias, "fc7", "bias"),
    "SAME in conv1": mutant("ResNet-18", same_padding, "conv1", "padding"),
    "SAME in the pool": mutant("ResNet-18", same_pool, "conv2_x", "padding"),
    "epsilon 1e-3": mutant("ResNet-18", other_epsilon, "conv1", "epsilon"),
    "no scale": mutant("ResNet-18", no_scale, "conv5_x", "gamma"),
    "ReLU before addition": mutant("ResNet-18", relu_before_addition, "conv3_x", "order"),
    "bare projection": mutant("ResNet-18", bare_projection, "conv4_x", "missing"),
    "stride on the 3x3": mutant("ResNet-50", stride_on_3x3, "conv3_x", "stride"),
    "missing ReLU": mutant("AlexNet", missing_relu, "conv3", "missing"),
    "dilated": mutant("AlexNet", dilated, "conv5", "dilation"),
    "softmax at the end": mutant("VGG-A", softmax_at_the_end, "fc8", "extra", numbers=False),
}
