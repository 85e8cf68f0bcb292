"""LeNet-5, AlexNet, VGG and the notebooks' networks with a bug in their structure."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from conformance.implementations.torch import lenet


def dense_c3(model: Any) -> None:
    model.C3[0] = nn.Conv2d(6, 16, 5)


def average_in_s2(model: Any) -> None:
    model.S2[0] = AverageSubsampling(6)


class AverageSubsampling(lenet.Subsampling):
    def forward(self, x: Tensor) -> Tensor:
        return self.coefficient * F.avg_pool2d(x, 2) + self.bias


def plain_tanh(model: Any) -> None:
    model.C1[1] = nn.Tanh()


def dense_output(model: Any) -> None:
    model.output = nn.Linear(84, 10)


def sigmoid_for_tanh(model: Any) -> None:
    model.C1[1] = nn.Sigmoid()


def hard_sigmoid(model: Any) -> None:
    model.C3[1] = nn.Hardsigmoid()


def gelu(model: Any) -> None:
    model.C1[1] = nn.GELU()


def max_in_s2(model: Any) -> None:
    model.S2[0] = nn.MaxPool2d(2)


def softmax_twice(model: Any) -> None:
    model.output.append(nn.Softmax(dim=1))


def alpha_averaged(model: Any) -> None:
    model.norm1.alpha = 1e-4


def radius_for_size(model: Any) -> None:
    model.norm1 = nn.LocalResponseNorm(11, alpha=11 * 1e-4, beta=0.75, k=2.0)


def default_k(model: Any) -> None:
    model.norm2 = nn.LocalResponseNorm(5, alpha=5 * 1e-4)


def default_beta(model: Any) -> None:
    model.norm2.beta = 0.5


def norm_before_pool(model: Any) -> None:
    model.pool1, model.norm1 = model.norm1, model.pool1


def small_conv2(model: Any) -> None:
    model.conv2[0] = nn.Conv2d(96, 256, 3, padding=1)


def grouped_conv2(model: Any) -> None:
    model.conv2[0] = nn.Conv2d(96, 256, 5, padding=2, groups=2)


def dense_conv4(model: Any) -> None:
    model.conv4[0] = nn.Conv2d(384, 384, 3, padding=1)


def dilated_conv5(model: Any) -> None:
    model.conv5[0] = nn.Conv2d(384, 256, 3, dilation=2, padding=2)


def padded_conv1(model: Any) -> None:
    model.conv1[0].padding = (2, 2)


def narrow_conv1(model: Any) -> None:
    model.conv1[0] = nn.Conv2d(3, 64, 11, stride=4)
    model.conv2[0] = nn.Conv2d(64, 256, 5, padding=2)


def small_pool2(model: Any) -> None:
    model.pool2 = nn.MaxPool2d(2, 2)


def average_pool5(model: Any) -> None:
    model.pool5 = nn.AvgPool2d(3, 2)


def no_relu_in_conv3(model: Any) -> None:
    model.conv3[1] = nn.Identity()


def no_bias_in_fc7(model: Any) -> None:
    model.fc7[0] = nn.Linear(4096, 4096, bias=False)


def no_fc7(model: Any) -> None:
    model.fc7 = nn.Identity()


def width_before_height(model: Any) -> None:
    model.flatten = WidthBeforeHeight()


class WidthBeforeHeight(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3).flatten(1)


def relu_at_the_end(model: Any) -> None:
    model.fc8 = nn.Sequential(model.fc8, nn.ReLU())


def softmax_at_the_end(model: Any) -> None:
    model.fc8 = nn.Sequential(model.fc8, nn.Softmax(dim=1))


def dropout_in_inference(model: Any) -> None:
    model.dropout7 = AlwaysDropout()


class AlwaysDropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x)


def overlapping_pool3(model: Any) -> None:
    model.pool3 = nn.MaxPool2d(3, 2, padding=1)


def one_conv_too_few(model: Any) -> None:
    del model.conv4[2:]


def three_for_one(model: Any) -> None:
    model.conv3[4] = nn.Conv2d(256, 256, 3, padding=1)


def no_bias_before_norm(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_parameter("bias", None)


def same_in_conv1(model: Any) -> None:
    model.conv1[0].padding = (1, 1)


def logits(model: Any) -> None:
    del model.fc5[1]


def wide_fc3(model: Any) -> None:
    model.fc3[0], model.fc4[0] = nn.Linear(256, 128), nn.Linear(128, 84)
