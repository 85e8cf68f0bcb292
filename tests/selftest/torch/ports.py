"""Ports that the gate refuses, or accepts with a remark; and the right forms of the same."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import blocks
from conformance.implementations.torch.layers import Function, conv_bn
from conformance.implementations.torch.vgg import pool

Change = Callable[[Tensor], Tensor]


def shared_block(model: Any) -> None:
    model.stage1[2] = model.stage1[1]


def shared_norm(model: Any) -> None:
    residual = model.stage1[0][0].residual
    residual[2][1] = residual[0][1]


def squeezed(model: Any) -> None:
    model.output.append(Function(torch.squeeze))


def squeezed_by_axis(model: Any) -> None:
    model.F6[0] = Function(lambda x: x.squeeze(3).squeeze(2))


def view_of_one(model: Any) -> None:
    model.output.append(Function(lambda x: x.view(1, -1)))


def view_of_each(model: Any) -> None:
    model.output.append(Function(lambda x: x.view(len(x), -1)))


def images_mixed(model: Any) -> None:
    model.F6[0] = Function(lambda x: x.transpose(0, 1).reshape(len(x), -1))


def mean_over_batch(model: Any) -> None:
    model.fc[0] = Function(lambda x: x.mean((0, 2, 3), keepdim=True))


def mean_over_map(model: Any) -> None:
    model.fc[0] = Function(lambda x: x.mean((2, 3)))


def softmax_over_batch(model: Any) -> None:
    model.output[1] = nn.Softmax(dim=0)


def largest_of_batch(model: Any) -> None:
    before(model, lambda x: x / x.max())


class First(nn.Module):
    """The first image in place of all, in training."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:1].expand_as(x) if self.training else x


def first_for_all(model: Any) -> None:
    model.output.append(First())


def batch_statistics(model: Any) -> None:
    model.conv1[0][1] = nn.BatchNorm2d(16, track_running_stats=False)


def before(model: Any, *changes: Change) -> None:
    """Something done to the image before the first layer."""
    model.C1 = nn.Sequential(*map(Function, changes), *model.C1)


def sides_exchanged(model: Any) -> None:
    before(model, lambda x: x.transpose(2, 3))


def prepared(x: Tensor) -> Tensor:
    return (x - 0.1307) / 0.3081


def prepared_image(model: Any) -> None:
    before(model, prepared)


def mean_and_std_exchanged(model: Any) -> None:
    before(model, lambda x: (x - 0.3081) / 0.1307)


def prepared_twice(model: Any) -> None:
    before(model, prepared, prepared)


def prepared_after_conv1(model: Any) -> None:
    model.C1.insert(1, Function(prepared))


def bytes_once(model: Any) -> None:
    before(model, lambda x: x / 255)


def bytes_twice(model: Any) -> None:
    before(model, lambda x: x / 255, lambda x: x / 255)


def random_depth(model: Any) -> None:
    model.stage1[1][0].residual.append(Function(drawn))


def drawn(x: Tensor) -> Tensor:
    return x * torch.floor(torch.rand(len(x), 1, 1, 1, dtype=x.dtype) + 0.8) / 0.8


def weights_in_forward(model: Any) -> None:
    model.C3[0] = Function(lambda x: nn.Conv2d(6, 16, 5)(x))


def one_by_one(model: Any) -> None:
    model.conv1 = Each(model.conv1)


