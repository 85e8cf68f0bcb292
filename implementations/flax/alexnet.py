"""AlexNet, after Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep CNNs".

On 227x227 images.  AlexNet has one column instead of two groups, and normalisation after pooling:
the order in which the layers are tabulated.  AlexNet-groups has the paper's two groups and its
order, normalisation first.
"""

from functools import partial

import jax
from flax import nnx

from .layers import LocalResponseNorm, Rows, Step, flatten


def conv(
    inputs: int, maps: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1,
    *, rngs: nnx.Rngs,
) -> nnx.Sequential:
    convolution = nnx.Conv(
        inputs, maps, (kernel, kernel), stride, padding=padding, feature_group_count=groups,
        rngs=rngs,
    )
    return nnx.Sequential(convolution, nnx.relu)


def pool(x: jax.Array) -> jax.Array:  # overlapping, section 3.4
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def norm() -> LocalResponseNorm:  # section 3.3
    return LocalResponseNorm(k=2.0, alpha=1e-4)


def fc(inputs: int, units: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(nnx.Linear(inputs, units, rngs=rngs), nnx.relu)


def classifier(*, rngs: nnx.Rngs) -> dict[str, Step]:
    return {
        "flatten": flatten,
        "dropout6": nnx.Dropout(0.5, rngs=rngs),
        "fc6": fc(6 * 6 * 256, 4096, rngs=rngs),
        "dropout7": nnx.Dropout(0.5, rngs=rngs),
        "fc7": fc(4096, 4096, rngs=rngs),
        "fc8": nnx.Linear(4096, 1000, rngs=rngs),
    }


def alexnet(*, rngs: nnx.Rngs) -> Rows:
    c = partial(conv, rngs=rngs)
    return Rows(
        conv1=c(3, 96, 11, stride=4),
        pool1=pool,
        norm1=norm(),
        conv2=c(96, 256, 5, padding=2),
        pool2=pool,
        norm2=norm(),
        conv3=c(256, 384, 3, padding=1),
        conv4=c(384, 384, 3, padding=1),
        conv5=c(384, 256, 3, padding=1),
        pool5=pool,
        **classifier(rngs=rngs),
    )


def alexnet_groups(*, rngs: nnx.Rngs) -> Rows:  # Figure 2: the two meet in conv3
    c = partial(conv, rngs=rngs)
    return Rows(
        conv1=c(3, 96, 11, stride=4),
        norm1=norm(),
        pool1=pool,
        conv2=c(96, 256, 5, padding=2, groups=2),
        norm2=norm(),
        pool2=pool,
        conv3=c(256, 384, 3, padding=1),
        conv4=c(384, 384, 3, padding=1, groups=2),
        conv5=c(384, 256, 3, padding=1, groups=2),
        pool5=pool,
        **classifier(rngs=rngs),
    )


MODELS = {"AlexNet": alexnet, "AlexNet-groups": alexnet_groups}
