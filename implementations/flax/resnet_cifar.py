"""CIFAR-10 networks, after He et al., "Deep Residual Learning for Image Recognition", section 4.2.

6n + 2 layers.  A shortcut that changes size is an identity without parameters (option A): every
second pixel, and maps of zeros after the others.  ResNet-29-v2 is the pre-activation network of
Keras' CIFAR-10 example, 9n + 2 layers, after "Identity Mappings in Deep Residual Networks": biases
in every convolution, bare projections at the start of each stage, softmax at the end.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from .layers import Residual, Rows, basic, conv_bn, global_average


class Shortcut(nnx.Module):
    """Option A: no parameters."""

    def __init__(self, inputs: int, maps: int, stride: int) -> None:
        self.stride, self.more = stride, maps - inputs

    def __call__(self, x: jax.Array) -> jax.Array:
        pixels = x[:, :: self.stride, :: self.stride]
        return jnp.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, self.more)))


def residual(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> Residual:
    shortcut = None if inputs == width else Shortcut(inputs, width, stride)
    return Residual(basic(inputs, width, stride, rngs=rngs), shortcut)


def plain(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Module:
    return basic(inputs, width, stride, rngs=rngs)


Block = Callable[..., nnx.Module]


def stage(
    block: Block, inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    others = [block(width, width, 1, rngs=rngs) for _ in range(blocks - 1)]
    residuals = block(inputs, width, stride, rngs=rngs), *others
    return nnx.Sequential(*(nnx.Sequential(each, nnx.relu) for each in residuals))


def resnet(block: Block, n: int, *, rngs: nnx.Rngs) -> Rows:
    return Rows(
        conv1=nnx.Sequential(conv_bn(3, 16, 3, rngs=rngs), nnx.relu),
        stage1=stage(block, 16, 16, n, stride=1, rngs=rngs),
        stage2=stage(block, 16, 32, n, stride=2, rngs=rngs),
        stage3=stage(block, 32, 64, n, stride=2, rngs=rngs),
        fc=nnx.Sequential(global_average, nnx.Linear(64, 10, rngs=rngs)),
    )


def activate(maps: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    norm = nnx.BatchNorm(maps, momentum=0.99, epsilon=1e-3, rngs=rngs)  # Keras' own
    return nnx.Sequential(norm, nnx.relu)


def conv(inputs: int, maps: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(inputs, maps, (kernel, kernel), stride, rngs=rngs)


def bottleneck(
    inputs: int, width: int, outputs: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    """What follows the first activation: the first block of all has none of its own."""
    return nnx.Sequential(
        conv(inputs, width, 1, stride, rngs=rngs),
        activate(width, rngs=rngs), conv(width, width, 3, rngs=rngs),
        activate(width, rngs=rngs), conv(width, outputs, 1, rngs=rngs),
    )


def stage_v2(
    before: nnx.Module | None, inputs: int, width: int, outputs: int, blocks: int, stride: int,
    *, rngs: nnx.Rngs,
) -> nnx.Sequential:
    first = bottleneck(inputs, width, outputs, stride, rngs=rngs)
    projected = nnx.Sequential(before, first) if before else first
    shortcut = conv(inputs, outputs, 1, stride, rngs=rngs)
    act, b = partial(activate, outputs, rngs=rngs), partial(bottleneck, outputs, width, rngs=rngs)
    others = [nnx.Sequential(act(), b(outputs, stride=1)) for _ in range(blocks - 1)]
    return nnx.Sequential(Residual(projected, shortcut), *map(Residual, others))


def resnet_v2(n: int, *, rngs: nnx.Rngs) -> Rows:
    s, act = partial(stage_v2, rngs=rngs), partial(activate, rngs=rngs)
    top = act(256), global_average, nnx.Linear(256, 10, rngs=rngs), nnx.softmax
    return Rows(
        conv1=nnx.Sequential(conv(3, 16, 3, rngs=rngs), act(16)),
        stage1=s(None, 16, 16, 64, n, stride=1),
        stage2=s(act(64), 64, 64, 128, n, stride=2),
        stage3=s(act(128), 128, 128, 256, n, stride=2),
        fc=nnx.Sequential(*top),
    )


MODELS = {
    "ResNet-20-CIFAR": partial(resnet, residual, 3),
    "ResNet-32-CIFAR": partial(resnet, residual, 5),
    "ResNet-44-CIFAR": partial(resnet, residual, 7),
    "ResNet-56-CIFAR": partial(resnet, residual, 9),
    "ResNet-110-CIFAR": partial(resnet, residual, 18),
    "ResNet-1202-CIFAR": partial(resnet, residual, 200),
    "Plain-20-CIFAR": partial(resnet, plain, 3),
    "Plain-56-CIFAR": partial(resnet, plain, 9),
    "ResNet-29-v2-CIFAR": partial(resnet_v2, 3),
}
