"""Networks of libraries that cannot be installed beside the suite, ported layer by layer.

Caffe's AlexNets, TF-slim's first two Inceptions, the BN-Inceptions of Cadene and MXNet, and the
usual ResNets for CIFAR-10.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Widths of a module, 1x1, reduction, 3x3, reduction, 3x3, projection; or the side of a pool.
SLIM_V1: tuple[tuple[int, ...], ...] = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (3,),
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), (2,),
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
#: The same for BN-Inception, with two 3x3 of one width in the third branch; four numbers where
#: the module halves its map.
BN_INCEPTION: tuple[tuple[int, ...], ...] = (
    (64, 64, 64, 64, 96, 32), (64, 64, 96, 64, 96, 64), (128, 160, 64, 96),
    (224, 64, 96, 96, 128, 128), (192, 96, 128, 96, 128, 128), (160, 128, 160, 128, 160, 128),
    (96, 128, 192, 160, 192, 128), (128, 192, 192, 256),
    (352, 192, 320, 160, 224, 128), (352, 192, 320, 192, 224, 128),
)  # fmt: skip


class Joined(nn.ModuleList):
    """Branches side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], 1)


class Sum(nn.Module):
    """A residual block that ends in a ReLU."""

    def __init__(self, residual: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual, self.shortcut = residual, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


class Zeros(nn.Module):
    """Every second pixel, and as many maps of zeros on one side as on the other."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))


def same(kernel: int, stride: int) -> nn.Module:
    """What TensorFlow's SAME adds around an even map."""
    more = kernel - stride if stride > 1 else kernel - 1
    low, high = more // 2, more - more // 2
    return nn.ZeroPad2d((low, high, low, high))


def projected(inputs: int, maps: int, epsilon: float) -> nn.Module:
    conv = nn.Conv2d(inputs, maps, 1, 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(maps, eps=epsilon))


def padded(inputs: int, maps: int, epsilon: float) -> nn.Module:
    return Zeros(maps - inputs)


class WithoutGamma(nn.BatchNorm2d):
    """TF-slim's batch norm: scale=False, epsilon 0.001, decay 0.9997."""

    def __init__(self, maps: int) -> None:
        super().__init__(maps, eps=1e-3, momentum=3e-4)
        self.weight = None


class ByHand(nn.BatchNorm2d):
    """A norm written from the paper, which moves its running statistics in place."""

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        assert mean is not None and variance is not None
        if self.training:
            with torch.no_grad():
                self.moved(x.mean((0, 2, 3)), x.var((0, 2, 3)))
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        normal = (x - mean[:, None, None]) / (variance[:, None, None] + self.eps).sqrt()
        return normal * self.weight[:, None, None] + self.bias[:, None, None]

    def moved(self: Any, mean: Tensor, variance: Tensor) -> None:
        """What a step makes of the running statistics."""
        self.running_mean.mul_(0.9).add_(0.1 * mean)
        self.running_var.mul_(0.9).add_(0.1 * variance)


class Assigned(ByHand):
    def moved(self: Any, mean: Tensor, variance: Tensor) -> None:
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        self.running_var = 0.9 * self.running_var + 0.1 * variance


class Interpolated(ByHand):
    def moved(self: Any, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.lerp_(mean, 0.1)
        self.running_var[:] = torch.lerp(self.running_var, variance, 0.1)


def cifar_resnet(
    shortcut: Callable[[int, int, float], nn.Module] = projected,
    tensorflow: bool = False,
    epsilon: float = 1e-5,
    zero: int = 0,
    norm: type[nn.BatchNorm2d] = nn.BatchNorm2d,
) -> nn.Module:
    """ResNet-20 for CIFAR-10, as kuangliu/pytorch-cifar and akamaster/pytorch_resnet_cifar10.

    In the first ``zero`` blocks the last gamma starts at 0.
    """

    def conv(inputs: int, maps: int, stride: int = 1) -> Iterable[nn.Module]:
        if tensorflow:
            yield same(3, stride)
        yield nn.Conv2d(inputs, maps, 3, stride, padding=0 if tensorflow else 1, bias=False)
        yield norm(maps, eps=epsilon)

    layers = [*conv(3, 16), nn.ReLU()]
    inputs, before = 16, len(layers)
    for maps in (16, 32, 64):
        for block in range(3):
            stride = 2 if maps > 16 and block == 0 else 1
            residual = [*conv(inputs, maps, stride), nn.ReLU(), *conv(maps, maps)]
            if len(layers) - before < zero:
                nn.init.zeros_(residual[-1].weight)
            around = nn.Identity() if inputs == maps else shortcut(inputs, maps, epsilon)
            layers.append(Sum(nn.Sequential(*residual), around))
            inputs = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def slim(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Module:
    """TF-slim's convolution: SAME, batch norm, ReLU."""
    convolution = nn.Conv2d(inputs, maps, kernel, stride, bias=False)
    return nn.Sequential(same(kernel, stride), convolution, WithoutGamma(maps), nn.ReLU())


def cadene(inputs: int, maps: int, kernel: int, stride: int = 1) -> nn.Module:
    """The convolution of Cadene's bninception: a bias before the norm, padding on all sides."""
    convolution = nn.Conv2d(inputs, maps, kernel, stride, kernel // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(maps), nn.ReLU())


def ceiled(kernel: int = 3) -> nn.Module:
    """Caffe's pool, on an even map TensorFlow's SAME as well."""
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


def slim_inception_v1() -> nn.Module:
    """TF-slim's inception_v1, which has no auxiliary heads."""
    layers = [slim(3, 64, 7, 2), ceiled(), slim(64, 64, 1), slim(64, 192, 3), ceiled()]
    inputs = 192
    for widths in SLIM_V1:
        if len(widths) == 1:
            layers.append(ceiled(*widths))
            continue
        a, b, c, d, e, f = widths
        layers.append(Joined([
            slim(inputs, a, 1),
            nn.Sequential(slim(inputs, b, 1), slim(b, c, 3)),
            nn.Sequential(slim(inputs, d, 1), slim(d, e, 3)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), slim(inputs, f, 1)),
        ]))  # fmt: skip
        inputs = a + c + e + f
    top = nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.2), nn.Linear(inputs, 1000)
    return nn.Sequential(*layers, *top)


def bn_inception(
    conv: Callable[..., nn.Module], first: Iterable[nn.Module], narrow: int, counted: bool,
    stem_pool: Callable[[], nn.Module] = ceiled, pool: Callable[[], nn.Module] = ceiled,
    top: Iterable[nn.Module] = (),
) -> nn.Module:  # fmt: skip
    """BN-Inception: ``narrow`` is the projection in 4c and 4d, ``counted`` the average's border."""
    layers = [*first, stem_pool(), conv(64, 64, 1), conv(64, 192, 3), stem_pool()]
    inputs = 192
    for place, widths in enumerate(BN_INCEPTION):
        if len(widths) == 4:
            a, b, c, d = widths
            layers.append(Joined([
                nn.Sequential(conv(inputs, a, 1), conv(a, b, 3, 2)),
                nn.Sequential(conv(inputs, c, 1), conv(c, d, 3), conv(d, d, 3, 2)),
                pool(),
            ]))  # fmt: skip
            inputs += b + d
            continue
        a, b, c, d, e, f = widths
        f = narrow if place in (5, 6) else f
        last = place == len(BN_INCEPTION) - 1
        average = nn.AvgPool2d(3, 1, 1, count_include_pad=counted)
        layers.append(Joined([
            conv(inputs, a, 1),
            nn.Sequential(conv(inputs, b, 1), conv(b, c, 3)),
            nn.Sequential(conv(inputs, d, 1), conv(d, e, 3), conv(e, e, 3)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1) if last else average, conv(inputs, f, 1)),
        ]))  # fmt: skip
        inputs = a + c + e + f
    return nn.Sequential(*layers, nn.AvgPool2d(7), nn.Flatten(), *top, nn.Linear(inputs, 1000))


def cadene_bninception() -> nn.Module:
    """Cadene's bninception for PyTorch, from the Caffe network of yjxiong."""
    return bn_inception(cadene, [cadene(3, 64, 7, 2)], 128, counted=True)


def mxnet_inception_bn() -> nn.Module:
    """Cadene's with the pools of MXNet's: the stem's round down, the modules' are padded."""
    floored, padded = partial(nn.MaxPool2d, 3, 2), partial(nn.MaxPool2d, 3, 2, 1)
    return bn_inception(cadene, [cadene(3, 64, 7, 2)], 128, True, floored, padded)


def slim_inception_v2() -> nn.Module:
    """TF-slim's inception_v2, whose separable layer has a bias and no batch norm."""
    first = (
        nn.ZeroPad2d((2, 3, 2, 3)), nn.Conv2d(3, 24, 7, 2, groups=3, bias=False),
        nn.Conv2d(24, 64, 1), nn.ReLU(),
    )  # fmt: skip
    return bn_inception(slim, first, 96, counted=False, top=[nn.Dropout(0.2)])


def caffe_alexnet(pool_first: bool) -> nn.Module:
    """BVLC's CaffeNet (pooling before the normalisation) or its AlexNet (behind it)."""

    def end() -> Iterable[nn.Module]:
        # Caffe divides alpha by the size, as PyTorch does; its k is 1 unless it is given.
        pair = nn.MaxPool2d(3, 2), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        return pair if pool_first else pair[::-1]

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(), *end(),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), *end(),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 1000),
    )  # fmt: skip


