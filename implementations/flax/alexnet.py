"""AlexNet, after Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep CNNs".

On 227x227 images.  AlexNet has one column instead of two groups, and normalisation after pooling:
the order in which the layers are tabulated.  AlexNet-groups has the paper's two groups and its
order, normalisation first.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1,
    *, rngs: nnx.Rngs,
) -> nnx.Sequential:
    convolution = nnx.Conv(
        inputs, outputs, (kernel, kernel), stride, padding=padding, feature_group_count=groups,
        rngs=rngs,
    )
    return nnx.Sequential(convolution, nnx.relu)


class MaxPool(nnx.Module):  # overlapping, section 3.4
    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.max_pool(x, (3, 3), strides=(2, 2))


class LocalResponseNorm(nnx.Module):  # section 3.3
    n, k, alpha, beta = 5, 2.0, 1e-4, 0.75

    def __call__(self, x: jax.Array) -> jax.Array:
        neighbours = lax.reduce_window(
            jnp.square(x), 0.0, lax.add, (1, 1, 1, self.n), (1, 1, 1, 1), "SAME"
        )
        return x / (self.k + self.alpha * neighbours) ** self.beta


class AlexNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = conv(3, 96, 11, stride=4, rngs=rngs)
        self.pool1 = MaxPool()
        self.norm1 = LocalResponseNorm()
        self.conv2 = conv(96, 256, 5, padding=2, rngs=rngs)
        self.pool2 = MaxPool()
        self.norm2 = LocalResponseNorm()
        self.conv3 = conv(256, 384, 3, padding=1, rngs=rngs)
        self.conv4 = conv(384, 384, 3, padding=1, rngs=rngs)
        self.conv5 = conv(384, 256, 3, padding=1, rngs=rngs)
        self.pool5 = MaxPool()
        self.dropout6 = nnx.Dropout(0.5, rngs=rngs)
        self.fc6 = nnx.Sequential(nnx.Linear(6 * 6 * 256, 4096, rngs=rngs), nnx.relu)
        self.dropout7 = nnx.Dropout(0.5, rngs=rngs)
        self.fc7 = nnx.Sequential(nnx.Linear(4096, 4096, rngs=rngs), nnx.relu)
        self.fc8 = nnx.Linear(4096, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm1(self.pool1(self.conv1(x)))
        x = self.norm2(self.pool2(self.conv2(x)))
        return self.rest(x)

    def rest(self, x: jax.Array) -> jax.Array:
        x = self.conv5(self.conv4(self.conv3(x)))
        x = self.pool5(x)
        x = x.reshape(x.shape[0], -1)
        x = self.fc6(self.dropout6(x))
        x = self.fc7(self.dropout7(x))
        return self.fc8(x)


class Columns(AlexNet):  # Figure 2: the two meet in conv3 and in the dense layers
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        super().__init__(rngs=rngs)
        self.conv2 = conv(96, 256, 5, padding=2, groups=2, rngs=rngs)
        self.conv4 = conv(384, 384, 3, padding=1, groups=2, rngs=rngs)
        self.conv5 = conv(384, 256, 3, padding=1, groups=2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool1(self.norm1(self.conv1(x)))
        x = self.pool2(self.norm2(self.conv2(x)))
        return self.rest(x)


MODELS = {"AlexNet": AlexNet, "AlexNet-groups": Columns}
