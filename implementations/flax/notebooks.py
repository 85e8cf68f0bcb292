"""The networks of the tutorial's notebooks, as their Keras code builds them.

Batch norm has Keras' own constants.  Number of classes: 17 flowers; two (cat, dog) where the
notebook counts folders.  Which kernels a notebook freezes is not part of a Flax network: it is
said to the optimiser, which is given the others' parameters only; a frozen norm keeps to its
running statistics.  The ResNet-50 is that of keras_applications 1.0, with biases in its
convolutions, each stage's stride on the first 1x1.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from .inception_v3 import global_average
from .resnet import Residual
from .vgg import D, MaxPool, block
from .vgg import conv as conv3_relu


def norm(width: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(width, momentum=0.99, epsilon=1e-3, rngs=rngs)


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    size = (kernel, kernel)
    return nnx.Sequential(
        nnx.Conv(inputs, outputs, size, stride, padding="VALID", rngs=rngs), nnx.relu
    )


def flatten(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], -1)


def dense(
    inputs: int, outputs: int, activation: Callable[..., jax.Array] = nnx.relu,
    *after: nnx.Module, rngs: nnx.Rngs,
) -> nnx.Sequential:
    return nnx.Sequential(flatten, nnx.Linear(inputs, outputs, rngs=rngs), activation, *after)


class Model(nnx.Module):
    """Layers one after another, as in Keras' Sequential, under their names."""

    def __init__(self, **layers: Callable[..., jax.Array]) -> None:
        self.names = tuple(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


class Frozen(Model):
    """Layers that are used as they are, in training too."""

    def __call__(self, x: jax.Array) -> jax.Array:
        self.eval()  # whatever the network around it was told
        return super().__call__(x)


def lenet(*, rngs: nnx.Rngs) -> Model:
    return Model(
        conv1=conv(1, 6, 5, rngs=rngs), pool1=MaxPool(),
        conv2=conv(6, 16, 5, rngs=rngs), pool2=MaxPool(),
        fc3=dense(4 * 4 * 16, 120, rngs=rngs),
        fc4=dense(120, 84, rngs=rngs),
        fc5=dense(84, 10, nnx.softmax, rngs=rngs),
    )


def alexnet(*, rngs: nnx.Rngs) -> Model:
    def hidden(inputs: int, outputs: int) -> nnx.Sequential:
        return dense(inputs, outputs, nnx.relu, nnx.Dropout(0.4, rngs=rngs), rngs=rngs)

    return Model(
        conv1=conv(3, 96, 11, 4, rngs=rngs), pool1=MaxPool(), norm1=norm(96, rngs=rngs),
        conv2=conv(96, 256, 11, rngs=rngs), pool2=MaxPool(), norm2=norm(256, rngs=rngs),
        conv3=conv(256, 384, 3, rngs=rngs), norm3=norm(384, rngs=rngs),
        conv4=conv(384, 384, 3, rngs=rngs), norm4=norm(384, rngs=rngs),
        conv5=conv(384, 256, 3, rngs=rngs), pool5=MaxPool(), norm5=norm(256, rngs=rngs),
        fc6=hidden(256, 4096), norm6=norm(4096, rngs=rngs),
        fc7=hidden(4096, 4096), norm7=norm(4096, rngs=rngs),
        fc8=hidden(4096, 1000), norm8=norm(1000, rngs=rngs),
        fc9=dense(1000, 17, nnx.softmax, rngs=rngs),
    )


def vgg16(classes: int, *, rngs: nnx.Rngs) -> Model:
    layers: dict[str, nnx.Module] = {}
    for i, width in enumerate((3, 64, 128, 256, 512)):
        layers |= {f"conv{i + 1}": block(conv3_relu, width, D[i], rngs=rngs)}
        layers |= {f"pool{i + 1}": MaxPool()}
    return Model(**layers, predictions=dense(7 * 7 * 512, classes, nnx.softmax, rngs=rngs))


def cats_dogs(*, rngs: nnx.Rngs) -> Model:
    return Model(
        conv1=conv(3, 32, 3, rngs=rngs), pool1=MaxPool(),
        conv2=conv(32, 64, 3, rngs=rngs), pool2=MaxPool(),
        conv3=conv(64, 128, 3, rngs=rngs), pool3=MaxPool(),
        conv4=conv(128, 128, 3, rngs=rngs), pool4=MaxPool(),
        dropout=nnx.Dropout(0.5, rngs=rngs),
        fc5=dense(7 * 7 * 128, 512, rngs=rngs),
        fc6=dense(512, 1, nnx.sigmoid, rngs=rngs),
    )


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


def max_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


def resnet50_notop(*, rngs: nnx.Rngs) -> dict[str, nnx.Module]:
    return {
        "conv1": nnx.Sequential(conv_bn(3, 64, 7, 2, rngs=rngs), nnx.relu),
        "conv2_x": nnx.Sequential(max_pool, stage(64, 64, 3, 1, rngs=rngs)),
        "conv3_x": stage(256, 128, 4, 2, rngs=rngs),
        "conv4_x": stage(512, 256, 6, 2, rngs=rngs),
        "conv5_x": stage(1024, 512, 3, 2, rngs=rngs),
    }


def resnet50(classes: int, *, rngs: nnx.Rngs) -> Model:
    top = nnx.Sequential(global_average, dense(2048, classes, nnx.softmax, rngs=rngs))
    return Model(resnet=Frozen(**resnet50_notop(rngs=rngs)), predictions=top)


def upsample(x: jax.Array) -> jax.Array:
    images, height, width, channels = x.shape
    return jax.image.resize(x, (images, 2 * height, 2 * width, channels), "nearest")


def cifar100(*, rngs: nnx.Rngs) -> Model:
    return Model(
        upsample=nnx.Sequential(upsample, upsample, upsample),
        resnet=Model(**resnet50_notop(rngs=rngs)),
        avgpool=nnx.Sequential(global_average),
        fc1=dense(2048, 256, rngs=rngs),
        dropout=nnx.Dropout(0.25, rngs=rngs),
        norm1=norm(256, rngs=rngs),
        predictions=dense(256, 100, nnx.softmax, rngs=rngs),
    )


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-VGG16": partial(vgg16, 2),
    "Notebook-CatsDogs": cats_dogs,
    "Notebook-ResNet50": partial(resnet50, 2),
    "Notebook-CIFAR100": cifar100,
}