class Floor(nn.Module):
    """A layer of each tower, which read one map together or one each."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, maps: Any) -> tuple[Tensor, Tensor]:
        a, b = maps if isinstance(maps, tuple) else (maps, maps)
        return self.first(a), self.second(b)


class Together(nn.Module):
    """Both towers' maps as one, and what is done with that."""

    def __init__(self, then: nn.Module) -> None:
        super().__init__()
        self.then = then

    def forward(self, maps: tuple[Tensor, Tensor]) -> Tensor:
        joined: Tensor = self.then(torch.cat(maps, 1))
        return joined


class Halves(Together):
    """The same, and the towers again."""

    def forward(self, maps: tuple[Tensor, Tensor]) -> Any:
        return super().forward(maps).chunk(2, 1)


def towers(own_norms: bool, small: bool = False, second: int = 1) -> nn.Module:
    """AlexNet in two towers, as figure 2 draws it, with norms of each or of both together.

    ``second`` is the dilation of the last layer of the second tower alone.
    """
    side = (3, 2, 1) if small else (11, 4, 0)

    def floor(build: Callable[[], nn.Module]) -> nn.Module:
        return Floor(build(), build())

    def both(*given: int) -> Iterable[nn.Module]:
        return floor(partial(nn.Conv2d, *given)), floor(nn.ReLU)

    def norm() -> nn.Module:
        lrn = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
        return floor(lambda: lrn) if own_norms else Halves(lrn)

    def dense(inputs: int) -> Iterable[nn.Module]:
        return nn.Dropout(0.5), floor(partial(nn.Linear, inputs, 2048)), floor(nn.ReLU)

    last = Floor(
        nn.Conv2d(192, 128, 3, padding=1),
        nn.Conv2d(192, 128, 3, padding=second, dilation=second),
    )
    return nn.Sequential(
        *both(3, 48, *side), norm(), floor(partial(nn.MaxPool2d, 3, 2)),
        *both(48, 128, 5, 1, 2), norm(), floor(partial(nn.MaxPool2d, 3, 2)),
        Together(nn.Identity()),
        *both(256, 192, 3, 1, 1), *both(192, 192, 3, 1, 1), last, floor(nn.ReLU),
        floor(partial(nn.MaxPool2d, 3, 2)), Together(nn.Flatten()),
        *dense(256 if small else 9216), Together(nn.Identity()),
        *dense(4096), Together(nn.Linear(4096, 1000)),
    )  # fmt: skip
