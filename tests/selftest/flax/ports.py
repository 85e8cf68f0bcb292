"""Ports that the gate refuses, or accepts with a remark; and the right forms of the same."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.implementations.flax import blocks
from conformance.implementations.flax.layers import conv_bn, flatten, module

RNGS = nnx.Rngs(0)
Change = Callable[[jax.Array], jax.Array]


def shared_block(model: Any) -> None:
    model.stage1.layers[2] = model.stage1.layers[1]


def shared_norm(model: Any) -> None:
    residual = model.stage1.layers[0].layers[0].residual
    residual.layers[2].layers[1] = residual.layers[0].layers[1]


def squeezed(model: Any) -> None:
    model.output = nnx.Sequential(model.output, jnp.squeeze)


def squeezed_by_axis(model: Any) -> None:
    model.flatten = module(lambda x: x.squeeze((1, 2)))


def view_of_one(model: Any) -> None:
    model.output = nnx.Sequential(model.output, lambda x: x.reshape(1, -1))


def view_of_each(model: Any) -> None:
    model.output = nnx.Sequential(model.output, lambda x: x.reshape(len(x), -1))


def images_mixed(model: Any) -> None:
    model.flatten = module(lambda x: jnp.swapaxes(x, 0, 3).reshape(len(x), -1))


def mean_over_batch(model: Any) -> None:
    model.fc.layers[0] = lambda x: x.mean((0, 1, 2), keepdims=True)[:, 0, 0]


def mean_over_map(model: Any) -> None:
    model.fc.layers[0] = lambda x: x.mean((1, 2), keepdims=True)[:, 0, 0]


def softmax_over_batch(model: Any) -> None:
    model.output.layers[1] = lambda x: nnx.softmax(x, axis=0)


def largest_of_batch(model: Any) -> None:
    before(model, lambda x: x / x.max())


def batch_statistics(model: Any) -> None:
    model.conv1.layers[0].layers[1].__class__ = OfTheBatch


class OfTheBatch(nnx.BatchNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x, use_running_average=False)


def before(model: Any, *changes: Change) -> None:
    """Something done to the image before the first layer."""
    model.C1 = nnx.Sequential(*changes, *model.C1.layers)


def sides_exchanged(model: Any) -> None:
    before(model, lambda x: jnp.swapaxes(x, 1, 2))


def prepared(x: jax.Array) -> jax.Array:
    return (x - 0.1307) / 0.3081


def prepared_image(model: Any) -> None:
    before(model, prepared)


def mean_and_std_exchanged(model: Any) -> None:
    before(model, lambda x: (x - 0.3081) / 0.1307)


def prepared_twice(model: Any) -> None:
    before(model, prepared, prepared)


def prepared_after_conv1(model: Any) -> None:
    conv, tanh = model.C1.layers
    model.C1 = nnx.Sequential(conv, prepared, tanh)


def bytes_once(model: Any) -> None:
    before(model, lambda x: x / 255)


def bytes_twice(model: Any) -> None:
    before(model, lambda x: x / 255, lambda x: x / 255)


def random_depth(model: Any) -> None:
    block = model.stage1.layers[1].layers[0]
    block.residual = Drawn(block.residual)


class Drawn(nnx.Module):
    def __init__(self, residual: nnx.Module) -> None:
        self.residual, self.rngs = residual, nnx.Rngs(depth=0)

    def __call__(self, x: jax.Array) -> jax.Array:
        kept = jax.random.bernoulli(self.rngs.depth(), 0.8, (len(x), 1, 1, 1))
        return self.residual(x) * kept / 0.8


def weights_in_forward(model: Any) -> None:
    model.C3 = nnx.Sequential(made_anew, nnx.tanh)


@module
def made_anew(x: jax.Array) -> jax.Array:
    kernel = 0.1 * jax.random.normal(jax.random.key(0), (5, 5, 6, 16))
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=axes)


def precision_island(model: Any) -> None:
    model.C3.layers[0] = nnx.Conv(6, 16, (5, 5), padding="VALID", dtype=jnp.bfloat16, rngs=RNGS)


def small_vgg(
    *head: Any, second: int = 128, norm: Callable[[int], list[nnx.Module]] = lambda maps: []
) -> nnx.Sequential:
    """VGG-A as it is written for images of 32x32, with a head of its own."""
    steps: list[Any] = []
    inputs = 3
    for maps, count in ((64, 1), (second, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(count):
            steps.append(nnx.Conv(inputs, maps, (3, 3), padding=1, rngs=RNGS))
            steps += [*norm(maps), nnx.relu]
            inputs = maps
        steps.append(lambda x: nnx.max_pool(x, (2, 2), strides=(2, 2)))
    return nnx.Sequential(*steps, *(head or (flatten, nnx.Linear(512, 10, rngs=RNGS))))


def vgg_for_cifar() -> nnx.Module:
    return small_vgg()


def narrow_for_cifar() -> nnx.Module:
    return small_vgg(second=96)


def normed(**options: Any) -> nnx.Module:
    usual = {"momentum": 0.9, "rngs": RNGS}
    return small_vgg(norm=lambda maps: [nnx.BatchNorm(maps, **usual | options)])


def vgg_with_norms() -> nnx.Module:
    return normed()


def width_for_epsilon() -> nnx.Module:
    return small_vgg(norm=lambda maps: [nnx.BatchNorm(maps, momentum=0.9, epsilon=maps, rngs=RNGS)])


def added_momentum() -> nnx.Module:
    return normed(momentum=0.1)


def hidden(*first: nnx.Module) -> nnx.Module:
    dense, end = nnx.Linear(512, 512, rngs=RNGS), nnx.Linear(512, 10, rngs=RNGS)
    return small_vgg(flatten, *first, dense, nnx.relu, end)


def dropout_in_front() -> nnx.Module:
    return hidden(nnx.Dropout(0.5, rngs=RNGS))


def second_dropout() -> nnx.Module:
    return hidden(nnx.Dropout(0.5, rngs=RNGS), nnx.Dropout(0.95, rngs=RNGS))


def convolutional(padding: int) -> nnx.Module:
    return small_vgg(
        nnx.Conv(512, 4096, (7, 7), padding=padding, rngs=RNGS), nnx.relu,
        nnx.Dropout(0.5, rngs=RNGS),
        nnx.Conv(4096, 4096, (1, 1), rngs=RNGS), nnx.relu, nnx.Dropout(0.5, rngs=RNGS),
        lambda x: x.mean((1, 2)), nnx.Linear(4096, 1000, rngs=RNGS),
    )  # fmt: skip


def convolutional_head() -> nnx.Module:
    return convolutional(0)


def padded_head() -> nnx.Module:
    return convolutional(3)


def swapped_pair() -> nnx.Module:
    return blocks.stack((7, 1), (1, 7), rngs=RNGS)


def projections(model: Any) -> None:
    for stage, width in ((model.stage2, 32), (model.stage3, 64)):
        stage.layers[0].layers[0].shortcut = conv_bn(width // 2, width, 1, 2, rngs=RNGS)


def biased_projection(model: Any) -> None:
    projections(model)
    shortcut = model.stage3.layers[0].layers[0].shortcut
    shortcut.layers[0] = nnx.Conv(32, 64, (1, 1), 2, rngs=RNGS)


def biases(model: Any) -> None:
    for _, conv in nnx.iter_modules(model):
        if isinstance(conv, nnx.Conv):
            conv.use_bias, conv.bias = True, nnx.Param(jnp.zeros(conv.out_features))


def one_bias_missing(model: Any) -> None:
    biases(model)
    conv = model.stage2.layers[1].layers[0].residual.layers[2].layers[0]
    conv.use_bias, conv.bias = False, None


def dead_branch(model: Any) -> None:
    model.C3 = Dead(model.C3)


class Dead(nnx.Module):
    def __init__(self, block: nnx.Module) -> None:
        self.block, self.branch = block, nnx.Conv(6, 16, (1, 1), rngs=RNGS)

    def __call__(self, x: jax.Array) -> jax.Array:
        self.branch(x)
        return self.block(x)


def unused_layer(model: Any) -> None:
    model.C3.layers[0].spare = nnx.Conv(6, 16, (1, 1), rngs=RNGS)


def other_flatten(model: Any) -> None:
    model.flatten = module(lambda x: x.transpose(0, 3, 1, 2).reshape(len(x), -1))


def flipped_kernel(model: Any) -> None:
    model.C3.layers[0].__class__ = Flipped


class Flipped(nnx.Conv):
    how: Change = staticmethod(lambda kernel: kernel[::-1, ::-1])

    def __call__(self, x: jax.Array) -> jax.Array:
        axes = ("NHWC", "HWIO", "NHWC")
        kernel = self.how(self.kernel[...])
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=axes)
        return y + self.bias[...]


def transposed_kernel(model: Any) -> None:
    model.C3.layers[0].__class__ = Transposed


class Transposed(Flipped):
    how: Change = staticmethod(lambda kernel: kernel.transpose(1, 0, 2, 3))
