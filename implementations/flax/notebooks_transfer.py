"""The networks that the tutorial's notebooks build on a base of keras_applications 1.0.

The ResNet-50 has biases in its convolutions and each stage's stride on the first 1x1.  Which
kernels a notebook freezes is not part of a Flax network: it is said to the optimiser, which is
given the others' parameters only; a frozen norm keeps to its running statistics.  There are two
classes (cat, dog) where the notebook counts folders.
"""

from functools import partial

import jax
from flax import nnx

from .layers import Residual, Rows, flatten, global_average


def pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


norm = partial(nnx.BatchNorm, momentum=0.99, epsilon=1e-3)


def softmax(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, units, rngs=rngs), nnx.softmax)


def block(inputs: int, maps: int, convs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    widths = [inputs, *[maps] * (convs - 1)]
    layers = [nnx.Conv(width, maps, (3, 3), padding=1, rngs=rngs) for width in widths]
    return nnx.Sequential(*(step for layer in layers for step in (layer, nnx.relu)))


def vgg16(*, rngs: nnx.Rngs) -> Rows:
    b = partial(block, rngs=rngs)
    return Rows(
        conv1=b(3, 64, 2), pool1=pool,
        conv2=b(64, 128, 2), pool2=pool,
        conv3=b(128, 256, 3), pool3=pool,
        conv4=b(256, 512, 3), pool4=pool,
        conv5=b(512, 512, 3), pool5=pool,
        flatten=flatten, predictions=softmax(7 * 7 * 512, 2, rngs=rngs),
    )


def conv_bn(
    inputs: int, maps: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    size, padding = (kernel, kernel), kernel // 2
    convolution = nnx.Conv(inputs, maps, size, stride, padding=padding, rngs=rngs)
    return nnx.Sequential(convolution, norm(maps, rngs=rngs))


def bottleneck(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(
        conv_bn(inputs, width, 1, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs), nnx.relu,
        conv_bn(width, 4 * width, 1, rngs=rngs),
    )


def stage(inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs) -> list[nnx.Module]:
    shortcut = conv_bn(inputs, 4 * width, 1, stride, rngs=rngs)
    first = Residual(bottleneck(inputs, width, stride, rngs=rngs), shortcut)
    others = [bottleneck(4 * width, width, 1, rngs=rngs) for _ in range(blocks - 1)]
    return [nnx.Sequential(each, nnx.relu) for each in (first, *map(Residual, others))]


def resnet50_base(*, rngs: nnx.Rngs) -> dict[str, nnx.Module]:
    s = partial(stage, rngs=rngs)
    pool = partial(nnx.max_pool, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    return {
        "conv1": nnx.Sequential(conv_bn(3, 64, 7, stride=2, rngs=rngs), nnx.relu),
        "conv2_x": nnx.Sequential(pool, *s(64, 64, 3, stride=1)),
        "conv3_x": nnx.Sequential(*s(256, 128, 4, stride=2)),
        "conv4_x": nnx.Sequential(*s(512, 256, 6, stride=2)),
        "conv5_x": nnx.Sequential(*s(1024, 512, 3, stride=2)),
    }


def resnet50(*, rngs: nnx.Rngs) -> Rows:
    class Frozen(Rows):  # the base is used as it is, in training too
        def __call__(self, x: jax.Array) -> jax.Array:
            self.eval()
            return super().__call__(x)

    predictions = nnx.Sequential(global_average, softmax(2048, 2, rngs=rngs))
    return Rows(resnet=Frozen(**resnet50_base(rngs=rngs)), predictions=predictions)


def cifar100(*, rngs: nnx.Rngs) -> Rows:
    def twice(x: jax.Array) -> jax.Array:
        images, height, width, channels = x.shape
        return jax.image.resize(x, (images, 2 * height, 2 * width, channels), "nearest")

    return Rows(
        upsample=nnx.Sequential(twice, twice, twice),
        resnet=Rows(**resnet50_base(rngs=rngs)),
        avgpool=global_average,
        fc1=nnx.Sequential(nnx.Linear(2048, 256, rngs=rngs), nnx.relu),
        dropout=nnx.Dropout(0.25, rngs=rngs),
        norm1=norm(256, rngs=rngs),
        predictions=softmax(256, 100, rngs=rngs),
    )


MODELS = {
    "Notebook-VGG16": vgg16,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
