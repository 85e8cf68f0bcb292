"""Residual blocks in PyTorch, each with one bug on the way from the input to the output."""

from torch import Tensor, nn

from conformance.implementations.torch.layers import Residual, basic, conv_bn


class Doubled(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x


WRONG = {
    "no ReLU after the sum": lambda: Residual(basic(64, 64, 1)),
    "shortcut added twice": lambda: nn.Sequential(Doubled(basic(64, 64, 1)), nn.ReLU()),
    "no shortcut": lambda: nn.Sequential(basic(64, 64, 1), nn.ReLU()),
    "projection on the shortcut": lambda: nn.Sequential(
        Residual(basic(64, 64, 1), conv_bn(64, 64, 1)), nn.ReLU()
    ),
}
