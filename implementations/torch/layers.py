"""What several of the networks are built from.

The Inceptions' batch norm has the epsilon of their authors' releases, 1e-3, and a step keeps 0.9997
of the running statistics; none of their windows of stride 2 is padded.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Kernel = int | tuple[int, int]


class Function(nn.Module):
    """A function of one tensor, where a module is needed."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Branches(nn.ModuleList):
    """Parallel branches, concatenated along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], dim=1)


class Residual(nn.Module):
    """The sum of a residual function and a shortcut, which is the identity if none is given."""

    def __init__(self, residual: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class Head(nn.Sequential):
    """An auxiliary classifier."""


class WithHeads(nn.Sequential):
    """Rows one after the other; a head reads the row above it, in training only."""

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        heads: list[Tensor] = []
        for row in self:
            if not isinstance(row, Head):
                x = row(x)
            elif self.training:
                heads.append(row(x))
        return (x, *heads) if self.training else x


def lrn(k: float, alpha: float) -> nn.LocalResponseNorm:
    # PyTorch divides alpha by the size of the neighbourhood, the papers' is not divided.
    return nn.LocalResponseNorm(size=5, alpha=5 * alpha, beta=0.75, k=k)


def conv_bn(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:  # He et al.
    return nn.Sequential(
        nn.Conv2d(inputs, maps, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(maps),
    )


def basic(inputs: int, width: int, stride: int) -> nn.Sequential:  # Figure 5, left
    return nn.Sequential(
        conv_bn(inputs, width, 3, stride), nn.ReLU(),
        conv_bn(width, width, 3),
    )


def bottleneck(inputs: int, width: int, stride: int) -> nn.Sequential:  # Figure 5, right
    return nn.Sequential(
        conv_bn(inputs, width, 1, stride), nn.ReLU(),
        conv_bn(width, width, 3), nn.ReLU(),
        conv_bn(width, 4 * width, 1),
    )


Figure = Callable[[int, int, int], nn.Sequential]

EXPANSION: dict[Figure, int] = {basic: 1, bottleneck: 4}


def residual(figure: Figure, inputs: int, width: int, stride: int) -> Residual:  # Option B
    outputs = EXPANSION[figure] * width
    same = (inputs, stride) == (outputs, 1)
    shortcut = None if same else conv_bn(inputs, outputs, 1, stride)
    return Residual(figure(inputs, width, stride), shortcut)


def norm_relu(maps: int) -> tuple[nn.BatchNorm2d, nn.ReLU]:  # Szegedy et al., from here on
    return nn.BatchNorm2d(maps, eps=1e-3, momentum=3e-4), nn.ReLU()


def conv_bn_relu(inputs: int, maps: int, kernel: Kernel) -> nn.Sequential:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2)
    conv = nn.Conv2d(inputs, maps, (height, width), padding=padding, bias=False)
    return nn.Sequential(conv, *norm_relu(maps))


def valid(inputs: int, maps: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, maps, kernel, bias=False), *norm_relu(maps))


def down(inputs: int, maps: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, maps, 3, stride=2, bias=False), *norm_relu(maps))


def path(inputs: int, *convs: tuple[int, Kernel]) -> nn.Sequential:
    """Convolutions one after the other, each as (maps, kernel)."""
    widths = [inputs, *(maps for maps, _ in convs)]
    pairs = zip(widths, convs, strict=False)
    return nn.Sequential(*(conv_bn_relu(before, *each) for before, each in pairs))


def max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2)


def average_pool() -> nn.AvgPool2d:
    return nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=False)


def pool_proj(inputs: int, maps: int) -> nn.Sequential:
    return nn.Sequential(average_pool(), conv_bn_relu(inputs, maps, 1))


def split(inputs: int, maps: int) -> Branches:
    return Branches([conv_bn_relu(inputs, maps, (1, 3)), conv_bn_relu(inputs, maps, (3, 1))])


def reduction_a(inputs: int, k: int, l: int, m: int, n: int) -> Branches:  # noqa: E741
    double = nn.Sequential(path(inputs, (k, 1), (l, 3)), down(l, m))
    return Branches([down(inputs, n), double, max_pool()])


def linear(inputs: int, joined: int, *branches: nn.Module) -> nn.Sequential:
    """Branches, and the linear convolution with a bias that leads back to the input's width."""
    return nn.Sequential(Branches(branches), nn.Conv2d(joined, inputs, 1))


def stage(
    block: Callable[[int], nn.Sequential], inputs: int, blocks: int, scale: float
) -> list[nn.Sequential]:
    """Residual blocks, scaled before and rectified after the sum."""
    residuals = (nn.Sequential(block(inputs), Function(lambda x: scale * x)) for _ in range(blocks))
    return [nn.Sequential(Residual(each), nn.ReLU()) for each in residuals]
