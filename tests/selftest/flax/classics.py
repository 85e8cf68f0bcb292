"""LeNet-5, AlexNet, VGG and the notebooks' networks with a bug in their structure."""

from typing import Any

import jax
from flax import nnx

from conformance.implementations.flax import lenet
from tests.selftest.flax import Also, Same, same

RNGS = nnx.Rngs(0)


def dense_c3(model: Any) -> None:
    model.C3.layers[0].mask = None


def average_in_s2(model: Any) -> None:
    model.S2.layers[0] = AverageSubsampling(6)


class AverageSubsampling(lenet.Subsampling):
    def __call__(self, x: jax.Array) -> jax.Array:
        mean = nnx.avg_pool(x, (2, 2), strides=(2, 2))
        return self.coefficient * mean + self.bias


def plain_tanh(model: Any) -> None:
    model.C1.layers[1] = nnx.tanh


def dense_output(model: Any) -> None:
    model.output = nnx.Linear(84, 10, rngs=RNGS)


def sigmoid_for_tanh(model: Any) -> None:
    model.C1.layers[1] = nnx.sigmoid


def hard_sigmoid(model: Any) -> None:
    model.C3.layers[1] = nnx.hard_sigmoid


def gelu(model: Any) -> None:
    model.C1.layers[1] = nnx.gelu


def max_in_s2(model: Any) -> None:
    model.S2 = MaxPool()


class MaxPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.tanh(nnx.max_pool(x, (2, 2), strides=(2, 2)))


def softmax_twice(model: Any) -> None:
    model.output = Also(model.output, nnx.softmax)


def alpha_averaged(model: Any) -> None:
    model.norm1.alpha = 1e-4 / 5


def radius_for_size(model: Any) -> None:
    model.norm1.n = 11


def default_k(model: Any) -> None:
    model.norm2.k = 1.0


def default_beta(model: Any) -> None:
    model.norm2.beta = 0.5


def norm_before_pool(model: Any) -> None:
    model.pool1, model.norm1 = model.norm1, model.pool1


def small_conv2(model: Any) -> None:
    model.conv2.layers[0] = nnx.Conv(96, 256, (3, 3), padding=1, rngs=RNGS)


def grouped_conv2(model: Any) -> None:
    model.conv2.layers[0] = nnx.Conv(96, 256, (5, 5), padding=2, feature_group_count=2, rngs=RNGS)


def dense_conv4(model: Any) -> None:
    model.conv4.layers[0] = nnx.Conv(384, 384, (3, 3), padding=1, rngs=RNGS)


def dilated_conv5(model: Any) -> None:
    conv = model.conv5.layers[0]
    conv.kernel_dilation, conv.padding = 2, 2


def padded_conv1(model: Any) -> None:
    model.conv1.layers[0].padding = 2


def narrow_conv1(model: Any) -> None:
    model.conv1.layers[0] = nnx.Conv(3, 64, (11, 11), 4, padding=0, rngs=RNGS)
    model.conv2.layers[0] = nnx.Conv(64, 256, (5, 5), padding=2, rngs=RNGS)


def small_pool2(model: Any) -> None:
    model.pool2 = SmallPool()


class SmallPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (2, 2), strides=(2, 2))


def average_pool5(model: Any) -> None:
    model.pool5 = AveragePool()


class AveragePool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.avg_pool(x, (3, 3), strides=(2, 2))


def no_relu_in_conv3(model: Any) -> None:
    model.conv3.layers[1] = same


def no_bias_in_fc7(model: Any) -> None:
    model.fc7.layers[0] = nnx.Linear(4096, 4096, use_bias=False, rngs=RNGS)


def no_fc7(model: Any) -> None:
    model.fc7 = Same()


def width_before_height(model: Any) -> None:
    model.pool5 = Also(model.pool5, lambda x: x.transpose(0, 2, 1, 3))


def relu_at_the_end(model: Any) -> None:
    model.fc8 = Also(model.fc8, nnx.relu)


def softmax_at_the_end(model: Any) -> None:
    model.fc8 = Also(model.fc8, nnx.softmax)


def dropout_in_inference(model: Any) -> None:
    model.dropout7.__class__ = AlwaysDropout


class AlwaysDropout(nnx.Dropout):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x, deterministic=False)


def overlapping_pool3(model: Any) -> None:
    model.pool3 = OverlappingPool()


class OverlappingPool(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


def one_conv_too_few(model: Any) -> None:
    model.conv4 = nnx.Sequential(*model.conv4.layers[:2])


def three_for_one(model: Any) -> None:
    model.conv3.layers[4] = nnx.Conv(256, 256, (3, 3), padding=1, rngs=RNGS)


def no_bias_before_norm(model: Any) -> None:
    for _, module in nnx.iter_modules(model):
        if isinstance(module, nnx.Conv):
            module.use_bias, module.bias = False, None


def same_in_conv1(model: Any) -> None:
    model.conv1.layers[0].padding = "SAME"


def logits(model: Any) -> None:
    model.fc5.layers[1] = same


def wide_fc3(model: Any) -> None:
    model.fc3.layers[0] = nnx.Linear(256, 128, rngs=RNGS)
    model.fc4.layers[0] = nnx.Linear(128, 84, rngs=RNGS)
