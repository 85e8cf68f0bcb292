"""Networks as they are written for CIFAR and MNIST, and in courses."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from tests.selftest.torch.strangers.ports import Joined

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


def one_layer(classes: int = 10) -> Iterable[nn.Module]:
    """As kuangliu/pytorch-cifar has it, with a pool of one pixel."""
    return nn.AvgPool2d(1, 1), nn.Flatten(), nn.Linear(512, classes)


def averaged() -> Iterable[nn.Module]:
    """The mean of a map of any size in front of the one layer."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)


def narrow(rate: float = 0.5) -> Iterable[nn.Module]:
    """As chengyangfu/pytorch-vgg-cifar10 has it."""
    return (
        nn.Flatten(),
        nn.Dropout(rate), nn.Linear(512, 512), nn.ReLU(),
        nn.Dropout(), nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10),
    )  # fmt: skip


def one_hidden(norm: bool = False, first: float = 0.5) -> Iterable[nn.Module]:
    """As most write it who leave one hidden layer, with batch norm or without."""
    return (
        nn.Flatten(), nn.Dropout(first), nn.Linear(512, 512),
        *((nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout()) if norm else (nn.ReLU(),)),
        nn.Linear(512, 10),
    )  # fmt: skip


def stretched(side: int = 7) -> Iterable[nn.Module]:
    """As torchvision has it, whose last map is that of the paper at every size of image."""
    return (
        nn.AdaptiveAvgPool2d(side), nn.Flatten(),
        nn.Linear(512 * side * side, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 10),
    )  # fmt: skip


def wide(classes: int = 100) -> Iterable[nn.Module]:
    """As weiaicunzai/pytorch-cifar100 has it."""
    return (
        nn.Flatten(),
        nn.Linear(512, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, classes),
    )  # fmt: skip


def vgg(
    name: str, head: Callable[[], Iterable[nn.Module]] = one_layer, norm: bool = True,
    bias: bool = True, channels: int = 3,
) -> nn.Module:  # fmt: skip
    """VGG's convolutions from a list of widths, and a head."""
    layers: list[nn.Module] = []
    for width in VGG[name]:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=bias))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*layers, *head())


