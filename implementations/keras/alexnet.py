"""AlexNet, after Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks" (2012).

Input 227x227x3.  "AlexNet" is the network of the common table: one column, and the normalisation
follows the pooling.  "AlexNet-groups" is that of the paper: conv2, conv4 and conv5 see the maps of
their own half only (figure 2), and the normalisation is between ReLU and pooling (section 3.3).
"""

from functools import partial

import keras
from keras import KerasTensor, layers

from .layers import LocalResponseNorm

conv = partial(layers.Conv2D, activation="relu")
pool = partial(layers.MaxPooling2D, pool_size=3, strides=2)
norm = partial(LocalResponseNorm, k=2, alpha=1e-4)
fc = partial(layers.Dense, activation="relu")


def classifier(image: KerasTensor, x: KerasTensor) -> keras.Model:
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5, name="dropout6")(x)
    x = fc(4096, name="fc6")(x)
    x = layers.Dropout(0.5, name="dropout7")(x)
    x = fc(4096, name="fc7")(x)
    return keras.Model(image, layers.Dense(1000, name="fc8")(x))


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
    return classifier(image, x)


def alexnet_groups() -> keras.Model:
    image = keras.Input((227, 227, 3))
    x = conv(96, 11, strides=4, name="conv1")(image)
    x = norm(name="norm1")(x)
    x = pool(name="pool1")(x)
    x = conv(256, 5, padding="same", groups=2, name="conv2")(x)
    x = norm(name="norm2")(x)
    x = pool(name="pool2")(x)
    x = conv(384, 3, padding="same", name="conv3")(x)
    x = conv(384, 3, padding="same", groups=2, name="conv4")(x)
    x = conv(256, 3, padding="same", groups=2, name="conv5")(x)
    x = pool(name="pool5")(x)
    return classifier(image, x)


MODELS = {"AlexNet": alexnet, "AlexNet-groups": alexnet_groups}
