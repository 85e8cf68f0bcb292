"""The networks of the tutorial's notebooks, as their Keras code builds them.

Batch norm has Keras' own constants.  Number of classes: 17 flowers; two (cat, dog) where the
notebook counts folders.  Which kernels a notebook freezes is not part of a Flax network: it is
said to the optimiser, which is given the others' parameters only; a frozen norm keeps to its
running statistics.  The ResNet-50 is that of keras_applications 1.0, with biases in its
convolutions, each stage's stride on the first 1x1.
"""

from functools import partial

import jax
from flax import nnx

from .layers import Residual, Rows, flatten, global_average


def conv(
    inputs: int, maps: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    size = (kernel, kernel)
    convolution = nnx.Conv(inputs, maps, size, stride, padding="VALID", rngs=rngs)
    return nnx.Sequential(convolution, nnx.relu)


def pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


norm = partial(nnx.BatchNorm, momentum=0.99, epsilon=1e-3)


def fc(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, units, rngs=rngs), nnx.relu)


def softmax(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, units, rngs=rngs), nnx.softmax)


def fc_dropout(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(fc(inputs, units, rngs=rngs), nnx.Dropout(0.4, rngs=rngs))


def lenet(*, rngs: nnx.Rngs) -> Rows:
    return Rows(
        conv1=conv(1, 6, 5, rngs=rngs), pool1=pool,
        conv2=conv(6, 16, 5, rngs=rngs), pool2=pool,
        flatten=flatten,
        fc3=fc(4 * 4 * 16, 120, rngs=rngs), fc4=fc(120, 84, rngs=rngs),
        fc5=softmax(84, 10, rngs=rngs),
    )


def alexnet(*, rngs: nnx.Rngs) -> Rows:
    c, n, d = (partial(each, rngs=rngs) for each in (conv, norm, fc_dropout))
    return Rows(
        conv1=c(3, 96, 11, stride=4), pool1=pool, norm1=n(96),
        conv2=c(96, 256, 11), pool2=pool, norm2=n(256),
        conv3=c(256, 384, 3), norm3=n(384),
        conv4=c(384, 384, 3), norm4=n(384),
        conv5=c(384, 256, 3), pool5=pool, norm5=n(256),
        flatten=flatten,
        fc6=d(256, 4096), norm6=n(4096),
        fc7=d(4096, 4096), norm7=n(4096),
        fc8=d(4096, 1000), norm8=n(1000),
        fc9=softmax(1000, 17, rngs=rngs),
    )


def block(inputs: int, maps: int, convs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # VGG's
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


def cats_and_dogs(*, rngs: nnx.Rngs) -> Rows:
    return Rows(
        conv1=conv(3, 32, 3, rngs=rngs), pool1=pool,
        conv2=conv(32, 64, 3, rngs=rngs), pool2=pool,
        conv3=conv(64, 128, 3, rngs=rngs), pool3=pool,
        conv4=conv(128, 128, 3, rngs=rngs), pool4=pool,
        dropout=nnx.Dropout(0.5, rngs=rngs),
        flatten=flatten,
        fc5=fc(7 * 7 * 128, 512, rngs=rngs),
        fc6=nnx.Sequential(nnx.Linear(512, 1, rngs=rngs), nnx.sigmoid),
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
        fc1=fc(2048, 256, rngs=rngs),
        dropout=nnx.Dropout(0.25, rngs=rngs),
        norm1=norm(256, rngs=rngs),
        predictions=softmax(256, 100, rngs=rngs),
    )


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-VGG16": vgg16,
    "Notebook-CatsDogs": cats_and_dogs,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
