"""Inception-v3, after Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception
Architecture for Computer Vision" (2015), as the authors released it.

Input 299x299x3.  Table 1 of the paper cannot be built as printed; names and widths are those of
the release, and so are batch norm's epsilon and the 0.9997 of its running statistics that a step
keeps.  Average pools leave their padding out of the average.  One auxiliary classifier, on
Mixed_6e, in training only.
"""

from collections import OrderedDict

from torch import Tensor, nn

from .googlenet import Branches

Kernel = int | tuple[int, int]


def conv_bn(
    inputs: int, maps: int, kernel: Kernel, stride: int = 1, valid: bool = False
) -> nn.Sequential:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (0, 0) if valid or stride > 1 else (height // 2, width // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, maps, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(maps, eps=1e-3, momentum=3e-4),
        nn.ReLU(),
    )


def row(inputs: int, *convs: tuple[int, Kernel]) -> nn.Sequential:
    """Convolutions one after the other, each as (maps, kernel)."""
    widths = [inputs, *(maps for maps, _ in convs)]
    return nn.Sequential(*(
        conv_bn(before, maps, kernel) for before, (maps, kernel) in zip(widths, convs, strict=False)
    ))


def down(inputs: int, maps: int) -> nn.Sequential:
    return conv_bn(inputs, maps, 3, stride=2)


def max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2)


def pool_proj(inputs: int, maps: int) -> nn.Sequential:
    average = nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(average, conv_bn(inputs, maps, 1))


def mixed_5(inputs: int, proj: int) -> Branches:
    return Branches([
        row(inputs, (64, 1)),
        row(inputs, (48, 1), (64, 5)),
        row(inputs, (64, 1), (96, 3), (96, 3)),
        pool_proj(inputs, proj),
    ])


def mixed_6a() -> Branches:
    double = nn.Sequential(row(288, (64, 1), (96, 3)), down(96, 96))
    return Branches([down(288, 384), double, max_pool()])


def mixed_6(n: int) -> Branches:
    tall, wide = (7, 1), (1, 7)
    return Branches([
        row(768, (192, 1)),
        row(768, (n, 1), (n, wide), (192, tall)),
        row(768, (n, 1), (n, tall), (n, wide), (n, tall), (192, wide)),
        pool_proj(768, 192),
    ])


def mixed_7a() -> Branches:
    return Branches([
        nn.Sequential(row(768, (192, 1)), down(192, 320)),
        nn.Sequential(row(768, (192, 1), (192, (1, 7)), (192, (7, 1))), down(192, 192)),
        max_pool(),
    ])


def mixed_7(inputs: int) -> Branches:
    def split(inputs: int) -> Branches:
        return Branches([conv_bn(inputs, 384, (1, 3)), conv_bn(inputs, 384, (3, 1))])

    return Branches([
        row(inputs, (320, 1)),
        nn.Sequential(row(inputs, (384, 1)), split(384)),
        nn.Sequential(row(inputs, (448, 1), (384, 3)), split(384)),
        pool_proj(inputs, 192),
    ])


class InceptionV3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_6e = nn.Sequential(OrderedDict(
            Conv2d_1a_3x3=down(3, 32),
            Conv2d_2a_3x3=conv_bn(32, 32, 3, valid=True),
            Conv2d_2b_3x3=conv_bn(32, 64, 3),
            MaxPool_3a=max_pool(),
            Conv2d_3b_1x1=conv_bn(64, 80, 1),
            Conv2d_4a_3x3=conv_bn(80, 192, 3, valid=True),
            MaxPool_5a=max_pool(),
            Mixed_5b=mixed_5(192, 32), Mixed_5c=mixed_5(256, 64), Mixed_5d=mixed_5(288, 64),
            Mixed_6a=mixed_6a(), Mixed_6b=mixed_6(128),
            Mixed_6c=mixed_6(160), Mixed_6d=mixed_6(160), Mixed_6e=mixed_6(192),
        ))
        self.to_end = nn.Sequential(OrderedDict(
            Mixed_7a=mixed_7a(), Mixed_7b=mixed_7(1280), Mixed_7c=mixed_7(2048),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.2),
            fc=nn.Linear(2048, 1000),
        ))
        self.aux = nn.Sequential(
            nn.AvgPool2d(kernel_size=5, stride=3),
            conv_bn(768, 128, 1), conv_bn(128, 768, 5, valid=True),
            nn.Flatten(), nn.Linear(768, 1000),
        )

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        in_6e = self.to_6e(x)
        result = self.to_end(in_6e)
        return (result, self.aux(in_6e)) if self.training else result


MODELS = {"Inception-v3": InceptionV3}
