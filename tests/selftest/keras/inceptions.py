"""The Inception family with a bug in its structure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import KerasTensor, layers

from conformance.implementations.keras import (
    googlenet,
    inception_resnet_v1,
    inception_v2,
    inception_v3,
    inception_v4,
)
from conformance.implementations.keras import layers as shared
from conformance.implementations.keras.layers import (
    LocalResponseNorm,
    average_pool,
    branches,
    conv_bn_relu,
    norm_relu,
    path,
    pool_proj,
)
from tests.selftest.keras import Build, changed, made, nth, rewritten


def branch_order(build: Build) -> keras.Model:
    return rewritten(build, layers, Concatenate=SwappedBranches)


class SwappedBranches(layers.Concatenate):
    def call(self, branches: list[KerasTensor]) -> KerasTensor:
        return super().call([branches[i] for i in (0, 2, 1, 3)])


def average_branch(build: Build) -> keras.Model:
    return rewritten(build, layers, MaxPooling2D=layers.AveragePooling2D)


def three_for_five(build: Build) -> keras.Model:
    conv = googlenet.conv
    return rewritten(build, googlenet, conv=nth(2, conv, lambda maps, kernel: conv(maps, 3)))


def no_pool_proj(build: Build) -> keras.Model:
    return rewritten(build, googlenet, conv=nth(5, googlenet.conv, nothing))


def reductions_swapped(build: Build) -> keras.Model:
    def inception(
        x: KerasTensor, n1x1: int, n3x3_reduce: int, n3x3: int, n5x5_reduce: int, *rest: int,
        name: str,
    ) -> KerasTensor:  # fmt: skip
        widths = n1x1, n5x5_reduce, n3x3, n3x3_reduce, *rest
        return right(x, *widths, name=name)

    right: Any = googlenet.inception
    return rewritten(build, googlenet, inception=inception)


def no_reduction(build: Build) -> keras.Model:
    return rewritten(build, googlenet, conv=nth(2, googlenet.conv, nothing))


def nothing(*args: Any, **kwargs: Any) -> layers.Layer:
    return layers.Identity()


def linear_reduction(build: Build) -> keras.Model:
    linear = partial(googlenet.conv, activation=None)
    return rewritten(build, googlenet, conv=nth(2, googlenet.conv, linear))


def alpha_summed(build: Build) -> keras.Model:
    norm = partial(LocalResponseNorm, k=1, alpha=1e-4)
    return rewritten(build, googlenet, norm=norm)


def no_lrn(build: Build) -> keras.Model:
    norm = googlenet.norm
    return rewritten(build, googlenet, norm=made("conv2", norm, layers.Identity))


def floor_in_pool4(build: Build) -> keras.Model:
    floor = partial(googlenet.pool, padding="valid")
    return rewritten(build, googlenet, pool=made("pool4", googlenet.pool, floor))


def classes_1001(build: Build) -> keras.Model:
    dense = made("linear", layers.Dense, changed(layers.Dense, units=1001))
    return rewritten(build, layers, Dense=dense)


def heads_in_inference(build: Build) -> keras.Model:
    return rewritten(build, googlenet, WithHeads=keras.Model)


def not_separable(build: Build) -> keras.Model:
    def whole(x: KerasTensor, maps: int, kernel: int, name: str) -> KerasTensor:
        conv = layers.Conv2D(maps, kernel, strides=2, padding="same", use_bias=False)
        return norm_relu(conv(x), name)

    return rewritten(build, inception_v2, separable=whole)


def average_in_5b(build: Build) -> keras.Model:
    return rewritten(build, inception_v2, same_pool=average_pool)


def printed_width(build: Build) -> keras.Model:
    def wide(x: KerasTensor, *widths: Any, name: str) -> KerasTensor:
        return right(x, *widths[:-1], 128, name=name)

    right: Any = inception_v2.inception
    return rewritten(build, inception_v2, inception=made("inception_4c", right, wide))


def default_epsilon(build: Build) -> keras.Model:
    norm = changed(layers.BatchNormalization, epsilon=1e-5)
    return rewritten(build, layers, BatchNormalization=norm)


def same_in_the_stem(build: Build) -> keras.Model:
    valid = made("Conv2d_2a_3x3", shared.valid, conv_bn_relu)
    return rewritten(build, inception_v3, valid=valid)


def border_counted(build: Build) -> keras.Model:
    def counted(x: KerasTensor) -> KerasTensor:
        return layers.AveragePooling2D(3, strides=1)(layers.ZeroPadding2D(1)(x))

    return rewritten(build, shared, average_pool=counted)


def tall_before_wide(build: Build) -> keras.Model:
    def grid(x: KerasTensor, n: int, name: str) -> KerasTensor:
        return branches(
            path(x, (192, 1)),
            path(x, (n, 1), (n, (7, 1)), (192, (1, 7))),
            path(x, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
            pool_proj(x, 192),
            name=name,
        )

    grid_17 = made("Mixed_6b", inception_v3.grid_17, grid)
    return rewritten(build, inception_v3, grid_17=grid_17)


def stem_order(build: Build) -> keras.Model:
    def reverse(*paths: KerasTensor, name: str) -> KerasTensor:
        return branches(*reversed(paths), name=name)

    return rewritten(build, inception_v4, branches=made("stem", branches, reverse))


def module_too_few(build: Build) -> keras.Model:
    def shorter(x: KerasTensor, module: Any, modules: int, name: str) -> KerasTensor:
        return right(x, module, modules - 1, name=name)

    right = inception_v4.repeat
    return rewritten(build, inception_v4, repeat=made("inception_b", right, shorter))


def widths_of_resnet(build: Build) -> keras.Model:
    def other(x: KerasTensor, *widths: int, name: str) -> KerasTensor:
        return right(x, 192, 192, 256, 384, name=name)

    right = shared.reduction_a
    return rewritten(build, inception_v4, reduction_a=other)


Residual = Callable[[KerasTensor], KerasTensor]


def restaged(
    build: Build,
    where: str,
    block: Callable[[KerasTensor, Residual, float], KerasTensor],
    after: Any = layers.ReLU,
) -> keras.Model:
    """The residual network with other blocks in one stage, or something else after each."""

    def stage(
        x: KerasTensor, residual: Residual, blocks: int, scale: float, name: str
    ) -> KerasTensor:
        for left in reversed(range(blocks)):
            x = after(name=None if left else name)(block(x, residual, scale))
        return x

    stages = made(where, shared.stage, stage)
    return rewritten(build, inception_resnet_v1, stage=stages)


def not_scaled(build: Build) -> keras.Model:
    return restaged(build, "inception_resnet_a", lambda x, f, scale: x + f(x))


def other_scale(build: Build) -> keras.Model:
    return restaged(build, "inception_resnet_b", lambda x, f, scale: x + 0.17 * f(x))


def shortcut_scaled(build: Build) -> keras.Model:
    return restaged(build, "inception_resnet_a", lambda x, f, scale: scale * x + f(x))


def relu_on_expansion(build: Build) -> keras.Model:
    return restaged(
        build, "inception_resnet_a", lambda x, f, scale: x + scale * layers.ReLU()(f(x))
    )


def norm_on_expansion(build: Build) -> keras.Model:
    def block(x: KerasTensor, residual: Residual, scale: float) -> KerasTensor:
        normal = layers.BatchNormalization(momentum=0.9997, epsilon=1e-3)(residual(x))
        return x + scale * normal

    return restaged(build, "inception_resnet_b", block)


def not_rectified(build: Build) -> keras.Model:
    return restaged(
        build, "inception_resnet_c", lambda x, f, scale: x + scale * f(x), after=layers.Identity
    )
