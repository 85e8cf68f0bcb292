"""The networks of the tutorial's notebooks, as their Keras code builds them.

Batch norm has Keras' own constants.  Number of classes: 17 flowers; two (cat, dog) where the
notebook counts folders.  Which layers a notebook freezes is not part of a Flax network: it is
said to the optimiser, which is given the others' parameters only.  The ResNet-50 is that of
keras_applications 1.0, with biases in its convolutions, each stage's stride on the first 1x1.
"""

from functools import partial

import jax
from flax import nnx

from implementations.flax.inception_v3 import GlobalAveragePool
from implementations.flax.resnet import Residual
from implementations.flax.vgg import D, MaxPool, block
from implementations.flax.vgg import conv as conv_vgg


def norm(width: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(width, momentum=0.99, epsilon=1e-3, rngs=rngs)


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    size = (kernel, kernel)
    return nnx.Sequential(
        nnx.Conv(inputs, outputs, size, stride, padding="VALID", rngs=rngs), nnx.relu
    )


def dense(inputs: int, outputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, outputs, rngs=rngs), nnx.relu)


def predictions(inputs: int, classes: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, classes, rngs=rngs), nnx.softmax)


def flatten(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], -1)


class LeNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(1, 6, 5, rngs=rngs)
        self.pool1 = MaxPool()
        self.conv2 = conv(6, 16, 5, rngs=rngs)
        self.pool2 = MaxPool()
        self.fc3 = dense(4 * 4 * 16, 120, rngs=rngs)
        self.fc4 = dense(120, 84, rngs=rngs)
        self.fc5 = predictions(84, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        return self.fc5(self.fc4(self.fc3(flatten(x))))


class AlexNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(3, 96, 11, 4, rngs=rngs)
        self.pool1 = MaxPool()
        self.norm1 = norm(96, rngs=rngs)
        self.conv2 = conv(96, 256, 11, rngs=rngs)
        self.pool2 = MaxPool()
        self.norm2 = norm(256, rngs=rngs)
        self.conv3 = conv(256, 384, 3, rngs=rngs)
        self.norm3 = norm(384, rngs=rngs)
        self.conv4 = conv(384, 384, 3, rngs=rngs)
        self.norm4 = norm(384, rngs=rngs)
        self.conv5 = conv(384, 256, 3, rngs=rngs)
        self.pool5 = MaxPool()
        self.norm5 = norm(256, rngs=rngs)
        self.fc6 = self.hidden(256, 4096, rngs=rngs)
        self.norm6 = norm(4096, rngs=rngs)
        self.fc7 = self.hidden(4096, 4096, rngs=rngs)
        self.norm7 = norm(4096, rngs=rngs)
        self.fc8 = self.hidden(4096, 1000, rngs=rngs)
        self.norm8 = norm(1000, rngs=rngs)
        self.fc9 = predictions(1000, 17, rngs=rngs)

    @staticmethod
    def hidden(inputs: int, outputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
        return nnx.Sequential(dense(inputs, outputs, rngs=rngs), nnx.Dropout(0.4, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm1(self.pool1(self.conv1(x)))
        x = self.norm2(self.pool2(self.conv2(x)))
        x = self.norm4(self.conv4(self.norm3(self.conv3(x))))
        x = flatten(self.norm5(self.pool5(self.conv5(x))))
        x = self.norm7(self.fc7(self.norm6(self.fc6(x))))
        return self.fc9(self.norm8(self.fc8(x)))


class VGG16(nnx.Module):
    def __init__(self, classes: int, *, rngs: nnx.Rngs) -> None:
        widths = (3, 64, 128, 256, 512)
        blocks = [block(conv_vgg, *each, rngs=rngs) for each in zip(widths, D, strict=True)]
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = blocks
        self.pool1, self.pool2, self.pool3, self.pool4, self.pool5 = (MaxPool() for _ in D)
        self.predictions = predictions(7 * 7 * 512, classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        x = self.pool4(self.conv4(self.pool3(self.conv3(x))))
        return self.predictions(flatten(self.pool5(self.conv5(x))))


class CatsDogs(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(3, 32, 3, rngs=rngs)
        self.pool1 = MaxPool()
        self.conv2 = conv(32, 64, 3, rngs=rngs)
        self.pool2 = MaxPool()
        self.conv3 = conv(64, 128, 3, rngs=rngs)
        self.pool3 = MaxPool()
        self.conv4 = conv(128, 128, 3, rngs=rngs)
        self.pool4 = MaxPool()
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.fc5 = dense(7 * 7 * 128, 512, rngs=rngs)
        self.fc6 = nnx.Sequential(nnx.Linear(512, 1, rngs=rngs), nnx.sigmoid)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool2(self.conv2(self.pool1(self.conv1(x))))
        x = self.pool4(self.conv4(self.pool3(self.conv3(x))))
        return self.fc6(self.fc5(flatten(self.dropout(x))))


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    size, padding = (kernel, kernel), kernel // 2
    convolution = nnx.Conv(inputs, outputs, size, stride, padding=padding, rngs=rngs)
    return nnx.Sequential(convolution, norm(outputs, rngs=rngs))


def bottleneck(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(
        conv_bn(inputs, width, 1, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs), nnx.relu,
        conv_bn(width, 4 * width, 1, rngs=rngs),
    )


def stage(inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    shortcut = conv_bn(inputs, 4 * width, 1, stride, rngs=rngs)
    first = Residual(bottleneck(inputs, width, stride, rngs=rngs), shortcut)
    others = [bottleneck(4 * width, width, 1, rngs=rngs) for _ in range(blocks - 1)]
    return nnx.Sequential(first, *map(Residual, others))


class ResNet50(nnx.Module):  # without its top
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Sequential(conv_bn(3, 64, 7, 2, rngs=rngs), nnx.relu)
        self.conv2_x = stage(64, 64, 3, 1, rngs=rngs)
        self.conv3_x = stage(256, 128, 4, 2, rngs=rngs)
        self.conv4_x = stage(512, 256, 6, 2, rngs=rngs)
        self.conv5_x = stage(1024, 512, 3, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.conv1(x)
        x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        return self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x))))


class Transfer(ResNet50):
    def __init__(self, classes: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(rngs=rngs)
        self.predictions = predictions(2048, classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.predictions(super().__call__(x).mean(axis=(1, 2)))


def upsampled(x: jax.Array) -> jax.Array:
    images, height, width, channels = x.shape
    return jax.image.resize(x, (images, 2 * height, 2 * width, channels), "nearest")


class CIFAR100(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.upsample = nnx.Sequential(upsampled, upsampled, upsampled)
        self.resnet = ResNet50(rngs=rngs)
        self.avgpool = GlobalAveragePool()
        self.fc1 = dense(2048, 256, rngs=rngs)
        self.dropout = nnx.Dropout(0.25, rngs=rngs)
        self.norm1 = norm(256, rngs=rngs)
        self.predictions = predictions(256, 100, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.fc1(self.avgpool(self.resnet(self.upsample(x))))
        return self.predictions(self.norm1(self.dropout(x)))


MODELS = {
    "Notebook-LeNet": LeNet,
    "Notebook-AlexNet": AlexNet,
    "Notebook-VGG16": partial(VGG16, 2),
    "Notebook-CatsDogs": CatsDogs,
    "Notebook-ResNet50": partial(Transfer, 2),
    "Notebook-CIFAR100": CIFAR100,
}
