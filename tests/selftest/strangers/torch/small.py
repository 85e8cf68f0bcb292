"""Networks as they are written for CIFAR and MNIST, and in courses."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.selftest.strangers.torch.ports import Joined

#: Widths of VGG's convolutions; a letter is a pool.
VGG = {
    "VGG-A": (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    "VGG-D": (
        64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
    ),
}  # fmt: skip

#: GoogLeNet's modules: 1x1, reduction, 3x3, reduction, 5x5, projection; an empty row is a pool.
MODULES: tuple[tuple[int, ...], ...] = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (),
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), (),
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip


def vgg(
    name: str, head: Iterable[nn.Module], norm: bool = True, bias: bool = True,
    channels: int = 3, epsilon: float = 1e-5,
) -> nn.Module:  # fmt: skip
    """VGG's convolutions as cfg lists of them build it, and a head."""
    layers: list[nn.Module] = []
    for width in VGG[name]:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=bias))
        layers += [nn.BatchNorm2d(width, eps=epsilon)] if norm else []
        layers.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*layers, *head)


def one_layer() -> Iterable[nn.Module]:
    """As kuangliu/pytorch-cifar has it, with a pool of one pixel."""
    return nn.AvgPool2d(1, 1), nn.Flatten(), nn.Linear(512, 10)


def narrow() -> Iterable[nn.Module]:
    """As chengyangfu/pytorch-vgg-cifar10 has it."""
    return (
        nn.Flatten(),
        nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10),
    )  # fmt: skip


def wide(classes: int = 100) -> Iterable[nn.Module]:
    """As weiaicunzai/pytorch-cifar100 has it."""
    return (
        nn.Flatten(),
        nn.Linear(512, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, classes),
    )  # fmt: skip


def googlenet(
    stem: Iterable[tuple[int, int]] = ((3, 192),), bias: bool = True, drop: bool = False,
    norm: bool = True, twice: bool = True, pool: Callable[[], nn.Module] | None = None,
) -> nn.Module:  # fmt: skip
    """GoogLeNet for CIFAR: kuangliu/pytorch-cifar, or weiaicunzai/pytorch-cifar100."""

    def conv(inputs: int, maps: int, kernel: int) -> nn.Sequential:
        layers = [nn.Conv2d(inputs, maps, kernel, padding=kernel // 2, bias=bias)]
        return nn.Sequential(*layers, *([nn.BatchNorm2d(maps)] if norm else []), nn.ReLU())

    def five(inputs: int, maps: int) -> nn.Module:
        if twice:
            return nn.Sequential(conv(inputs, maps, 3), conv(maps, maps, 3))
        return conv(inputs, maps, 5)

    layers: list[nn.Module] = []
    inputs = 3
    for kernel, maps in stem:
        layers.append(conv(inputs, maps, kernel))
        inputs = maps
    for widths in MODULES:
        if not widths:
            layers.append(pool() if pool else nn.MaxPool2d(3, 2, 1))
            continue
        a, b, c, d, e, f = widths
        layers.append(Joined([
            conv(inputs, a, 1),
            nn.Sequential(conv(inputs, b, 1), conv(b, c, 3)),
            nn.Sequential(conv(inputs, d, 1), five(d, e)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, f, 1)),
        ]))  # fmt: skip
        inputs = a + c + e + f
    top = [nn.Dropout(0.4)] if drop else []
    return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), *top, nn.Linear(inputs, 10))


def alexnet(
    padding: int, side: int, channels: int = 3, classes: int = 1000, norm: str = "",
    drop_first: bool = False, widths: tuple[int, ...] = (96, 256, 384, 384, 256),
) -> nn.Module:  # fmt: skip
    """AlexNet as courses and repositories have it: ``norm`` is after, before or batch."""

    def end() -> Iterable[nn.Module]:
        pool = nn.MaxPool2d(3, 2)
        lrn = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
        return {"after": (pool, lrn), "before": (lrn, pool)}.get(norm, (pool,))

    def conv(inputs: int, maps: int, *sizes: int) -> Iterable[nn.Module]:
        batch = [nn.BatchNorm2d(maps)] if norm == "batch" else []
        return nn.Conv2d(inputs, maps, *sizes), *batch, nn.ReLU()

    def dense(inputs: int) -> Iterable[nn.Module]:
        layer = nn.Linear(inputs, 4096), nn.ReLU()
        return (nn.Dropout(0.5), *layer) if drop_first else (*layer, nn.Dropout(0.5))

    a, b, c, d, e = widths
    return nn.Sequential(
        *conv(channels, a, 11, 4, padding), *end(),
        *conv(a, b, 5, 1, 2), *end(),
        *conv(b, c, 3, 1, 1), *conv(c, d, 3, 1, 1), *conv(d, e, 3, 1, 1), nn.MaxPool2d(3, 2),
        nn.Flatten(), *dense(e * side * side), *dense(4096), nn.Linear(4096, classes),
    )  # fmt: skip


def lenet(
    activation: type[nn.Module] = nn.ReLU, pool: type[nn.Module] = nn.MaxPool2d, padding: int = 0,
    channels: int = 1, side: int = 5, end: Iterable[nn.Module] = (), covering: bool = False,
    c3: int = 16,
) -> nn.Module:  # fmt: skip
    """LeNet-5 as it is taught: every map is connected, the output is dense."""
    if covering:
        c5: list[nn.Module] = [nn.Conv2d(c3, 120, side), activation(), nn.Flatten()]
    else:
        c5 = [nn.Flatten(), nn.Linear(c3 * side * side, 120), activation()]
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=padding), activation(), pool(2),
        nn.Conv2d(6, c3, 5), activation(), pool(2),
        *c5, nn.Linear(120, 84), activation(), nn.Linear(84, 10), *end,
    )  # fmt: skip


class Preprocessed(nn.Module):
    """A network that is given images as they are read, and scales them itself."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, network: nn.Module, mean: tuple[float, ...], deviation: tuple[float, ...],
        reverse: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.reverse = network, reverse
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.reverse:
            x = x.flip(1)
        result: Tensor = self.network((x - self.mean) / self.deviation)
        return result


class Scaled(nn.Module):
    """A network that is given bytes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.network(x / 255)
        return result


class LogSoftmax(nn.Module):
    """A network that ends in log-probabilities, for nn.NLLLoss."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.network(x), dim=1)
