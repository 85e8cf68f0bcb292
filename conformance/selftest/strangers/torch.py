"""torchvision's and timm's networks."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module

import torch
from torch import nn

from conformance.selftest.strangers import Stranger

OPERATORS: list[torch.library.Library] = []


def torchvision(name: str, **options: object) -> nn.Module:
    """A network of torchvision, whose operators a CPU build of torch may lack: none is called."""
    if not OPERATORS:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            with suppress(RuntimeError):  # it is there
                library.define(
                    f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor"
                )
        OPERATORS.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = getattr(import_module("torchvision.models"), name)(**options)
    return module


def timm(name: str, **options: object) -> nn.Module:
    """A network of timm, which imports torchvision."""
    torchvision("alexnet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: nn.Module = import_module("timm").create_model(name, **options)
    return module


def of(
    build: Callable[..., nn.Module], name: str, architecture: str, *variants: str,
    another: str = "", **options: object,
) -> Stranger:  # fmt: skip
    package = build.__name__
    return Stranger(package, partial(build, name, **options), architecture, variants, another)


HEADLESS = "without auxiliary heads"
IDLE = "without dropout"

STRANGERS: dict[str, Stranger] = {
    "torchvision resnet18": of(torchvision, "resnet18", "ResNet-18"),
    "torchvision resnet34": of(torchvision, "resnet34", "ResNet-34"),
    "torchvision resnet50": of(torchvision, "resnet50", "ResNet-50", "v1.5"),
    "torchvision resnet101": of(torchvision, "resnet101", "ResNet-101", "v1.5"),
    "torchvision resnet152": of(torchvision, "resnet152", "ResNet-152", "v1.5"),
    "torchvision resnet50, 10 classes": of(
        torchvision, "resnet50", "ResNet-50", "v1.5", "other classes", num_classes=10
    ),
    "torchvision vgg11": of(torchvision, "vgg11", "VGG-A"),
    "torchvision vgg13": of(torchvision, "vgg13", "VGG-B"),
    "torchvision vgg16": of(torchvision, "vgg16", "VGG-D"),
    "torchvision vgg19": of(torchvision, "vgg19", "VGG-E"),
    "torchvision vgg11_bn": of(torchvision, "vgg11_bn", "VGG-A", "batch norm"),
    "torchvision vgg16_bn": of(torchvision, "vgg16_bn", "VGG-D", "batch norm"),
    "torchvision vgg19_bn": of(torchvision, "vgg19_bn", "VGG-E-BN"),
    "torchvision alexnet": of(torchvision, "alexnet", "AlexNet", another="one weird trick"),
    "torchvision googlenet": of(
        torchvision, "googlenet", "GoogLeNet", "torchvision", "torchvision's auxiliary heads",
        init_weights=False,
    ),
    "torchvision inception_v3": of(
        torchvision, "inception_v3", "Inception-v3", "padding counted", "dropout 0.5",
        "pooled auxiliary head", init_weights=False,
    ),
    "timm resnet18": of(timm, "resnet18", "ResNet-18"),
    "timm resnet50": of(timm, "resnet50", "ResNet-50", "v1.5"),
    "timm vgg16": of(timm, "vgg16", "VGG-D", "fully convolutional", IDLE),
    "timm inception_v3": of(
        timm, "inception_v3", "Inception-v3", "padding counted", HEADLESS, IDLE
    ),
    "timm inception_v4": of(timm, "inception_v4", "Inception-v4", IDLE),
    "timm inception_resnet_v2": of(
        timm, "inception_resnet_v2", "Inception-ResNet-v2", IDLE
    ),
}  # fmt: skip
