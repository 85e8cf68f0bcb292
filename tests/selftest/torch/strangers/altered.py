"""Networks of torchvision and timm with a layer or two changed, as others have them."""

import torch
from torch import nn

from tests.selftest.torch.strangers.libraries import timm, torchvision


def forgotten_epsilon() -> nn.Module:
    """Inception-v3 with PyTorch's default of 1e-5."""
    network = timm("inception_v3")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5
    return network


def floored_pool() -> nn.Module:
    """torchvision's GoogLeNet whose third pool rounds down."""
    network = torchvision("googlenet", init_weights=False)
    network.maxpool3.ceil_mode = False
    return network


def stride_on_the_first(network: nn.Module) -> nn.Module:
    """The paper's stride in torchvision's bottlenecks."""
    for name in ("layer2", "layer3", "layer4"):
        block = getattr(network, name)[0]
        block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    return network


def same_padding() -> nn.Module:
    """ResNet-50 with the paper's stride, every strided window padded as TensorFlow does."""
    network = stride_on_the_first(torchvision("resnet50"))
    network.conv1 = nn.Sequential(
        nn.ZeroPad2d((2, 3, 2, 3)), nn.Conv2d(3, 64, 7, 2, bias=False)
    )  # fmt: skip
    network.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return network


def caffe_resnet50(pools: int = 3) -> nn.Module:
    """The authors' release: a bias in conv1, a pool that rounds up."""
    network = stride_on_the_first(torchvision("resnet50"))
    network.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
    network.maxpool = nn.MaxPool2d(pools, 2, ceil_mode=True)
    return network


def resnet_for_small_images(name: str, kernel: int = 3) -> nn.Module:
    """A ResNet as kuangliu/pytorch-cifar has it."""
    network = torchvision(name, num_classes=10)
    network.conv1 = nn.Conv2d(3, 64, kernel, padding=kernel // 2, bias=False)
    network.maxpool = nn.Identity()
    return network


def biased(spared: int = 0) -> nn.Module:
    """ResNet-18 with PyTorch's default, a bias in every convolution but the last ones."""
    network = torchvision("resnet18")
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    for each in convolutions[: len(convolutions) - spared]:
        each.bias = nn.Parameter(torch.zeros(each.out_channels))
    return network


def bare_projections(stages: tuple[int, ...] = (2, 3, 4)) -> nn.Module:
    """ResNet-18 of Dive into Deep Learning: all convolutions have a bias, projections no norm."""
    network = biased()
    for stage in stages:
        network.get_submodule(f"layer{stage}.0.downsample")[1] = nn.Identity()
    return network


def googlenet_heads(classes: tuple[int, int]) -> nn.Module:
    """GoogLeNet for other classes; the second head's may be others still."""
    network = torchvision("googlenet", num_classes=classes[0], init_weights=False)
    network.aux2.fc2 = nn.Linear(1024, classes[1])
    return network


def inception_v3_for_small_images(border: int = 1) -> nn.Module:
    """Inception-v3 with the stem of weiaicunzai/pytorch-cifar100."""
    network = torchvision(
        "inception_v3", num_classes=100, aux_logits=False, init_weights=False
    )  # fmt: skip
    network.maxpool1 = network.maxpool2 = nn.Identity()
    first: nn.Conv2d = network.Conv2d_1a_3x3.conv
    first.stride, first.padding = (1, 1), (border, border)
    network.Conv2d_2a_3x3.conv.padding = (border, border)
    return network


def inception_v4_of_the_figures(stem: bool = True) -> nn.Module:
    """Inception-v4 with 1x7 and 7x1, 1x3 and 3x1 where the paper's figures have them."""
    network = timm("inception_v4")

    def turn(place: str) -> None:
        layer = network.get_submodule(place)
        layer.kernel_size, layer.padding = layer.kernel_size[::-1], layer.padding[::-1]
        layer.weight = nn.Parameter(layer.weight.transpose(2, 3).contiguous())

    blocks = {name: type(each).__name__ for name, each in network.named_modules()}
    layers = [name for name, each in network.named_modules() if isinstance(each, nn.Conv2d)]
    for name in layers:
        block, _, place = name.partition(".branch")
        first = stem and blocks[block] == "Mixed4a" and place.startswith(("1.1.", "1.2."))
        long = blocks[block] == "InceptionB" and place.startswith("2.") and "2.0." not in place
        last = blocks[block] == "InceptionC" and place.startswith(("2_1.", "2_2."))
        if first or long or last:
            turn(name)
    return network
