"""ResNet, after He et al., "Deep Residual Learning for Image Recognition", Table 1.

Projection shortcuts where the size or the width changes (option B, section 3.3).  The stride of
a stage is on the first convolution of its first block, as in the paper.  Batch norm's epsilon
and momentum are not printed; they are those of the authors' released models.  The plain networks
keep batch norm and leave the shortcuts out.
"""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    # "SAME" pads an even input on one side less than on the other where the stride is 2.
    padding = kernel // 2
    return nnx.Sequential(
        nnx.Conv(
            inputs, outputs, (kernel, kernel), stride, padding=padding, use_bias=False, rngs=rngs
        ),
        nnx.BatchNorm(outputs, momentum=0.9, epsilon=1e-5, rngs=rngs),
    )


def basic(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(
        conv_bn(inputs, width, 3, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs),
    )


def bottleneck(inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Sequential:
    return nnx.Sequential(
        conv_bn(inputs, width, 1, stride, rngs=rngs), nnx.relu,
        conv_bn(width, width, 3, rngs=rngs), nnx.relu,
        conv_bn(width, 4 * width, 1, rngs=rngs),
    )


EXPANSION = {basic: 1, bottleneck: 4}

Figure = Callable[..., nnx.Sequential]


class Residual(nnx.Module):  # Figure 2
    def __init__(self, residual: nnx.Module, shortcut: nnx.Module | None = None) -> None:
        self.residual = residual
        self.shortcut = shortcut

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.residual(x) + (self.shortcut(x) if self.shortcut else x))


def plain(
    figure: Figure, inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    stack = [figure(inputs, width, stride, rngs=rngs), nnx.relu]
    for _ in range(blocks - 1):
        stack += [figure(width * EXPANSION[figure], width, 1, rngs=rngs), nnx.relu]
    return nnx.Sequential(*stack)


def residual(
    figure: Figure, inputs: int, width: int, blocks: int, stride: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    outputs = width * EXPANSION[figure]
    residuals = [figure(inputs, width, stride, rngs=rngs)]
    residuals += [figure(outputs, width, 1, rngs=rngs) for _ in range(blocks - 1)]
    identity = (inputs, stride) == (outputs, 1)
    shortcut = None if identity else conv_bn(inputs, outputs, 1, stride, rngs=rngs)
    return nnx.Sequential(Residual(residuals[0], shortcut), *map(Residual, residuals[1:]))


class ResNet(nnx.Module):
    def __init__(
        self, stage: Figure, figure: Figure, blocks: tuple[int, ...], *, rngs: nnx.Rngs
    ) -> None:
        n = EXPANSION[figure]
        self.conv1 = nnx.Sequential(conv_bn(3, 64, 7, 2, rngs=rngs), nnx.relu)
        self.conv2_x = stage(figure, 64, 64, blocks[0], 1, rngs=rngs)
        self.conv3_x = stage(figure, 64 * n, 128, blocks[1], 2, rngs=rngs)
        self.conv4_x = stage(figure, 128 * n, 256, blocks[2], 2, rngs=rngs)
        self.conv5_x = stage(figure, 256 * n, 512, blocks[3], 2, rngs=rngs)
        self.fc = nnx.Linear(512 * n, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.conv1(x)
        x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        x = self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x))))
        return self.fc(x.mean(axis=(1, 2)))


MODELS = {
    "Plain-18": partial(ResNet, plain, basic, (2, 2, 2, 2)),
    "Plain-34": partial(ResNet, plain, basic, (3, 4, 6, 3)),
    "ResNet-18": partial(ResNet, residual, basic, (2, 2, 2, 2)),
    "ResNet-34": partial(ResNet, residual, basic, (3, 4, 6, 3)),
    "ResNet-50": partial(ResNet, residual, bottleneck, (3, 4, 6, 3)),
    "ResNet-101": partial(ResNet, residual, bottleneck, (3, 4, 23, 3)),
    "ResNet-152": partial(ResNet, residual, bottleneck, (3, 8, 36, 3)),
}
