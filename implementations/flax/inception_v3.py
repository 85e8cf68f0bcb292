"""Inception-v3, after Szegedy et al., "Rethinking the Inception Architecture for Computer Vision".

Table 1 and its figures cannot be built as printed; this is the network that the authors released,
in the names of their TF-Slim.  A module is a list of paths, each in the order of its layers.  The
auxiliary head is an output in training only.
"""

from functools import partial

from flax import nnx

from .layers import (
    Branches, Head, WithHeads, conv_bn_relu, down, flatten, global_average, max_pool, path,
    pool_proj, split, valid,
)


def grid_35(inputs: int, proj: int, *, rngs: nnx.Rngs) -> Branches:  # Figure 5, with a 5x5
    p = partial(path, inputs, rngs=rngs)
    return Branches(
        p((64, 1)),
        p((48, 1), (64, 5)),
        p((64, 1), (96, 3), (96, 3)),
        pool_proj(inputs, proj, rngs=rngs),
    )


def mixed_6a(*, rngs: nnx.Rngs) -> Branches:
    d = partial(down, rngs=rngs)
    double = nnx.Sequential(path(288, (64, 1), (96, 3), rngs=rngs), d(96, 96))
    return Branches(d(288, 384), double, max_pool)


def grid_17(n: int, *, rngs: nnx.Rngs) -> Branches:  # Figure 6
    p = partial(path, 768, rngs=rngs)
    return Branches(
        p((192, 1)),
        p((n, 1), (n, (1, 7)), (192, (7, 1))),
        p((n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
        pool_proj(768, 192, rngs=rngs),
    )


def mixed_7a(*, rngs: nnx.Rngs) -> Branches:
    p, d = partial(path, 768, rngs=rngs), partial(down, 192, rngs=rngs)
    return Branches(
        nnx.Sequential(p((192, 1)), d(320)),
        nnx.Sequential(p((192, 1), (192, (1, 7)), (192, (7, 1))), d(192)),
        max_pool,
    )


def grid_8(inputs: int, *, rngs: nnx.Rngs) -> Branches:  # Figure 7
    p, s = partial(path, inputs, rngs=rngs), partial(split, rngs=rngs)
    return Branches(
        p((320, 1)),
        nnx.Sequential(p((384, 1)), s(384, 384)),
        nnx.Sequential(p((448, 1), (384, 3)), s(384, 384)),
        pool_proj(inputs, 192, rngs=rngs),
    )


def auxiliary(inputs: int, *, rngs: nnx.Rngs) -> Head:  # Figure 8
    return Head(
        partial(nnx.avg_pool, window_shape=(5, 5), strides=(3, 3)),
        conv_bn_relu(inputs, 128, 1, rngs=rngs), valid(128, 768, 5, rngs=rngs),
        flatten,
        nnx.Linear(768, 1000, rngs=rngs),
    )


def inception_v3(*, rngs: nnx.Rngs) -> WithHeads:
    return WithHeads(
        Conv2d_1a_3x3=down(3, 32, rngs=rngs),
        Conv2d_2a_3x3=valid(32, 32, 3, rngs=rngs),
        Conv2d_2b_3x3=conv_bn_relu(32, 64, 3, rngs=rngs),
        MaxPool_3a=max_pool,
        Conv2d_3b_1x1=conv_bn_relu(64, 80, 1, rngs=rngs),
        Conv2d_4a_3x3=valid(80, 192, 3, rngs=rngs),
        MaxPool_5a=max_pool,
        Mixed_5b=grid_35(192, 32, rngs=rngs),
        Mixed_5c=grid_35(256, 64, rngs=rngs),
        Mixed_5d=grid_35(288, 64, rngs=rngs),
        Mixed_6a=mixed_6a(rngs=rngs),
        Mixed_6b=grid_17(128, rngs=rngs),
        Mixed_6c=grid_17(160, rngs=rngs),
        Mixed_6d=grid_17(160, rngs=rngs),
        Mixed_6e=grid_17(192, rngs=rngs),
        aux=auxiliary(768, rngs=rngs),
        Mixed_7a=mixed_7a(rngs=rngs),
        Mixed_7b=grid_8(1280, rngs=rngs),
        Mixed_7c=grid_8(2048, rngs=rngs),
        avgpool=global_average,
        dropout=nnx.Dropout(0.2, rngs=rngs),
        fc=nnx.Linear(2048, 1000, rngs=rngs),
    )


MODELS = {"Inception-v3": inception_v3}
