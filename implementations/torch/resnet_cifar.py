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

from .resnet import conv_bn


class Shortcut(nn.Module):
    """Option A: no parameters."""

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        self.stride, self.more = stride, maps - inputs

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def convolutions(inputs: int, maps: int, stride: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(inputs, maps, 3, stride), nn.ReLU(), conv_bn(maps, maps, 3))


class Block(nn.Module):
    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        super().__init__()
        self.residual = convolutions(inputs, maps, stride)
        same = (inputs, stride) == (maps, 1)
        self.shortcut = nn.Identity() if same else Shortcut(inputs, maps, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


def plain(inputs: int, maps: int, stride: int) -> nn.Sequential:
    return nn.Sequential(convolutions(inputs, maps, stride), nn.ReLU())


def network(block: Callable[[int, int, int], nn.Module], n: int) -> nn.Sequential:
    def stage(inputs: int, maps: int, stride: int) -> nn.Sequential:
        rest = (block(maps, maps, 1) for _ in range(n - 1))
        return nn.Sequential(block(inputs, maps, stride), *rest)

    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(conv_bn(3, 16, 3), nn.ReLU()),
        stage1=stage(16, 16, 1), stage2=stage(16, 32, 2), stage3=stage(32, 64, 2),
        fc=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    ))


def norm(maps: int) -> nn.BatchNorm2d:
    # Keras' defaults: epsilon 1e-3, and 0.99 of the old statistics kept.
    return nn.BatchNorm2d(maps, eps=1e-3, momentum=0.01)


def pre(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2)
    return nn.Sequential(norm(inputs), nn.ReLU(), conv)


class PreActivation(nn.Module):
    """Norm and ReLU before each convolution; the sum goes on as it is."""

    def __init__(self, first: nn.Module, inputs: int, width: int, maps: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(first, pre(width, width, 3), pre(width, maps, 1))
        self.shortcut = (
            nn.Identity() if inputs == maps else nn.Conv2d(inputs, maps, 1, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


def pre_activation(n: int) -> nn.Sequential:
    def stage(first: nn.Module, inputs: int, width: int, maps: int, stride: int) -> nn.Sequential:
        rest = (PreActivation(pre(maps, width, 1), maps, width, maps, 1) for _ in range(n - 1))
        return nn.Sequential(PreActivation(first, inputs, width, maps, stride), *rest)

    return nn.Sequential(OrderedDict(
        conv1=nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), norm(16), nn.ReLU()),
        # The first block follows a ReLU, so its first convolution has none of its own.
        stage1=stage(nn.Conv2d(16, 16, 1), 16, 16, 64, 1),
        stage2=stage(pre(64, 64, 1, 2), 64, 64, 128, 2),
        stage3=stage(pre(128, 128, 1, 2), 128, 128, 256, 2),
        fc=nn.Sequential(
            norm(256), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(256, 10), nn.Softmax(1)
        ),
    ))


MODELS = {
    **{f"ResNet-{6 * n + 2}-CIFAR": partial(network, Block, n) for n in (3, 5, 7, 9, 18, 200)},
    **{f"Plain-{6 * n + 2}-CIFAR": partial(network, plain, n) for n in (3, 9)},
    **{f"ResNet-{9 * n + 2}-v2-CIFAR": partial(pre_activation, n) for n in (3,)},
}