def googlenet(
    stem: Iterable[tuple[int, int]] = ((3, 192),), bias: bool = True, drop: bool = False,
    twice: bool = True, pool: int = 3, behind: bool = False,
) -> nn.Module:  # fmt: skip
    """GoogLeNet for CIFAR: kuangliu/pytorch-cifar, or weiaicunzai/pytorch-cifar100, also the later
    one with a pool ``behind`` its stem, which alone has no biases."""

    def conv(inputs: int, maps: int, kernel: int, biased: bool = bias) -> nn.Sequential:
        layer = nn.Conv2d(inputs, maps, kernel, padding=kernel // 2, bias=biased)
        return nn.Sequential(layer, nn.BatchNorm2d(maps), nn.ReLU())

    def five(inputs: int, maps: int) -> nn.Module:
        if twice:
            return nn.Sequential(conv(inputs, maps, 3), conv(maps, maps, 3))
        return conv(inputs, maps, 5)

    layers: list[nn.Module] = []
    inputs = 3
    for kernel, maps in stem:
        layers.append(conv(inputs, maps, kernel, bias and not behind))
        inputs = maps
    if behind:
        layers.append(nn.MaxPool2d(3, 2, 1))
    for widths in MODULES:
        if not widths:
            layers.append(nn.MaxPool2d(pool, 2, pool // 2))
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
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *top, nn.Linear(inputs, 10)
    )


def alexnet(
    padding: int, side: int, channels: int = 3, classes: int = 1000, norm: str = "",
    drop_first: bool = False, bias: bool = True, stem: tuple[int, int] = (11, 4), window: int = 3,
    widths: tuple[int, ...] = (96, 256, 384, 384, 256),
) -> nn.Module:  # fmt: skip
    """AlexNet as courses and repositories have it: ``norm`` is after, before or batch."""
    a, b, c, d, e = widths

    def end() -> Iterable[nn.Module]:
        pool = nn.MaxPool2d(window, 2)
        lrn = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
        return {"after": (pool, lrn), "before": (lrn, pool)}.get(norm, (pool,))

    def conv(inputs: int, maps: int, kernel: int, stride: int, padding: int) -> Iterable[nn.Module]:
        batch = [nn.BatchNorm2d(maps)] if norm == "batch" else []
        return nn.Conv2d(inputs, maps, kernel, stride, padding, bias=bias), *batch, nn.ReLU()

    def dense(inputs: int) -> Iterable[nn.Module]:
        layer = nn.Linear(inputs, 4096), nn.ReLU()
        return (nn.Dropout(0.5), *layer) if drop_first else (*layer, nn.Dropout(0.5))

    return nn.Sequential(
        *conv(channels, a, *stem, padding), *end(),
        *conv(a, b, 5, 1, 2), *end(),
        *conv(b, c, 3, 1, 1), *conv(c, d, 3, 1, 1), *conv(d, e, 3, 1, 1),
        nn.MaxPool2d(window, 2),
        nn.Flatten(), *dense(e * side * side), *dense(4096), nn.Linear(4096, classes),
    )  # fmt: skip


def bearpaw(drop: bool = False) -> nn.Module:
    """The AlexNet of bearpaw/pytorch-classification for CIFAR."""
    top = [nn.Dropout()] if drop else []
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Flatten(), *top, nn.Linear(256, 10),
    )  # fmt: skip


def icpm(kernel: int = 3) -> nn.Module:
    """The AlexNet of icpm/pytorch-cifar10."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 192, kernel, padding=kernel // 2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(), nn.Linear(256 * 2 * 2, 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Linear(4096, 10),
    )  # fmt: skip


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1, with the stride ``at`` one of them; and the shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, at: int, kernel: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        maps = inputs
        for number, (out, size) in enumerate(((width, 1), (width, kernel), (4 * width, 1))):
            step = stride if number == at else 1
            layers += [nn.Conv2d(maps, out, size, step, size // 2, bias=False)]
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
            maps = out
        self.branch = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential()
        if inputs != maps:
            project = nn.Conv2d(inputs, maps, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(maps))

    def forward(self, x: Tensor) -> Tensor:
        return (self.branch(x) + self.shortcut(x)).relu()


def bottlenecks(n: int = 3, at: int = 1, kernel: int = 3) -> nn.Module:
    """A ResNet of 9n + 2 layers for CIFAR; ``kernel`` is that of one block in the middle."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False)]
    layers += [nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for width in (16, 32, 64):
        for block in range(n):
            stride = 2 if width > 16 and not block else 1
            odd = kernel if (width, block) == (32, 1) else 3
            layers.append(Bottleneck(inputs, width, stride, at, odd))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def lenet(
    activation: type[nn.Module] = nn.ReLU, pool: type[nn.Module] = nn.MaxPool2d, padding: int = 0,
    channels: int = 1, side: int = 5, end: Iterable[nn.Module] = (), covering: bool = False,
    c3: int = 16, zero: int = 0, pool_first: bool = False,
) -> nn.Module:  # fmt: skip
    """LeNet-5 as it is taught: every map is connected, the output is dense.

    The kernels of the last ``zero`` layers start at 0.
    """
    if covering:
        c5: list[nn.Module] = [nn.Conv2d(c3, 120, side), activation(), nn.Flatten()]
    else:
        c5 = [nn.Flatten(), nn.Linear(c3 * side * side, 120), activation()]
    last = nn.Linear(120, 84), nn.Linear(84, 10)
    for layer in last[len(last) - zero :]:
        nn.init.zeros_(layer.weight)

    def end_of_stage() -> Iterable[nn.Module]:
        pair = activation(), pool(2)
        return pair[::-1] if pool_first else pair

    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=padding), *end_of_stage(),
        nn.Conv2d(6, c3, 5), *end_of_stage(),
        *c5, last[0], activation(), last[1], *end,
    )  # fmt: skip


def caffe_lenet() -> nn.Module:
    """The LeNet that Caffe trains on MNIST."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


class Preprocessed(nn.Module):
    """A network that is given images as they are read."""

    def __init__(
        self, network: nn.Module, mean: tuple[float, ...], deviation: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.network, self.mean, self.deviation = network, mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = (
            x.new_tensor(values).view(-1, 1, 1) for values in (self.mean, self.deviation)
        )
        result: Tensor = self.network((x - mean) / deviation)
        return result


def preprocessed(
    build: Callable[[], nn.Module], mean: tuple[float, ...] = (0.0,),
    deviation: tuple[float, ...] = (255.0,),
) -> nn.Module:  # fmt: skip
    return Preprocessed(build(), mean, deviation)
