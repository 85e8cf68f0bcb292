"""The networks that the tutorial's notebooks write out, as their Keras code builds them.

Batch norm has Keras' own constants.  AlexNet has 17 classes, kinds of flowers.
"""

from functools import partial

import jax
from flax import nnx

from .layers import Rows, flatten


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


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-CatsDogs": cats_and_dogs,
}
