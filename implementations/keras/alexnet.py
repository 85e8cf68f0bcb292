"""AlexNet, after Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks" (2012), in one column: no convolution is split in two groups.

Input 227x227x3.  The normalisation follows the pooling, as in the order of the table's rows;
the text of the paper, section 3.3, has it between ReLU and pooling.
"""

from functools import partial

import keras
from keras import KerasTensor, layers, ops

conv = partial(layers.Conv2D, activation="relu")
fc = partial(layers.Dense, activation="relu")
pool = partial(layers.MaxPooling2D, pool_size=3, strides=2)


class LocalResponseNormalization(layers.Layer):  # Section 3.3
    """Each map over the energy of five neighbours: k = 2, alpha = 1e-4, beta = 0.75."""

    def call(self, x: KerasTensor) -> KerasTensor:
        maps = x.shape[-1]
        squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        energy = sum(squares[..., i : i + maps] for i in range(5))
        return x / (2 + 1e-4 * energy) ** 0.75


norm = LocalResponseNormalization


def alexnet() -> keras.Model:
    image = keras.Input((227, 227, 3))
    x = conv(96, 11, strides=4, name="conv1")(image)
    x = pool(name="pool1")(x)
    x = norm(name="norm1")(x)
    x = conv(256, 5, padding="same", name="conv2")(x)
    x = pool(name="pool2")(x)
    x = norm(name="norm2")(x)
    x = conv(384, 3, padding="same", name="conv3")(x)
    x = conv(384, 3, padding="same", name="conv4")(x)
    x = conv(256, 3, padding="same", name="conv5")(x)
    x = pool(name="pool5")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5, name="dropout6")(x)
    x = fc(4096, name="fc6")(x)
    x = layers.Dropout(0.5, name="dropout7")(x)
    x = fc(4096, name="fc7")(x)
    return keras.Model(image, layers.Dense(1000, name="fc8")(x))


MODELS = {"AlexNet": alexnet}
