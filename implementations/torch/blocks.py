"""The blocks with which the papers argue: Simonyan and Zisserman (2014), section 2.3; Szegedy et
al., "Rethinking the Inception Architecture" (2015), sections 3 to 5; He et al., "Deep Residual
Learning" (2015), figures 2 and 5.

C is 64 maps on a grid of 14x14; the grid that is reduced is Figure 9's, with d = 6 and K = 3.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from .layers import Figure, basic, bottleneck, residual

C = 64


def conv(height: int, width: int) -> nn.Sequential:
    # A window of even size has no middle: it is not padded.
    padding = (height // 2 * (height % 2), width // 2 * (width % 2))
    return nn.Sequential(nn.Conv2d(C, C, (height, width), padding=padding), nn.ReLU())


def stack(*kernels: tuple[int, int]) -> nn.Sequential:
    convolutions = nn.Sequential(*(conv(height, width) for height, width in kernels))
    return nn.Sequential(OrderedDict(conv=convolutions))


def expand(k: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(k, 2 * k, 1), nn.ReLU())


def conv_then_pool() -> nn.Sequential:  # Figure 9, right
    return nn.Sequential(OrderedDict(conv=expand(3), pool=nn.MaxPool2d(2)))


def pool_then_conv() -> nn.Sequential:  # Figure 9, left
    return nn.Sequential(OrderedDict(pool=nn.MaxPool2d(2), conv=expand(3)))


def block(figure: Figure, inputs: int, width: int) -> nn.Sequential:
    rectified = nn.Sequential(residual(figure, inputs, width, stride=1), nn.ReLU())
    return nn.Sequential(OrderedDict(block=rectified))


MODELS = {
    "Conv-1x1": partial(stack, (1, 1)),
    "Conv-2x2": partial(stack, (2, 2)),
    "Conv-3x3": partial(stack, (3, 3)),
    "Conv-5x5": partial(stack, (5, 5)),
    "Conv-7x7": partial(stack, (7, 7)),
    "Two-3x3": partial(stack, (3, 3), (3, 3)),
    "Three-3x3": partial(stack, (3, 3), (3, 3), (3, 3)),
    "Two-2x2": partial(stack, (2, 2), (2, 2)),
    "3x1-1x3": partial(stack, (3, 1), (1, 3)),
    "1x7-7x1": partial(stack, (1, 7), (7, 1)),
    "Conv-then-pool": conv_then_pool,
    "Pool-then-conv": pool_then_conv,
    "Basic-block": partial(block, basic, 64, 64),
    "Basic-block-256": partial(block, basic, 256, 256),
    "Bottleneck-block": partial(block, bottleneck, 256, 64),
}
