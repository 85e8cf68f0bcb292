"""The Inception family with a bug in its structure."""

from typing import Any

from torch import Tensor, nn

from conformance.implementations.torch import googlenet, inception_v2, layers
from conformance.implementations.torch.layers import Function, Residual


def branch_order(model: Any) -> None:
    branches = model.inception
    branches[1], branches[2] = branches[2], branches[1]


def average_branch(model: Any) -> None:
    model.inception[3] = nn.AvgPool2d(3, 1, padding=1)


def three_for_five(model: Any) -> None:
    model.inception[2] = googlenet.conv(192, 32, 3)


def no_pool_proj(model: Any) -> None:
    del model.inception[3][1]


def reductions_swapped(model: Any) -> None:
    model.inception = googlenet.inception(192, 64, 16, 128, 96, 32, 32)


def no_reduction(model: Any) -> None:
    model.inception[1] = googlenet.conv(192, 128, 3)


def linear_reduction(model: Any) -> None:
    del model.inception[1][0][1]


def alpha_summed(model: Any) -> None:
    model.pool1[1].alpha = 5e-4


def no_lrn(model: Any) -> None:
    del model.conv2[2]


def floor_in_pool4(model: Any) -> None:
    model.pool4.ceil_mode = False
    model.avgpool = nn.AdaptiveAvgPool2d(1)


def classes_1001(model: Any) -> None:
    model.linear = nn.Linear(1024, 1001)


def heads_in_inference(model: Any) -> None:
    model.__class__ = HeadsAlways


class HeadsAlways(layers.WithHeads):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        heads: list[Tensor] = []
        for row in self:
            if isinstance(row, layers.Head):
                heads.append(row(x))
            else:
                x = row(x)
        return x, *heads


def not_separable(model: Any) -> None:
    model.conv1[1] = nn.Conv2d(3, 64, 7, stride=2, bias=False)
    del model.conv1[2]


def average_in_5b(model: Any) -> None:
    model.inception_5b[3][0] = layers.average_pool()


def printed_width(model: Any) -> None:
    avg, inception = layers.average_pool(), inception_v2.inception
    model.inception_4c = inception(576, 160, 128, 160, 128, 160, avg, 128)
    model.inception_4d = inception(608, 96, 128, 192, 160, 192, layers.average_pool(), 96)


def default_epsilon(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5


def same_in_the_stem(model: Any) -> None:
    model.Conv2d_2a_3x3[0].padding = (1, 1)


def border_counted(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.AvgPool2d):
            module.count_include_pad = True


def tall_before_wide(model: Any) -> None:
    branch = model.Mixed_6b[1]
    branch[1][0] = nn.Conv2d(128, 128, (7, 1), padding=(3, 0), bias=False)
    branch[2][0] = nn.Conv2d(128, 192, (1, 7), padding=(0, 3), bias=False)


def stem_order(model: Any) -> None:
    branches = model.stem[3]
    branches[0], branches[1] = branches[1], branches[0]


def module_too_few(model: Any) -> None:
    del model.inception_b[-1]


def widths_of_resnet(model: Any) -> None:
    model.reduction_a = layers.reduction_a(384, k=192, l=192, m=256, n=384)


def not_scaled(model: Any) -> None:
    for block, _ in model.inception_resnet_a:
        block.residual[1] = nn.Identity()


def other_scale(model: Any) -> None:
    for block, _ in model.inception_resnet_b:
        block.residual[1] = Function(lambda x: 0.17 * x)


def shortcut_scaled(model: Any) -> None:
    for residual, _ in model.inception_resnet_a:
        residual.__class__ = ShortcutScaled


class ShortcutScaled(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return 0.17 * x + self.residual[0](x)


def relu_on_expansion(model: Any) -> None:
    for block, _ in model.inception_resnet_a:
        block.residual.insert(1, nn.ReLU())


def norm_on_expansion(model: Any) -> None:
    for block, _ in model.inception_resnet_b:
        block.residual.insert(1, nn.BatchNorm2d(896, eps=1e-3))


def not_rectified(model: Any) -> None:
    for block in model.inception_resnet_c:
        del block[1]
