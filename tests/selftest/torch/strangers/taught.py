"""What networks are that are written for CIFAR, for MNIST or in courses; and what they are not."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from tests.selftest.rows import Stranger
from tests.selftest.torch.strangers import altered, libraries, small

CIFAR, MNIST, PADDED, GREY = (32, 32, 3), (28, 28, 1), (32, 32, 1), (28, 28, 1)
FOR_CIFAR, FOR_MNIST = "for 32x32 images", "for 28x28 images"
IDLE, HEADLESS = "without dropout", "without auxiliary heads"
CLASSES, CHANNELS = "other classes", "other channels"


def row(
    build: Callable[..., nn.Module], architecture: str, *variants: str,
    another: str = "", size: tuple[int, int, int] | None = None, numbers: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Stranger:  # fmt: skip
    built = partial(build, **(options or {}))
    return Stranger("torch", built, architecture, variants, another, numbers, size)


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGG_11 = partial(small.vgg, "VGG-A")
VGG: dict[str, Stranger] = {
    "VGG-16 of kuangliu": row(
        small.vgg, "VGG-D", "batch norm", "one dense layer", CLASSES, FOR_CIFAR,
        size=CIFAR, options={"name": "VGG-D"},
    ),
    "VGG-11 of kuangliu, grey, no biases": row(
        small.vgg, "VGG-A", "batch norm for biases", "one dense layer", CLASSES, CHANNELS,
        FOR_CIFAR,
        size=PADDED, options={"name": "VGG-A", "bias": False, "channels": 1},
    ),
    "VGG-11 of chengyangfu": row(
        small.vgg, "VGG-A", "dense layers of 512", "dropout in front", CLASSES, FOR_CIFAR,
        size=CIFAR, options={"name": "VGG-A", "head": small.narrow, "norm": False},
    ),
    "VGG-11 with one hidden layer": row(
        small.vgg, "VGG-A", "batch norm", "one hidden dense layer", "dense layers of 512",
        "dropout in front of fc6", CLASSES, FOR_CIFAR,
        size=CIFAR, numbers=True, options={"name": "VGG-A", "head": small.one_hidden},
    ),
    "VGG-11 with batch norm in one hidden layer": row(
        small.vgg, "VGG-A", "batch norm", "batch norm in the classifier", "more dropout",
        "one hidden dense layer", "dense layers of 512", CLASSES, FOR_CIFAR,
        size=CIFAR, options={"name": "VGG-A", "head": partial(small.one_hidden, True)},
    ),
    **{
        f"VGG-11 with torchvision's head, {side} pixels": row(
            small.vgg, "VGG-A", CLASSES, f"for {side}x{side} images",
            size=(side, side, 3),
            options={"name": "VGG-A", "head": small.stretched, "norm": False},
        )
        for side in (32, 64)
    },
    "VGG-11 with a mean of the last map": row(
        small.vgg, "VGG-A", "batch norm", "one dense layer", CLASSES, "for 64x64 images",
        size=(64, 64, 3), options={"name": "VGG-A", "head": small.averaged},
    ),
    "VGG-16 of weiaicunzai": row(
        small.vgg, "VGG-D", "batch norm", CLASSES, FOR_CIFAR,
        size=CIFAR, options={"name": "VGG-D", "head": small.wide},
    ),
    **{
        f"VGG-11 {variant}": row(
            small.preprocessed, "VGG-A", "batch norm", "one dense layer", CLASSES, FOR_CIFAR,
            variant, size=CIFAR,
            options={"build": VGG_11, "mean": mean, "deviation": deviation},
        )
        for variant, mean, deviation in (
            ("with images of bytes", (0.0,), (255.0,)),
            ("with images of bytes, from -1 to 1", (127.5,), (127.5,)),
            ("with images from -1 to 1", (0.5,), (0.5,)),
            ("with ImageNet's mean", *IMAGENET),
        )
    },
}  # fmt: skip

TRICK = (64, 192, 384, 256, 256)
FOR_SMALL: dict[str, Any] = {"padding": 1, "window": 2, "classes": 10}
ALEXNET: dict[str, Stranger] = {
    "AlexNet of dansuh17": row(
        small.alexnet, "AlexNet", "normalisation before pooling", "PyTorch's alpha",
        options={"padding": 0, "side": 6, "norm": "before", "drop_first": True},
    ),
    "AlexNet on 224x224": row(
        small.alexnet, "AlexNet", "on 224x224", "PyTorch's alpha", "dropout behind",
        size=(224, 224, 3), options={"padding": 2, "side": 6, "norm": "after"},
    ),
    "AlexNet of Dive into Deep Learning": row(
        small.alexnet, "AlexNet", "padded by one", "without normalisation", "dropout behind",
        CLASSES, CHANNELS, "for 224x224 images",
        options={"padding": 1, "side": 5, "channels": 1, "classes": 10},
    ),
    "AlexNet with batch norm": row(
        small.alexnet, "AlexNet", "batch norm",
        options={"padding": 0, "side": 6, "norm": "batch", "drop_first": True},
    ),
    "AlexNet with batch norm and no biases": row(
        small.alexnet, "AlexNet", "batch norm for biases",
        options={"padding": 0, "side": 6, "norm": "batch", "drop_first": True, "bias": False},
    ),
    "AlexNet for CIFAR": row(
        small.alexnet, "AlexNet", "for small images", "pools of 2x2", "without normalisation",
        CLASSES, numbers=True,
        size=CIFAR, options={**FOR_SMALL, "stem": (3, 1), "side": 4, "drop_first": True},
    ),
    "AlexNet for MNIST, with pools that overlap": row(
        small.alexnet, "AlexNet", "for small images", "without normalisation", CLASSES, CHANNELS,
        size=MNIST,
        options={
            **FOR_SMALL, "stem": (3, 1), "side": 2, "window": 3, "channels": 1, "drop_first": True,
        },
    ),
    **{
        f"AlexNet of torchvision for CIFAR, {name}": row(
            small.alexnet, "AlexNet", another="one weird trick for small images", size=CIFAR,
            options={**FOR_SMALL, "widths": TRICK, "drop_first": True, **changes},
        )
        for name, changes in (
            ("3x3", {"stem": (3, 1), "side": 4}),
            ("3x3/2", {"stem": (3, 2), "side": 2}),
            ("5x5", {"stem": (5, 1), "padding": 2, "side": 3, "window": 3}),
            ("11x11/4", {"padding": 5, "side": 1}),
            ("batch norm", {"stem": (3, 1), "side": 4, "norm": "batch"}),
        )
    },
    "AlexNet of bearpaw": row(
        small.bearpaw, "AlexNet", size=CIFAR,
        another="one weird trick for small images, one dense layer",
    ),
    "AlexNet of icpm": row(
        small.icpm, "AlexNet", another="one weird trick, 3x3 kernels", size=CIFAR
    ),
}  # fmt: skip

TAUGHT = "ReLU", "max pooling"
SQUASHED = "ReLU for the squashing", "max pooling for subsampling", "full C3"
LENET: dict[str, Stranger] = {
    "LeNet of PyTorch's tutorial": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "without softmax", CHANNELS,
        size=CIFAR, numbers=True, options={"channels": 3, "covering": True},
    ),
    "LeNet on MNIST": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "without softmax", FOR_MNIST,
        size=MNIST, numbers=True, options={"side": 4, "covering": True},
    ),
    "LeNet on MNIST, dense C5": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "without softmax", "on 28x28, padded",
        size=MNIST, options={"padding": 2},
    ),
    "LeNet with softmax": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "on 28x28, padded",
        size=MNIST, options={"padding": 2, "covering": True, "end": [nn.Softmax(1)]},
    ),
    "LeNet of Dive into Deep Learning": row(
        small.lenet, "LeNet-5-table", "sigmoid", "without softmax",
        "on 28x28, padded", size=MNIST,
        options={
            "activation": nn.Sigmoid, "pool": nn.AvgPool2d, "padding": 2, "covering": True,
        },
    ),
    "LeNet with MNIST's mean": row(
        small.preprocessed, "LeNet-5-table", *TAUGHT, "without softmax", "on 28x28, padded",
        "with MNIST's mean", size=MNIST,
        options={
            "build": partial(small.lenet, padding=2, covering=True),
            "mean": (0.1307,), "deviation": (0.3081,),
        },
    ),
    "LeNet that pools before its ReLUs": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "without softmax", numbers=True,
        options={"covering": True, "pool_first": True},
    ),
    "LeNet of Caffe": row(small.caffe_lenet, "LeNet-5-table", another="Caffe's", size=MNIST),
    "LeNet that starts with a classifier of zeros": row(
        small.lenet, "LeNet-5-table", *TAUGHT, "without softmax", "zero classifier",
        numbers=True, options={"covering": True, "zero": 1},
    ),
    "LeNet as the paper's": row(
        small.lenet, "LeNet-5", *SQUASHED, "dense output", options={"covering": True}
    ),
    "LeNet as the paper's, on MNIST with softmax": row(
        small.lenet, "LeNet-5", *SQUASHED, "dense output with softmax", "on 28x28, padded",
        size=MNIST, options={"padding": 2, "covering": True, "end": [nn.Softmax(1)]},
    ),
    "LeNet as the paper's, tanh and means": row(
        small.lenet, "LeNet-5", "plain tanh", "average pooling for subsampling", "full C3",
        "dense output",
        options={"activation": nn.Tanh, "pool": nn.AvgPool2d, "covering": True},
    ),
}  # fmt: skip

SMALLER = "two 3x3 for the 5x5", "pools padded on all sides", "without normalisation"
OTHER_INCEPTIONS: dict[str, Stranger] = {
    "GoogLeNet of weiaicunzai": row(
        small.googlenet, "GoogLeNet", *SMALLER, "batch norm for biases", "for small images",
        HEADLESS, CLASSES,
        size=CIFAR,
        options={"stem": ((3, 64), (3, 64), (3, 192)), "bias": False, "drop": True},
    ),
    "GoogLeNet of weiaicunzai, later": row(
        small.googlenet, "GoogLeNet", *SMALLER, "batch norm", "for small images", HEADLESS, CLASSES,
        size=CIFAR,
        options={"stem": ((3, 64), (3, 64), (3, 192)), "drop": True, "behind": True},
    ),
    "GoogLeNet of kuangliu": row(
        small.googlenet, "GoogLeNet", *SMALLER, "batch norm", "for small images, one convolution",
        HEADLESS, IDLE, CLASSES, size=CIFAR,
    ),
    "GoogLeNet with heads of 10 classes": row(
        altered.googlenet_heads, "GoogLeNet", "torchvision", "torchvision's auxiliary heads",
        CLASSES, options={"classes": (10, 10)},
    ),
    "Inception-v3 for CIFAR": row(
        altered.inception_v3_for_small_images, "Inception-v3", "for small images",
        "padding counted", "dropout 0.5", "PyTorch's momentum", HEADLESS, CLASSES,
        size=CIFAR,
    ),
    "Inception-v4 of the figures": row(
        altered.inception_v4_of_the_figures, "Inception-v4", "as the figures draw it",
        "PyTorch's momentum", IDLE,
    ),
}  # fmt: skip

RESNET: dict[str, Stranger] = {
    "ResNet-18 for CIFAR": row(
        altered.resnet_for_small_images,
        "ResNet-18",
        "for small images",
        CLASSES,
        size=CIFAR,
        options={"name": "resnet18"},
    ),
    "ResNet-50 for CIFAR": row(
        altered.resnet_for_small_images,
        "ResNet-50",
        "v1.5",
        "for small images",
        CLASSES,
        size=CIFAR,
        options={"name": "resnet50"},
    ),
    **{
        f"ResNet of {9 * n + 2} layers for CIFAR, {variant}": row(
            small.bottlenecks,
            f"ResNet-{6 * n + 2}-CIFAR",
            variant,
            numbers=n == 3,
            options={"n": n, "at": at},
        )
        for n, at, variant in (
            (3, 0, "bottlenecks"),
            (3, 1, "bottlenecks, stride on the 3x3"),
            (5, 1, "bottlenecks, stride on the 3x3"),
        )
    },
    "ResNet-18 of Dive into Deep Learning": row(
        altered.bare_projections, "ResNet-18", "biases before batch norm", "bare projections"
    ),
    "ResNet-18 on one pixel": row(
        libraries.torchvision, "ResNet-18", size=CIFAR, options={"name": "resnet18"}
    ),
    "Caffe ResNet-50": row(altered.caffe_resnet50, "ResNet-50", "Caffe", "bias in conv1"),
    "ResNet-18 with biases": row(altered.biased, "ResNet-18", "biases before batch norm"),
}

STRANGERS = VGG | ALEXNET | LENET | OTHER_INCEPTIONS | RESNET

#: The same with a slip: no variant explains them.
OTHERS: dict[str, Stranger] = {
    "VGG-11 of chengyangfu, another dropout": row(
        small.vgg, "VGG-A", size=CIFAR,
        options={"name": "VGG-A", "head": partial(small.narrow, 0.95), "norm": False},
    ),
    "VGG-11 with a hidden layer and another dropout": row(
        small.vgg, "VGG-A", size=CIFAR,
        options={"name": "VGG-A", "head": partial(small.one_hidden, first=0.95)},
    ),
    "VGG-11 with a head of 6x6": row(
        small.vgg, "VGG-A", size=(64, 64, 3),
        options={"name": "VGG-A", "head": partial(small.stretched, 6), "norm": False},
    ),
    "ResNet of 29 layers with a 5x5": row(
        small.bottlenecks, "ResNet-20-CIFAR", options={"kernel": 5}
    ),
    "ResNet of 29 layers, stride on the last": row(
        small.bottlenecks, "ResNet-20-CIFAR", options={"at": 2}
    ),
    "VGG-11 of kuangliu as VGG-13": row(
        small.vgg, "VGG-B", size=CIFAR, options={"name": "VGG-A"}
    ),
    "VGG-11 without biases": row(
        small.vgg, "VGG-A", size=CIFAR,
        options={"name": "VGG-A", "head": small.wide, "norm": False, "bias": False},
    ),
    "VGG-11 that divides by 256": row(
        small.preprocessed, "VGG-A", size=CIFAR, options={"build": VGG_11, "deviation": (256.0,)}
    ),
    "VGG-11 that divides by 255 and subtracts": row(
        small.preprocessed, "VGG-A", size=CIFAR, options={"build": VGG_11, "mean": (127.5,)}
    ),
    "VGG-11 with ImageNet's mean, channels reversed": row(
        small.preprocessed, "VGG-A", size=CIFAR,
        options={"build": VGG_11, "mean": IMAGENET[0][::-1], "deviation": IMAGENET[1][::-1]},
    ),
    "AlexNet on 224x224, padded by 3": row(
        small.alexnet, "AlexNet", size=(224, 224, 3),
        options={"padding": 3, "side": 6, "norm": "after"},
    ),
    "AlexNet for CIFAR with a 4x4": row(
        small.alexnet, "AlexNet", size=CIFAR,
        options={**FOR_SMALL, "stem": (4, 1), "side": 3, "drop_first": True},
    ),
    "AlexNet for CIFAR with 255 maps": row(
        small.alexnet, "AlexNet", size=CIFAR,
        options={
            **FOR_SMALL, "stem": (3, 1), "side": 4, "drop_first": True,
            "widths": (96, 255, 384, 384, 256),
        },
    ),
    "LeNet with 15 maps in C3": row(
        small.lenet, "LeNet-5-table", size=MNIST,
        options={"side": 4, "covering": True, "c3": 15},
    ),
    "AlexNet on 227x227, padded by 2": row(
        small.alexnet, "AlexNet", options={"padding": 2, "side": 6, "norm": "after"}
    ),
    "LeNet that takes means before its tanh": row(
        small.lenet, "LeNet-5-table",
        options={
            "activation": nn.Tanh, "pool": nn.AvgPool2d, "covering": True, "pool_first": True,
        },
    ),
    "GoogLeNet with heads of other classes": row(
        altered.googlenet_heads, "GoogLeNet", options={"classes": (10, 11)}
    ),
    "LeNet, padded by 1": row(
        small.lenet, "LeNet-5-table", size=(30, 30, 1), options={"padding": 1, "covering": True}
    ),
    "LeNet that starts with two layers of zeros": row(
        small.lenet, "LeNet-5-table", numbers=True, options={"covering": True, "zero": 2}
    ),
    "LeNet as the paper's, 15 maps": row(
        small.lenet, "LeNet-5", options={"covering": True, "c3": 15}
    ),
    "GoogLeNet of weiaicunzai, two strides": row(
        small.googlenet, "GoogLeNet", size=CIFAR,
        options={
            "stem": ((3, 64), (3, 64), (3, 192)), "bias": False, "drop": True, "pool": 2,
        },
    ),
    "GoogLeNet of kuangliu, 128 maps": row(
        small.googlenet, "GoogLeNet", size=CIFAR, options={"stem": ((3, 128),)}
    ),
    "Inception-v3 for CIFAR, another border": row(
        altered.inception_v3_for_small_images, "Inception-v3", size=CIFAR, options={"border": 2}
    ),
    "Inception-v4 of the figures, the code's stem": row(
        altered.inception_v4_of_the_figures, "Inception-v4", options={"stem": False}
    ),
    "ResNet-50 for CIFAR, 5x5": row(
        altered.resnet_for_small_images, "ResNet-50", size=CIFAR,
        options={"name": "resnet50", "kernel": 5},
    ),
    "Caffe ResNet-50, 2x2 pool": row(
        altered.caffe_resnet50, "ResNet-50", options={"pools": 2}
    ),
    "ResNet-18 with two bare projections": row(
        altered.bare_projections, "ResNet-18", options={"stages": (2, 3)}
    ),
    "ResNet-18 with all biases but one": row(
        altered.biased, "ResNet-18", options={"spared": 1}
    ),
}  # fmt: skip
