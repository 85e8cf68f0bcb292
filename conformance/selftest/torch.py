"""Wrong models in PyTorch: our own networks, each with one bug that ports to PyTorch really have.

A bug is planted in a correct model.  ``MUTANTS`` says what has to be found, and where; numbers
at equal weights see nothing where the weights are put to the same use (a dense C3 receives zeros
for what is not connected, a flatten order is made up for) or where only an output is added.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from conformance.selftest import Mutant
from implementations.torch import alexnet, lenet, resnet, vgg

MODELS = alexnet.MODELS | lenet.MODELS | resnet.MODELS | vgg.MODELS


def planted(architecture: str, bug: Callable[[Any], nn.Module | None]) -> nn.Module:
    """A network with a bug: the model that ``bug`` returns, or the one that it has changed."""
    model = MODELS[architecture]()
    return bug(model) or model


def dense_c3(model: Any) -> None:
    """The connection table is taken for an optimisation."""
    model.C3[0] = nn.Conv2d(6, 16, 5)


def average_s2(model: Any) -> None:
    """Subsampling is read as average pooling with a coefficient."""
    model.S2[0] = AverageSubsampling(6)


class AverageSubsampling(lenet.Subsampling):
    def forward(self, x: Tensor) -> Tensor:
        return self.coefficient * F.avg_pool2d(x, 2) + self.bias


def tanh_of_x(model: Any) -> None:
    """The squashing function without the 2/3 inside."""
    model.C5[1] = TanhOfX()


class TanhOfX(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * x.tanh()


def averaged_alpha(model: Any) -> None:
    """The paper's alpha given to PyTorch, which divides it by n."""
    model.norm1.alpha = 1e-4


def radius_for_size(model: Any) -> None:
    """n = 5 is taken for the radius of the neighbourhood, as TensorFlow would."""
    model.norm2 = nn.LocalResponseNorm(11, alpha=11 * 1e-4, beta=0.75, k=2.0)


def default_k(model: Any) -> None:
    """PyTorch's default k of 1."""
    model.norm2 = nn.LocalResponseNorm(5, alpha=5 * 1e-4)


def normalised_first(model: Any) -> None:
    """The normalisation where the paper's text has it and the table has not."""
    model.pool1, model.norm1 = model.norm1, model.pool1


def small_conv2(model: Any) -> None:
    """3x3 with padding 1 where the paper has 5x5 with padding 2: every shape stays."""
    model.conv2[0] = nn.Conv2d(96, 256, 3, padding=1)


def grouped(model: Any) -> None:
    """The two groups of the two-column network, in one layer only."""
    model.conv2[0] = nn.Conv2d(96, 256, 5, padding=2, groups=2)


def dilated(model: Any) -> None:
    """An argument in the wrong place: dilation, the size kept by padding."""
    model.conv5[0] = nn.Conv2d(384, 256, 3, dilation=2, padding=2)


def missing_relu(model: Any) -> None:
    """A ReLU lost between two convolutions."""
    model.conv3[1] = nn.Identity()


def extra_relu(model: Any) -> None:
    """The last dense layer is made by the helper that makes the others."""
    model.fc8 = nn.Sequential(model.fc8, nn.ReLU())


def no_bias(model: Any) -> None:
    """bias=False copied from a network with batch norm."""
    model.fc7[0] = nn.Linear(4096, 4096, bias=False)


def width_before_height(model: Any) -> None:
    """A permutation from another layout swaps height and width before the dense layers."""
    model.flatten = WidthBeforeHeight()


class WidthBeforeHeight(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3).flatten(1)


def overlapping_pool(model: Any) -> None:
    """3x3 with stride 2 and padding 1 instead of 2x2 with stride 2: every shape stays."""
    model.pool3 = nn.MaxPool2d(3, 2, padding=1)


def average_for_maximum(model: Any) -> None:
    """AvgPool2d where MaxPool2d was meant."""
    model.pool4 = nn.AvgPool2d(2, 2)


def padded_below(model: Any) -> None:
    """TensorFlow's "same": 2 and 3 pixels instead of 3 and 3 where an even input is halved."""
    model.conv1[0][0].padding = (2, 2)
    model.conv1.insert(0, nn.ZeroPad2d((0, 1, 0, 1)))


def stride_on_3x3(model: Any) -> None:
    """ResNet v1.5, torchvision's: the stride is on the 3x3 of a bottleneck."""
    first, _, second, *_ = model.conv3_x[0].residual
    first[0].stride, second[0].stride = (1, 1), (2, 2)


def block_too_few(model: Any) -> None:
    """One block less in conv4_x."""
    del model.conv4_x[-1]


def other_epsilon(model: Any) -> None:
    """The epsilon of Keras, 1e-3, in every batch norm."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def bare_projection(model: Any) -> None:
    """The projection shortcut has no batch norm."""
    model.conv4_x[0].shortcut = model.conv4_x[0].shortcut[0]


def relu_before_addition(model: Any) -> None:
    """The last ReLU of a block is applied to the residual and not to the sum."""
    model.conv3_x[1].__class__ = ReluBeforeAddition


class ReluBeforeAddition(resnet.Block):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x)) + self.shortcut(x)


def mutant(
    architecture: str,
    bug: Callable[[Any], nn.Module | None],
    layer: str,
    attribute: str,
    numbers: bool = True,
) -> Mutant:
    return Mutant(architecture, partial(planted, architecture, bug), layer, attribute, numbers)


MUTANTS: dict[str, Mutant] = {
    "dense C3": mutant("LeNet-5", dense_c3, "C3", "table", numbers=False),
    "average in S2": mutant("LeNet-5", average_s2, "S2", "divisor"),
    "tanh of x in C5": mutant("LeNet-5", tanh_of_x, "C5", "missing"),
    "alpha averaged": mutant("AlexNet", averaged_alpha, "norm1", "alpha"),
    "radius for size": mutant("AlexNet", radius_for_size, "norm2", "n"),
    "default k": mutant("AlexNet", default_k, "norm2", "k"),
    "normalised first": mutant("AlexNet", normalised_first, "pool1", "order"),
    "3x3 in conv2": mutant("AlexNet", small_conv2, "conv2", "kernel"),
    "grouped conv2": mutant("AlexNet", grouped, "conv2", "groups"),
    "dilated": mutant("AlexNet", dilated, "conv5", "dilation"),
    "missing ReLU": mutant("AlexNet", missing_relu, "conv3", "missing"),
    "extra ReLU": mutant("AlexNet", extra_relu, "fc8", "extra", numbers=False),
    "no bias in fc7": mutant("AlexNet", no_bias, "fc7", "bias"),
    "width before height": mutant("VGG-A", width_before_height, "fc6", "order", numbers=False),
    "overlapping pool": mutant("VGG-A", overlapping_pool, "pool3", "kernel"),
    "average for maximum": mutant("VGG-A", average_for_maximum, "pool4", "kind"),
    "padded below": mutant("ResNet-18", padded_below, "conv1", "padding"),
    "stride on the 3x3": mutant("ResNet-50", stride_on_3x3, "conv3_x", "stride"),
    "block too few": mutant("ResNet-50", block_too_few, "conv4_x", "missing"),
    "epsilon 1e-3": mutant("ResNet-18", other_epsilon, "conv1", "epsilon"),
    "bare projection": mutant("ResNet-18", bare_projection, "conv4_x", "missing"),
    "ReLU before addition": mutant("ResNet-18", relu_before_addition, "conv3_x", "order"),
}
