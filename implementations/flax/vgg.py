"""VGG, after Simonyan and Zisserman, "Very Deep Convolutional Networks", Table 1.

``conv3`` and ``conv1`` are the table's, by kernel; its maxpool rows are pool1 to pool5.  A-LRN's
constants are those of AlexNet, which the paper cites for them.  E-BN is E with a batch norm after
every convolution, which keeps its bias.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from .layers import LocalResponseNorm, Rows, Step, flatten

Cell = tuple[Callable[..., list[Step]], ...]  # of the table, from top to bottom


def conv3(inputs: int, maps: int, *, rngs: nnx.Rngs) -> list[Step]:
    return [nnx.Conv(inputs, maps, (3, 3), padding=1, rngs=rngs), nnx.relu]


def conv3_bn(inputs: int, maps: int, *, rngs: nnx.Rngs) -> list[Step]:
    convolution, relu = conv3(inputs, maps, rngs=rngs)
    return [convolution, nnx.BatchNorm(maps, momentum=0.9, epsilon=1e-5, rngs=rngs), relu]


def conv1(inputs: int, maps: int, *, rngs: nnx.Rngs) -> list[Step]:
    return [nnx.Conv(inputs, maps, (1, 1), rngs=rngs), nnx.relu]


def norm(inputs: int, maps: int, *, rngs: nnx.Rngs) -> list[Step]:
    return [LocalResponseNorm(k=2.0, alpha=1e-4)]


def block(inputs: int, maps: int, cell: Cell, *, rngs: nnx.Rngs) -> nnx.Sequential:
    steps: list[Step] = []
    for layer in cell:
        steps += layer(inputs, maps, rngs=rngs)
        inputs = maps
    return nnx.Sequential(*steps)


def pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), strides=(2, 2))


def fc(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    dense, dropout = nnx.Linear(inputs, units, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
    return nnx.Sequential(dense, nnx.relu, dropout)


def vgg(*cells: Cell, rngs: nnx.Rngs) -> Rows:
    b = partial(block, rngs=rngs)
    return Rows(
        conv1=b(3, 64, cells[0]), pool1=pool,
        conv2=b(64, 128, cells[1]), pool2=pool,
        conv3=b(128, 256, cells[2]), pool3=pool,
        conv4=b(256, 512, cells[3]), pool4=pool,
        conv5=b(512, 512, cells[4]), pool5=pool,
        flatten=flatten,
        fc6=fc(7 * 7 * 512, 4096, rngs=rngs),
        fc7=fc(4096, 4096, rngs=rngs),
        fc8=nnx.Linear(4096, 1000, rngs=rngs),
    )


ONE = (conv3,)
TWO = (conv3, conv3)
THREE = (conv3, conv3, conv3)
FOUR = (conv3, conv3, conv3, conv3)
TWO_BN = (conv3_bn, conv3_bn)
FOUR_BN = (conv3_bn, conv3_bn, conv3_bn, conv3_bn)
TWO_AND_1X1 = (conv3, conv3, conv1)

MODELS = {
    "VGG-A": partial(vgg, ONE, ONE, TWO, TWO, TWO),
    "VGG-A-LRN": partial(vgg, (conv3, norm), ONE, TWO, TWO, TWO),
    "VGG-B": partial(vgg, TWO, TWO, TWO, TWO, TWO),
    "VGG-C": partial(vgg, TWO, TWO, TWO_AND_1X1, TWO_AND_1X1, TWO_AND_1X1),
    "VGG-D": partial(vgg, TWO, TWO, THREE, THREE, THREE),
    "VGG-E": partial(vgg, TWO, TWO, FOUR, FOUR, FOUR),
    "VGG-E-BN": partial(vgg, TWO_BN, TWO_BN, FOUR_BN, FOUR_BN, FOUR_BN),
}
