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

from .layers import EXPANSION, Figure, Rows, basic, bottleneck, conv_bn, global_average, residual

Block = Callable[..., nnx.Module]


def pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


def plain(figure: Figure, inputs: int, width: int, stride: int, *, rngs: nnx.Rngs) -> nnx.Module:
    return figure(inputs, width, stride, rngs=rngs)  # Figure 3, middle


def stage(
    block: Block, figure: Figure, inputs: int, width: int, blocks: int, stride: int,
    *, rngs: nnx.Rngs,
) -> list[nnx.Module]:
    outputs = EXPANSION[figure] * width
    first = block(figure, inputs, width, stride, rngs=rngs)
    others = [block(figure, outputs, width, 1, rngs=rngs) for _ in range(blocks - 1)]
    return [nnx.Sequential(each, nnx.relu) for each in (first, *others)]


def resnet(
    block: Block, figure: Figure, blocks: tuple[int, int, int, int], *, rngs: nnx.Rngs
) -> Rows:
    n, s = EXPANSION[figure], partial(stage, block, figure, rngs=rngs)
    return Rows(
        conv1=nnx.Sequential(conv_bn(3, 64, 7, stride=2, rngs=rngs), nnx.relu),
        conv2_x=nnx.Sequential(pool, *s(64, 64, blocks[0], stride=1)),
        conv3_x=nnx.Sequential(*s(64 * n, 128, blocks[1], stride=2)),
        conv4_x=nnx.Sequential(*s(128 * n, 256, blocks[2], stride=2)),
        conv5_x=nnx.Sequential(*s(256 * n, 512, blocks[3], stride=2)),
        fc=nnx.Sequential(global_average, nnx.Linear(512 * n, 1000, rngs=rngs)),
    )


MODELS = {
    "ResNet-18": partial(resnet, residual, basic, (2, 2, 2, 2)),
    "ResNet-34": partial(resnet, residual, basic, (3, 4, 6, 3)),
    "ResNet-50": partial(resnet, residual, bottleneck, (3, 4, 6, 3)),
    "ResNet-101": partial(resnet, residual, bottleneck, (3, 4, 23, 3)),
    "ResNet-152": partial(resnet, residual, bottleneck, (3, 8, 36, 3)),
    "Plain-18": partial(resnet, plain, basic, (2, 2, 2, 2)),
    "Plain-34": partial(resnet, plain, basic, (3, 4, 6, 3)),
}
