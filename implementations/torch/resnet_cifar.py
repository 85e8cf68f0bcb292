"""ResNets for CIFAR-10, after He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition"
(2015), section 4.2: 6n + 2 layers; and the pre-activation network of 9n + 2 layers, after their
"Identity Mappings in Deep Residual Networks" (2016), as Keras' example of both builds it.

Input 32x32x3.  Shortcuts that change the size are identities on every second pixel, padded with
zero channels (option A); the paper does not say where, here behind the others.  The Keras example
has biases in its convolutions, projections at the start of a stage, and ends in a softmax.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Residual, basic, conv_bn


class Shortcut(nn.Module):
    """Option A: no parameters."""

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        self.stride, self.more = stride, maps - inputs

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def residual(inputs: int, width: int, stride: int) -> Residual:
    same = (inputs, stride) == (width, 1)
    return Residual(basic(inputs, width, stride), None if same else Shortcut(inputs, width, stride))


def plain(inputs: int, width: int, stride: int) -> nn.Module:
    return basic(inputs, width, stride)


Block = Callable[[int, int, int], nn.Module]


def stage(block: Block, inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    others = (block(width, width, 1) for _ in range(blocks - 1))
    residuals = (block(inputs, width, stride), *others)
    return nn.Sequential(*(nn.Sequential(each, nn.ReLU()) for each in residuals))


def resnet(block: Block, n: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 16, 3), nn.ReLU()),
        stage1=stage(block, 16, 16, n, stride=1),
        stage2=stage(block, 16, 32, n, stride=2),
        stage3=stage(block, 32, 64, n, stride=2),
        fc=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    ))


def activate(maps: int) -> nn.Sequential:
    # Keras' defaults: epsilon 1e-3, and 0.99 of the old statistics kept.
    return nn.Sequential(nn.BatchNorm2d(maps, eps=1e-3, momentum=0.01), nn.ReLU())


def conv(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2)


def bottleneck(inputs: int, width: int, outputs: int, stride: int) -> nn.Sequential:
    """What follows the first activation: the first block of all has none of its own."""
    return nn.Sequential(
        conv(inputs, width, 1, stride),
        activate(width), conv(width, width, 3),
        activate(width), conv(width, outputs, 1),
    )


def stage_v2(
    first: nn.Module, inputs: int, width: int, outputs: int, blocks: int, stride: int
) -> nn.Sequential:
    projected = nn.Sequential(first, bottleneck(inputs, width, outputs, stride))
    others = (
        nn.Sequential(activate(outputs), bottleneck(outputs, width, outputs, stride=1))
        for _ in range(blocks - 1)
    )
    shortcut = conv(inputs, outputs, 1, stride)
    return nn.Sequential(Residual(projected, shortcut), *map(Residual, others))


def resnet_v2(n: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(conv(3, 16, 3), activate(16)),
        stage1=stage_v2(nn.Identity(), 16, 16, 64, n, stride=1),
        stage2=stage_v2(activate(64), 64, 64, 128, n, stride=2),
        stage3=stage_v2(activate(128), 128, 128, 256, n, stride=2),
        fc=nn.Sequential(
            activate(256), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(256, 10), nn.Softmax(dim=1),
        ),
    ))


MODELS = {
    "ResNet-20-CIFAR": partial(resnet, residual, 3),
    "ResNet-32-CIFAR": partial(resnet, residual, 5),
    "ResNet-44-CIFAR": partial(resnet, residual, 7),
    "ResNet-56-CIFAR": partial(resnet, residual, 9),
    "ResNet-110-CIFAR": partial(resnet, residual, 18),
    "ResNet-1202-CIFAR": partial(resnet, residual, 200),
    "Plain-20-CIFAR": partial(resnet, plain, 3),
    "Plain-56-CIFAR": partial(resnet, plain, 9),
    "ResNet-29-v2-CIFAR": partial(resnet_v2, 3),
}
