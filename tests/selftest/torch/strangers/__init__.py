"""torchvision's and timm's networks, and ports of others."""

from collections.abc import Callable
from functools import partial

from torch import nn

from tests.selftest.rows import Stranger
from tests.selftest.torch.strangers import altered, ports, taught
from tests.selftest.torch.strangers.libraries import timm, torchvision


def of(
    build: Callable[..., nn.Module], name: str, architecture: str, *variants: str,
    another: str = "", size: tuple[int, int, int] | None = None, **options: object,
) -> Stranger:  # fmt: skip
    built = partial(build, name, **options)
    return Stranger(build.__name__, built, architecture, variants, another, size=size)


def ported(
    build: Callable[..., nn.Module], architecture: str, *variants: str,
    numbers: bool = False, **options: object,
) -> Stranger:  # fmt: skip
    built = partial(build, **options)
    return Stranger("torch", built, architecture, variants, numbers=numbers)


HEADLESS = "without auxiliary heads"
IDLE = "without dropout"
MOMENTUM = "PyTorch's momentum"
CADENE = "Cadene", "plain first layer", "projections of 128", "symmetric padding", MOMENTUM
CAFFE = "Caffe's normalisation", "dropout behind"

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
        MOMENTUM, init_weights=False,
    ),
    "torchvision googlenet without heads, on 32x32": of(
        torchvision, "googlenet", "GoogLeNet", "torchvision", HEADLESS, size=(32, 32, 3),
        aux_logits=False, init_weights=False,
    ),
    "torchvision inception_v3 without heads, on 96x96": of(
        torchvision, "inception_v3", "Inception-v3", "padding counted", "dropout 0.5",
        MOMENTUM, HEADLESS, size=(96, 96, 3), aux_logits=False, init_weights=False,
    ),
    "torchvision inception_v3 without heads, on 75x75": of(
        torchvision, "inception_v3", "Inception-v3", "padding counted", "dropout 0.5",
        MOMENTUM, HEADLESS, size=(75, 75, 3), aux_logits=False, init_weights=False,
    ),
    "timm resnet18": of(timm, "resnet18", "ResNet-18"),
    "timm resnet50": of(timm, "resnet50", "ResNet-50", "v1.5"),
    "timm vgg16": of(timm, "vgg16", "VGG-D", IDLE),
    "timm vgg16 on 256x256": of(
        timm, "vgg16", "VGG-D", "fully convolutional", IDLE, size=(256, 256, 3)
    ),
    "timm inception_v3": of(
        timm, "inception_v3", "Inception-v3", "padding counted", HEADLESS, IDLE, MOMENTUM
    ),
    "timm inception_v4": of(timm, "inception_v4", "Inception-v4", IDLE, MOMENTUM),
    "timm inception_resnet_v2": of(
        timm, "inception_resnet_v2", "Inception-ResNet-v2", IDLE, MOMENTUM
    ),
    "ResNet-20, option B": ported(
        ports.cifar_resnet, "ResNet-20-CIFAR", "projection shortcuts"
    ),
    **{
        f"ResNet-20, norms {norm.__name__}": ported(
            ports.cifar_resnet, "ResNet-20-CIFAR", "projection shortcuts", norm=norm, numbers=True
        )
        for norm in (ports.ByHand, ports.Assigned, ports.Interpolated)
    },
    "ResNet-20, zeros on both sides": ported(
        ports.cifar_resnet, "ResNet-20-CIFAR", "zeros on both sides", shortcut=ports.padded
    ),
    "ResNet-20, TensorFlow's padding": ported(
        ports.cifar_resnet, "ResNet-20-CIFAR", "projection shortcuts", "same padding",
        tensorflow=True,
    ),
    "ResNet-20, every last gamma 0": ported(
        ports.cifar_resnet, "ResNet-20-CIFAR", "projection shortcuts", "zero-init residual",
        zero=9, numbers=True,
    ),
    "ResNet-20, all but one last gamma 0": ported(
        ports.cifar_resnet, "ResNet-20-CIFAR", "projection shortcuts", zero=8, numbers=True
    ),
    "ResNet-50, TensorFlow's padding": ported(
        altered.same_padding, "ResNet-50", "same padding, stride on the 1x1"
    ),
    "TF-slim inception_v1": ported(
        ports.slim_inception_v1, "GoogLeNet", "torchvision", "same padding", HEADLESS
    ),
    "TF-slim inception_v2": ported(
        ports.slim_inception_v2, "Inception-v2", "TF-slim", "without gamma"
    ),
    "Cadene bninception": ported(ports.cadene_bninception, "Inception-v2", *CADENE),
    "MXNet Inception-BN": ported(
        ports.mxnet_inception_bn, "Inception-v2", *CADENE, "MXNet's pools"
    ),
    "Caffe bvlc_alexnet": ported(
        ports.caffe_alexnet, "AlexNet", "two groups", "normalisation before pooling", *CAFFE,
        pool_first=False,
    ),
    "Caffe bvlc_alexnet, grouped": ported(
        ports.caffe_alexnet, "AlexNet-groups", *CAFFE, pool_first=False
    ),
    "Caffe caffenet": ported(
        ports.caffe_alexnet, "AlexNet", "two groups", *CAFFE, pool_first=True
    ),
    "Caffe caffenet, grouped": ported(
        ports.caffe_alexnet, "AlexNet-groups", "pooling before normalisation", *CAFFE,
        pool_first=True,
    ),
    "AlexNet in two towers": ported(ports.towers, "AlexNet-groups", own_norms=False),
    "AlexNet in two towers, normalised in each": ported(
        ports.towers, "AlexNet-groups", "normalised in each tower", own_norms=True
    ),
    **taught.STRANGERS,
}  # fmt: skip

#: Networks that are none, as what they may be taken for: no variants explain them.
OTHERS: dict[str, Stranger] = {
    "timm resnet50d": of(timm, "resnet50d", "ResNet-50"),
    "timm wide_resnet50_2": of(timm, "wide_resnet50_2", "ResNet-50"),
    "timm resnext50_32x4d": of(timm, "resnext50_32x4d", "ResNet-50"),
    "timm resnet18d": of(timm, "resnet18d", "ResNet-18"),
    "timm resnetv2_50": of(timm, "resnetv2_50", "ResNet-50"),
    "torchvision resnet50, Keras' epsilon": of(
        torchvision, "resnet50", "ResNet-50", norm_layer=partial(nn.BatchNorm2d, eps=1e-3)
    ),
    "ResNet-20, Keras' epsilon": ported(ports.cifar_resnet, "ResNet-20-CIFAR", epsilon=1e-3),
    "timm inception_v3, PyTorch's epsilon": ported(altered.forgotten_epsilon, "Inception-v3"),
    "AlexNet in two towers that differ": ported(
        ports.towers, "AlexNet-groups", own_norms=False, second=2
    ),
    **taught.OTHERS,
}  # fmt: skip
