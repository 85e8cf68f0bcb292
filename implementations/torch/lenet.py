"""LeNet-5, after LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
Recognition" (1998), section II.B.

Input 32x32x1.  The output is the squared distance to each class's code: the smallest wins.
The paper shows its 7x12 bitmaps (figure 3) and lists no bits; ours are drawn below.  The document's
summary table is a network of its own: average pooling, C3 on all maps, plain tanh, a softmax.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Branches, Function

# Table I: the maps of S2 that each map of C3 takes.
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)

DIGITS = """
..###.. ...##.. ..###.. .#####. ....##. ####### ..####. ####### ..###.. ..###..
.##.##. ..###.. .##.##. ##...## ...###. ##..... .##.... ##...## .##.##. .##.##.
##...## .####.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. .....## ....##. .##.##. ######. ##.###. ....##. .##.##. ##...##
##...## ...##.. ....##. ..###.. ##..##. ##...## ###..## ...##.. ..###.. .##.###
##...## ...##.. ...##.. ....##. ##..##. .....## ##...## ...##.. .##.##. ..##.##
##...## ...##.. ..##... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. ##...## ##...## .##.... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. .##.##. .##.##. .##.... .##.##. ....##.
..###.. .###### ####### .#####. ....##. ..###.. ..###.. .##.... ..###.. .####..
"""


def codes() -> Tensor:
    """A row of 84 values -1 (white) or +1 (black) for each digit."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    digits = ["".join(digit) for digit in zip(*rows, strict=True)]
    return torch.tensor([[1.0 if bit == "#" else -1.0 for bit in digit] for digit in digits])


def squash(x: Tensor) -> Tensor:
    return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """A coefficient times the sum of four, plus a bias."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((maps, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return self.coefficient * total + self.bias


def partial_connection(table: tuple[tuple[int, ...], ...], kernel: int) -> Branches:
    """A convolution for each output map, on the input maps that a table gives it."""

    def of(maps: list[int]) -> nn.Sequential:
        return nn.Sequential(Function(lambda x: x[:, maps]), nn.Conv2d(len(maps), 1, kernel))

    return Branches(of(list(maps)) for maps in table)


class RadialBasis(nn.Module):
    """Squared distances to codes that are not trained."""

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, x: Tensor) -> Tensor:
        return ((x.unsqueeze(1) - self.codes) ** 2).sum(dim=2)


def lenet() -> nn.Sequential:
    return nn.Sequential(OrderedDict(
        C1=nn.Sequential(nn.Conv2d(1, 6, 5), Function(squash)),
        S2=nn.Sequential(Subsampling(6), Function(squash)),
        C3=nn.Sequential(partial_connection(C3_TABLE, 5), Function(squash)),
        S4=nn.Sequential(Subsampling(16), Function(squash)),
        C5=nn.Sequential(nn.Conv2d(16, 120, 5), Function(squash)),
        F6=nn.Sequential(nn.Flatten(), nn.Linear(120, 84), Function(squash)),
        output=RadialBasis(codes()),
    ))


def lenet_table() -> nn.Sequential:
    def average() -> nn.Sequential:
        return nn.Sequential(nn.AvgPool2d(2), nn.Tanh())

    return nn.Sequential(OrderedDict(
        C1=nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh()), S2=average(),
        C3=nn.Sequential(nn.Conv2d(6, 16, 5), nn.Tanh()), S4=average(),
        C5=nn.Sequential(nn.Conv2d(16, 120, 5), nn.Tanh()),
        F6=nn.Sequential(nn.Flatten(), nn.Linear(120, 84), nn.Tanh()),
        output=nn.Sequential(nn.Linear(84, 10), nn.Softmax(dim=1)),
    ))


MODELS = {"LeNet-5": lenet, "LeNet-5-table": lenet_table}
