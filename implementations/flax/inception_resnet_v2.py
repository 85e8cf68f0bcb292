"""Inception-ResNet-v2, after Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning".

The plain name is the network of the authors' released code (TF-Slim), another one than that of
the paper's figures: stem of Inception-v3, twice the blocks, the last one neither scaled nor
rectified, and a convolution after it.  The figures' network is built with the widths that its sums
need, 1152 for the printed 1154 and 2144 for 2048.
"""

from functools import partial

from flax import nnx

from .layers import (
    Branches, Residual, Rows, Step, conv_bn_relu, down, global_average, linear, max_pool, path,
    pool_proj, reduction_a, stage, valid,
)


def stem(*, rngs: nnx.Rngs) -> nnx.Sequential:
    c, d, v = (partial(each, rngs=rngs) for each in (conv_bn_relu, down, valid))
    return nnx.Sequential(
        d(3, 32), v(32, 32, 3), c(32, 64, 3), max_pool, c(64, 80, 1), v(80, 192, 3), max_pool
    )


def mixed_5b(*, rngs: nnx.Rngs) -> Branches:
    p = partial(path, 192, rngs=rngs)
    return Branches(
        p((96, 1)),
        p((48, 1), (64, 5)),
        p((64, 1), (96, 3), (96, 3)),
        pool_proj(192, 64, rngs=rngs),
    )


def stem_paper(*, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 3, 7x1 before 1x7 as it is drawn
    p, d, v = partial(path, 160, rngs=rngs), partial(down, rngs=rngs), partial(valid, rngs=rngs)
    tall = p((64, 1), (64, (7, 1)), (64, (1, 7)))
    return nnx.Sequential(
        d(3, 32), v(32, 32, 3), conv_bn_relu(32, 64, 3, rngs=rngs),
        Branches(max_pool, d(64, 96)),
        Branches(nnx.Sequential(p((64, 1)), v(64, 96, 3)), nnx.Sequential(tall, v(64, 96, 3))),
        Branches(d(192, 192), max_pool),
    )


def inception_resnet_a(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 16
    p = partial(path, inputs, rngs=rngs)
    paths = p((32, 1)), p((32, 1), (32, 3)), p((32, 1), (48, 3), (64, 3))
    return linear(inputs, 32 + 32 + 64, *paths, rngs=rngs)


def inception_resnet_b(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 17
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((128, 1), (160, (1, 7)), (192, (7, 1)))
    return linear(inputs, 192 + 192, *paths, rngs=rngs)


def reduction_b(inputs: int, *, rngs: nnx.Rngs) -> Branches:  # Figure 18
    p, d = partial(path, inputs, rngs=rngs), partial(down, rngs=rngs)
    return Branches(
        nnx.Sequential(p((256, 1)), d(256, 384)),
        nnx.Sequential(p((256, 1)), d(256, 288)),
        nnx.Sequential(p((256, 1), (288, 3)), d(288, 320)),
        max_pool,
    )


def inception_resnet_c(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 19
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((192, 1), (224, (1, 3)), (256, (3, 1)))
    return linear(inputs, 192 + 256, *paths, rngs=rngs)


def classifier(inputs: int, *, rngs: nnx.Rngs) -> dict[str, Step]:
    dropout, fc = nnx.Dropout(0.2, rngs=rngs), nnx.Linear(inputs, 1000, rngs=rngs)
    return {"avgpool": global_average, "dropout": dropout, "fc": fc}


def inception_resnet_v2(*, rngs: nnx.Rngs) -> Rows:
    s, last = partial(stage, rngs=rngs), Residual(inception_resnet_c(2080, rngs=rngs))
    return Rows(
        stem=stem(rngs=rngs),
        mixed_5b=mixed_5b(rngs=rngs),
        inception_resnet_a=nnx.Sequential(*s(inception_resnet_a, 320, 10, 0.17)),
        reduction_a=reduction_a(320, k=256, l=256, m=384, n=384, rngs=rngs),
        inception_resnet_b=nnx.Sequential(*s(inception_resnet_b, 1088, 20, 0.10)),
        reduction_b=reduction_b(1088, rngs=rngs),
        inception_resnet_c=nnx.Sequential(*s(inception_resnet_c, 2080, 9, 0.20), last),
        conv_7b=conv_bn_relu(2080, 1536, 1, rngs=rngs),
        **classifier(1536, rngs=rngs),
    )


def inception_resnet_v2_paper(*, rngs: nnx.Rngs) -> Rows:  # Figure 15
    s = partial(stage, rngs=rngs)
    return Rows(
        stem=stem_paper(rngs=rngs),
        inception_resnet_a=nnx.Sequential(*s(inception_resnet_a, 384, 5, 0.17)),
        reduction_a=reduction_a(384, k=256, l=256, m=384, n=384, rngs=rngs),
        inception_resnet_b=nnx.Sequential(*s(inception_resnet_b, 1152, 10, 0.10)),
        reduction_b=reduction_b(1152, rngs=rngs),
        inception_resnet_c=nnx.Sequential(*s(inception_resnet_c, 2144, 5, 0.20)),
        **classifier(2144, rngs=rngs),
    )


MODELS = {
    "Inception-ResNet-v2": inception_resnet_v2,
    "Inception-ResNet-v2-paper": inception_resnet_v2_paper,
}
