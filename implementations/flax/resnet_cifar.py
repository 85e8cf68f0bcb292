"""CIFAR-10 networks, after He et al., "Deep Residual Learning for Image Recognition", section 4.2.

6n + 2 layers.  A shortcut that changes size is an identity without parameters (option A): every
second pixel, and maps of zeros after the others.  ResNet-29-v2 is the pre-activation network of
Keras' CIFAR-10 example, 9n + 2 layers, after "Identity Mappings in Deep Residual Networks": biases
in every convolution, bare projections at the start of each stage, softmax at the end.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from .resnet import Figure, Residual, basic, conv_bn


class Shortcut(nnx.Module):  # option A
    def __init__(self, zeros: int) -> None:
        self.zeros = zeros

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, self.zeros)))


def residual(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Module:
    shortcut = Shortcut(width - inputs) if inputs != width else None
    return Residual(basic(inputs, width, stride, rngs=rngs), shortcut)


def plain(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Sequential(basic(inputs, width, stride, rngs=rngs), nnx.relu)


def stage(
    block: Figure, inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    first = block(inputs, width, stride, rngs=rngs)
    return nnx.Sequential(first, *(block(width, width, 1, rngs=rngs) for _ in range(blocks - 1)))


class ResNet(nnx.Module):
    def __init__(self, block: Figure, n: int, *, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Sequential(conv_bn(3, 16, 3, rngs=rngs), nnx.relu)
        self.stage1 = stage(block, 16, 16, n, 1, rngs=rngs)
        self.stage2 = stage(block, 16, 32, n, 2, rngs=rngs)
        self.stage3 = stage(block, 32, 64, n, 2, rngs=rngs)
        self.fc = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.stage3(self.stage2(self.stage1(self.conv1(x))))
        return self.fc(x.mean(axis=(1, 2)))


def norm(width: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(width, momentum=0.99, epsilon=1e-3, rngs=rngs)  # Keras' own


def bn_relu_conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    convolution = nnx.Conv(inputs, outputs, (kernel, kernel), stride, rngs=rngs)
    return nnx.Sequential(norm(inputs, rngs=rngs), nnx.relu, convolution)


def bottleneck(
    inputs: int, width: int, outputs: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    return nnx.Sequential(
        bn_relu_conv(inputs, width, 1, stride, rngs=rngs),
        bn_relu_conv(width, width, 3, rngs=rngs),
        bn_relu_conv(width, outputs, 1, rngs=rngs),
    )


class PreActivation(nnx.Module):
    def __init__(self, residual: nnx.Module, shortcut: nnx.Module | None = None) -> None:
        self.residual = residual
        self.shortcut = shortcut

    def __call__(self, x: jax.Array) -> jax.Array:
        return (self.shortcut(x) if self.shortcut else x) + self.residual(x)


def stage_v2(
    first: nnx.Module, inputs: int, outputs: int, blocks: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    projection = nnx.Conv(inputs, outputs, (1, 1), stride, rngs=rngs)
    others = [bottleneck(outputs, inputs, outputs, 1, rngs=rngs) for _ in range(blocks - 1)]
    return nnx.Sequential(PreActivation(first, projection), *map(PreActivation, others))


class ResNetV2(nnx.Module):
    def __init__(self, n: int, *, rngs: nnx.Rngs) -> None:
        first = bottleneck(16, 16, 64, 1, rngs=rngs)
        first.layers[0] = nnx.Conv(16, 16, (1, 1), rngs=rngs)  # conv1 has just been activated
        self.conv1 = nnx.Sequential(
            nnx.Conv(3, 16, (3, 3), rngs=rngs), norm(16, rngs=rngs), nnx.relu
        )
        self.stage1 = stage_v2(first, 16, 64, n, 1, rngs=rngs)
        self.stage2 = stage_v2(bottleneck(64, 64, 128, 2, rngs=rngs), 64, 128, n, 2, rngs=rngs)
        self.stage3 = stage_v2(bottleneck(128, 128, 256, 2, rngs=rngs), 128, 256, n, 2, rngs=rngs)
        self.norm = norm(256, rngs=rngs)
        self.fc = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.stage3(self.stage2(self.stage1(self.conv1(x))))
        x = nnx.relu(self.norm(x)).mean(axis=(1, 2))
        return nnx.softmax(self.fc(x))


MODELS = {
    "ResNet-20-CIFAR": partial(ResNet, residual, 3),
    "ResNet-32-CIFAR": partial(ResNet, residual, 5),
    "ResNet-44-CIFAR": partial(ResNet, residual, 7),
    "ResNet-56-CIFAR": partial(ResNet, residual, 9),
    "ResNet-110-CIFAR": partial(ResNet, residual, 18),
    "ResNet-1202-CIFAR": partial(ResNet, residual, 200),
    "Plain-20-CIFAR": partial(ResNet, plain, 3),
    "Plain-56-CIFAR": partial(ResNet, plain, 9),
    "ResNet-29-v2-CIFAR": partial(ResNetV2, 3),
}
