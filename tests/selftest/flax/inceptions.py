"""The Inception family with a bug in its structure."""

from typing import Any

import jax
from flax import nnx

from conformance.implementations.flax import googlenet, inception_v2, layers
from tests.selftest.flax import Also, Same, same

RNGS = nnx.Rngs(0)


def branch_order(model: Any) -> None:
    paths = model.inception.paths
    paths[1], paths[2] = paths[2], paths[1]


def average_branch(model: Any) -> None:
    model.inception.paths[3] = nnx.Sequential(average)


def average(x: jax.Array) -> jax.Array:
    return nnx.avg_pool(x, (3, 3), padding="SAME")


def three_for_five(model: Any) -> None:
    model.inception.paths[2] = googlenet.conv(192, 32, 3, rngs=RNGS)


def no_pool_proj(model: Any) -> None:
    model.inception.paths[3].layers[1] = Same()


def reductions_swapped(model: Any) -> None:
    model.inception = googlenet.inception(192, 64, 16, 128, 96, 32, 32, rngs=RNGS)


def no_reduction(model: Any) -> None:
    model.inception.paths[1] = googlenet.conv(192, 128, 3, rngs=RNGS)


def linear_reduction(model: Any) -> None:
    model.inception.paths[1].layers[0].layers[1] = same


def alpha_summed(model: Any) -> None:
    model.pool1.layers[1] = nnx.Sequential(paper_lrn)


def paper_lrn(x: jax.Array) -> jax.Array:
    total = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, (1, 1, 1, 5), (1, 1, 1, 1), "SAME")
    return x / (1 + 1e-4 * total) ** 0.75


def no_lrn(model: Any) -> None:
    model.conv2.layers[2] = Same()


def floor_in_pool4(model: Any) -> None:
    model.pool4.layers[0] = floor
    model.avgpool.layers[0] = lambda x: x.mean(axis=(1, 2))


def floor(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (3, 3), strides=(2, 2))


def classes_1001(model: Any) -> None:
    model.linear = nnx.Linear(1024, 1001, rngs=RNGS)


def heads_in_inference(model: Any) -> None:
    model.__class__ = HeadsAlways


class HeadsAlways(layers.WithHeads):
    def eval(self, **attributes: Any) -> None:
        super().eval(**attributes)
        self.deterministic = False


def not_separable(model: Any) -> None:
    model.conv1.layers[0] = nnx.Conv(3, 64, (7, 7), 2, use_bias=False, rngs=RNGS)
    model.conv1.layers[1] = Same()


def average_in_5b(model: Any) -> None:
    model.inception_5b.paths[3].layers[0] = layers.average_pool


def printed_width(model: Any) -> None:
    avg, inception = layers.average_pool, inception_v2.inception
    model.inception_4c = inception(576, 160, 128, 160, 128, 160, avg, 128, rngs=RNGS)
    model.inception_4d = inception(608, 96, 128, 192, 160, 192, avg, 96, rngs=RNGS)


def default_epsilon(model: Any) -> None:
    for _, module in nnx.iter_modules(model):
        if isinstance(module, nnx.BatchNorm):
            module.epsilon = 1e-5


def same_in_the_stem(model: Any) -> None:
    model.Conv2d_2a_3x3.layers[0].padding = "SAME"


def border_counted(model: Any) -> None:
    model.Mixed_5b.paths[3].layers[0] = average


def tall_before_wide(model: Any) -> None:
    path = model.Mixed_6b.paths[1].layers
    path[1] = layers.conv_bn_relu(128, 128, (7, 1), rngs=RNGS)
    path[2] = layers.conv_bn_relu(128, 192, (1, 7), rngs=RNGS)


def stem_order(model: Any) -> None:
    paths = model.stem.layers[3].paths
    paths[0], paths[1] = paths[1], paths[0]


def module_too_few(model: Any) -> None:
    model.inception_b = nnx.Sequential(*model.inception_b.layers[:-1])


def widths_of_resnet(model: Any) -> None:
    model.reduction_a = layers.reduction_a(384, 192, 192, 256, 384, rngs=RNGS)


def not_scaled(model: Any) -> None:
    for block in model.inception_resnet_a.layers:
        block.layers[0].residual.layers[1] = same


def other_scale(model: Any) -> None:
    for block in model.inception_resnet_b.layers:
        block.layers[0].residual.layers[1] = lambda x: 0.17 * x


def shortcut_scaled(model: Any) -> None:
    for block in model.inception_resnet_a.layers:
        block.layers[0] = ShortcutScaled(block.layers[0].residual.layers[0])


class ShortcutScaled(nnx.Module):
    def __init__(self, residual: nnx.Module) -> None:
        self.residual = residual

    def __call__(self, x: jax.Array) -> jax.Array:
        return 0.17 * x + self.residual(x)


def relu_on_expansion(model: Any) -> None:
    for block in model.inception_resnet_a.layers:
        expanded = block.layers[0].residual.layers[0]
        expanded.layers[1] = Also(expanded.layers[1], nnx.relu)


def norm_on_expansion(model: Any) -> None:
    for block in model.inception_resnet_b.layers:
        expanded = block.layers[0].residual.layers[0]
        norm = nnx.BatchNorm(896, momentum=0.9997, epsilon=1e-3, rngs=RNGS)
        expanded.layers[1] = nnx.Sequential(expanded.layers[1], norm)


def not_rectified(model: Any) -> None:
    for block in model.inception_resnet_c.layers:
        block.layers[1] = same
