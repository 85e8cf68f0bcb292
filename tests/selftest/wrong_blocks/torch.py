"""Residual blocks in PyTorch, each with one bug on the way from the input to the output."""

from torch import Tensor

from conformance.implementations.torch.resnet import Block, basic, conv_bn, plain


class WithoutReLU(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class Doubled(Block):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return y + self.shortcut(x).relu()


def projected() -> Block:
    block = Block(basic, 64, 64, 1)
    block.shortcut = conv_bn(64, 64, 1)
    return block


WRONG = {
    "no ReLU after the sum": lambda: WithoutReLU(basic, 64, 64, 1),
    "shortcut added twice": lambda: Doubled(basic, 64, 64, 1),
    "no shortcut": lambda: plain(basic, 64, 64, 1),
    "projection on the shortcut": projected,
}
