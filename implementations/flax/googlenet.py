"""GoogLeNet, after Szegedy et al., "Going Deeper with Convolutions", Table 1 and Figures 2 and 3.

Where the paper is silent, BVLC's Caffe model is followed, which its first author helped to
replicate: constants of the normalisation, symmetric padding of conv1, pools that round up.  The
two auxiliary heads are outputs in training only.  Figure 2's modules are networks on their own
with the widths of inception_3a.
"""

from functools import partial

import jax
from flax import nnx

from .layers import Branches, Head, LocalResponseNorm, Rows, WithHeads, flatten, global_average


def conv(
    inputs: int, maps: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    # "SAME" would pad conv1 with 2 and 3 pixels.
    size, padding = (kernel, kernel), kernel // 2
    convolution = nnx.Conv(inputs, maps, size, stride, padding=padding, rngs=rngs)
    return nnx.Sequential(convolution, nnx.relu)


def pool(x: jax.Array) -> jax.Array:  # "SAME" rounds up too
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")


def norm() -> LocalResponseNorm:
    return LocalResponseNorm(k=1.0, alpha=1e-4 / 5)  # Caffe's alpha is of the mean


def same_pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), padding="SAME")


def naive(inputs: int, n1x1: int, n3x3: int, n5x5: int, *, rngs: nnx.Rngs) -> Branches:
    c = partial(conv, rngs=rngs)  # Figure 2(a)
    return Branches(c(inputs, n1x1, 1), c(inputs, n3x3, 3), c(inputs, n5x5, 5), same_pool)


def inception(
    inputs: int, n1x1: int, n3x3_reduce: int, n3x3: int, n5x5_reduce: int, n5x5: int,
    pool_proj: int, *, rngs: nnx.Rngs,
) -> Branches:  # Figure 2(b)
    c = partial(conv, rngs=rngs)
    return Branches(
        c(inputs, n1x1, 1),
        nnx.Sequential(c(inputs, n3x3_reduce, 1), c(n3x3_reduce, n3x3, 3)),
        nnx.Sequential(c(inputs, n5x5_reduce, 1), c(n5x5_reduce, n5x5, 5)),
        nnx.Sequential(same_pool, c(inputs, pool_proj, 1)),
    )


def auxiliary(inputs: int, *, rngs: nnx.Rngs) -> Head:  # section 5
    return Head(
        partial(nnx.avg_pool, window_shape=(5, 5), strides=(3, 3)),
        conv(inputs, 128, 1, rngs=rngs),
        flatten,
        nnx.Linear(4 * 4 * 128, 1024, rngs=rngs), nnx.relu,
        nnx.Dropout(0.7, rngs=rngs),
        nnx.Linear(1024, 1000, rngs=rngs),
    )


def googlenet(*, rngs: nnx.Rngs) -> WithHeads:
    c, module = partial(conv, rngs=rngs), partial(inception, rngs=rngs)
    return WithHeads(
        conv1=c(3, 64, 7, stride=2),
        pool1=nnx.Sequential(pool, norm()),
        conv2=nnx.Sequential(c(64, 64, 1), c(64, 192, 3), norm()),
        pool2=pool,
        inception_3a=module(192, 64, 96, 128, 16, 32, 32),
        inception_3b=module(256, 128, 128, 192, 32, 96, 64),
        pool3=pool,
        inception_4a=module(480, 192, 96, 208, 16, 48, 64),
        aux_4a=auxiliary(512, rngs=rngs),
        inception_4b=module(512, 160, 112, 224, 24, 64, 64),
        inception_4c=module(512, 128, 128, 256, 24, 64, 64),
        inception_4d=module(512, 112, 144, 288, 32, 64, 64),
        aux_4d=auxiliary(528, rngs=rngs),
        inception_4e=module(528, 256, 160, 320, 32, 128, 128),
        pool4=pool,
        inception_5a=module(832, 256, 160, 320, 32, 128, 128),
        inception_5b=module(832, 384, 192, 384, 48, 128, 128),
        avgpool=global_average,
        dropout=nnx.Dropout(0.4, rngs=rngs),
        linear=nnx.Linear(1024, 1000, rngs=rngs),
    )


def naive_module(*, rngs: nnx.Rngs) -> Rows:
    return Rows(inception=naive(192, 64, 128, 32, rngs=rngs))


def inception_module(*, rngs: nnx.Rngs) -> Rows:
    return Rows(inception=inception(192, 64, 96, 128, 16, 32, 32, rngs=rngs))


MODELS = {
    "GoogLeNet": googlenet,
    "Inception-naive": naive_module,
    "Inception-module": inception_module,
}
