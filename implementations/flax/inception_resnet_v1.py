"""Inception-ResNet-v1, after Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning", Figure 15.

The paper leaves open the scale of a residual (0.1 to 0.3) and whether its last convolution has
batch norm: as in the authors' code, 0.17, 0.10 and 0.20, and a bias instead.  The ReLU at a
block's entrance finds nothing negative and is left out.  The second network is facenet's: a sixth
C block, neither scaled nor rectified, an embedding, here before its L2 normalisation, and 0.995 as
the momentum of every batch norm.
"""

from functools import partial

from flax import nnx

from .layers import (
    Branches, Residual, Rows, conv_bn_relu, down, global_average, linear, max_pool, path,
    reduction_a, stage, valid,
)


def stem(*, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 14
    c, d, v = (partial(each, rngs=rngs) for each in (conv_bn_relu, down, valid))
    return nnx.Sequential(
        d(3, 32), v(32, 32, 3), c(32, 64, 3), max_pool,
        c(64, 80, 1), v(80, 192, 3), d(192, 256),
    )


def inception_resnet_a(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 10
    p = partial(path, inputs, rngs=rngs)
    paths = p((32, 1)), p((32, 1), (32, 3)), p((32, 1), (32, 3), (32, 3))
    return linear(inputs, 32 + 32 + 32, *paths, rngs=rngs)


def inception_resnet_b(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 11
    p = partial(path, inputs, rngs=rngs)
    paths = p((128, 1)), p((128, 1), (128, (1, 7)), (128, (7, 1)))
    return linear(inputs, 128 + 128, *paths, rngs=rngs)


def reduction_b(inputs: int, *, rngs: nnx.Rngs) -> Branches:  # Figure 12
    p, d = partial(path, inputs, rngs=rngs), partial(down, 256, rngs=rngs)
    return Branches(
        nnx.Sequential(p((256, 1)), d(384)),
        nnx.Sequential(p((256, 1)), d(256)),
        nnx.Sequential(p((256, 1), (256, 3)), d(256)),
        max_pool,
    )


def inception_resnet_c(inputs: int, *, rngs: nnx.Rngs) -> nnx.Sequential:  # Figure 13
    p = partial(path, inputs, rngs=rngs)
    paths = p((192, 1)), p((192, 1), (192, (1, 3)), (192, (3, 1)))
    return linear(inputs, 192 + 192, *paths, rngs=rngs)


def trunk(*, rngs: nnx.Rngs) -> dict[str, nnx.Module]:  # up to the last blocks
    s = partial(stage, rngs=rngs)
    return {
        "stem": stem(rngs=rngs),
        "inception_resnet_a": nnx.Sequential(*s(inception_resnet_a, 256, 5, 0.17)),
        "reduction_a": reduction_a(256, k=192, l=192, m=256, n=384, rngs=rngs),
        "inception_resnet_b": nnx.Sequential(*s(inception_resnet_b, 896, 10, 0.10)),
        "reduction_b": reduction_b(896, rngs=rngs),
    }


def inception_resnet_v1(*, rngs: nnx.Rngs) -> Rows:
    return Rows(
        **trunk(rngs=rngs),
        inception_resnet_c=nnx.Sequential(*stage(inception_resnet_c, 1792, 5, 0.20, rngs=rngs)),
        avgpool=global_average,
        dropout=nnx.Dropout(0.2, rngs=rngs),
        fc=nnx.Linear(1792, 1000, rngs=rngs),
    )


def facenet(*, rngs: nnx.Rngs) -> Rows:
    blocks = stage(inception_resnet_c, 1792, 5, 0.20, rngs=rngs)
    last = Residual(inception_resnet_c(1792, rngs=rngs))
    embedding = nnx.Linear(1792, 512, use_bias=False, rngs=rngs)
    network = Rows(
        **trunk(rngs=rngs),
        inception_resnet_c=nnx.Sequential(*blocks, last),
        avgpool=global_average,
        dropout=nnx.Dropout(0.6, rngs=rngs),
        bottleneck=nnx.Sequential(embedding, nnx.BatchNorm(512, epsilon=1e-3, rngs=rngs)),
    )
    for _, module in nnx.iter_modules(network):
        if isinstance(module, nnx.BatchNorm):
            module.momentum = 0.995
    return network


MODELS = {"Inception-ResNet-v1": inception_resnet_v1, "Inception-ResNet-v1-facenet": facenet}
