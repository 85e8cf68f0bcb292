"""ResNet-20 for CIFAR-10 in Haiku, given to the gate as a pair (apply, variables)."""

import haiku as hk
import jax
import jax.numpy as jnp


def conv_bn(x, train, width, stride=1):
    pads = [(1, 1), (1, 1)]
    x = hk.Conv2D(width, 3, stride, padding=pads, with_bias=False)(x)
    return hk.BatchNorm(True, True, decay_rate=0.9, eps=1e-5)(x, train)


def block(x, train, width, stride):
    y = conv_bn(jax.nn.relu(conv_bn(x, train, width, stride)), train, width)
    if stride > 1:  # option A: every second pixel, and maps of zeros
        more = width - x.shape[-1]
        x = jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, more)))
    return jax.nn.relu(x + y)


def network(images, train=False):
    x = jax.nn.relu(conv_bn(images, train, 16))
    for width, strides in ((16, (1, 1, 1)), (32, (2, 1, 1)), (64, (2, 1, 1))):
        for stride in strides:
            x = block(x, train, width, stride)
    return hk.Linear(10)(x.mean((1, 2)))


def resnet20():
    model = hk.without_apply_rng(hk.transform_with_state(network))
    images = jax.random.normal(jax.random.key(0), (8, 32, 32, 3))  # the first variances are theirs
    params, state = model.init(jax.random.key(1), images, train=True)
    return lambda variables, images: model.apply(*variables, images)[0], (params, state)