class Each(nn.Module):
    """A module that is given its images one by one."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.inside(x[i : i + 1]) for i in range(len(x))])


def each_by_itself(model: Any) -> None:
    model.C1 = Each(model.C1)


class InPlace(nn.Module):
    """A block whose shortcut is added to the first half of its channels, or to the other."""

    def __init__(self, block: Any, half: int) -> None:
        super().__init__()
        self.residual, self.half = block.residual, half

    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        some = slice(self.half * x.shape[1], (self.half + 1) * x.shape[1])
        y[:, some] += x[:, :, ::2, ::2]
        return y


def added_to_the_others(model: Any) -> None:
    model.stage2[0][0] = InPlace(model.stage2[0][0], 1)


def added_to_some(model: Any) -> None:
    model.stage2[0][0] = InPlace(model.stage2[0][0], 0)


def precision_island(model: Any) -> None:
    model.C3[0] = Island(6, 16, 5)


class Island(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        low = (each.bfloat16() for each in (x, self.weight, self.bias))
        return F.conv2d(*low).to(x.dtype)


def plain_list(model: Any) -> None:
    model.C3[0] = Listed()


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Conv2d(6, 16, 5)]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x)


def small_vgg(
    head: Iterable[nn.Module] = (nn.Flatten(), nn.Linear(512, 10)),
    second: int = 128,
    norm: Callable[[int], list[nn.Module]] = lambda maps: [],
) -> nn.Module:
    """VGG-A as it is written for images of 32x32, with a head of its own."""
    modules: list[nn.Module] = []
    inputs = 3
    for maps, count in ((64, 1), (second, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(count):
            modules.append(nn.Conv2d(inputs, maps, 3, padding=1))
            modules += [*norm(maps), nn.ReLU()]
            inputs = maps
        modules.append(pool())
    return nn.Sequential(*modules, *head)


def vgg_for_cifar() -> nn.Module:
    return small_vgg()


def narrow_for_cifar() -> nn.Module:
    return small_vgg(second=96)


def vgg_with_norms() -> nn.Module:
    return small_vgg(norm=lambda maps: [nn.BatchNorm2d(maps)])


def width_for_epsilon() -> nn.Module:
    return small_vgg(norm=lambda maps: [nn.BatchNorm2d(maps, maps)])


def added_momentum() -> nn.Module:
    return small_vgg(norm=lambda maps: [nn.BatchNorm2d(maps, momentum=0.9)])


def hidden(*first: nn.Module) -> nn.Module:
    end = nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    return small_vgg([nn.Flatten(), *first, *end])


def dropout_in_front() -> nn.Module:
    return hidden(nn.Dropout(0.5))


def second_dropout() -> nn.Module:
    return hidden(nn.Dropout(0.5), nn.Dropout(0.95))


def convolutional(padding: int) -> nn.Module:
    return small_vgg([
        nn.Conv2d(512, 4096, 7, padding=padding), nn.ReLU(), nn.Dropout(0.5),
        nn.Conv2d(4096, 4096, 1), nn.ReLU(), nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4096, 1000),
    ])  # fmt: skip


def convolutional_head() -> nn.Module:
    return convolutional(0)


def padded_head() -> nn.Module:
    return convolutional(3)


def swapped_pair() -> nn.Module:
    return blocks.stack((7, 1), (1, 7))


def projections(model: Any) -> None:
    for stage, width in ((model.stage2, 32), (model.stage3, 64)):
        stage[0][0].shortcut = conv_bn(width // 2, width, 1, 2)


def biased_projection(model: Any) -> None:
    projections(model)
    model.stage3[0][0].shortcut[0] = nn.Conv2d(32, 64, 1, 2)


def biases(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.bias = nn.Parameter(torch.zeros(module.out_channels))


def one_bias_missing(model: Any) -> None:
    biases(model)
    model.stage2[1][0].residual[2][0].bias = None


def frozen_layer(model: Any) -> None:
    for parameter in model.C3.parameters():
        parameter.requires_grad_(False)


def dead_branch(model: Any) -> None:
    model.C3 = Dead(model.C3)


class Dead(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block, self.branch = block, nn.Conv2d(6, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.branch(x)
        return self.block(x)


def unused_layer(model: Any) -> None:
    model.C3[0].spare = nn.Conv2d(6, 16, 1)


def other_flatten(model: Any) -> None:
    model.flatten = Function(lambda x: x.permute(0, 2, 3, 1).flatten(1))


def flipped_kernel(model: Any) -> None:
    model.C3[0].__class__ = Flipped


class Flipped(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.flip(2, 3), self.bias)


def transposed_kernel(model: Any) -> None:
    model.C3[0].__class__ = Transposed


class Transposed(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.transpose(2, 3), self.bias)
