"""GoogLeNet, after Szegedy et al., "Going Deeper with Convolutions" (2014), table 1, and the two
modules of its figure 2 as networks of their own, with the widths of inception_3a.

Input 224x224x3; the modules take 28x28x192.  The paper prints no constants of the normalisation
that its figure 3 has around the second convolution; ours are those of the replication in Caffe,
which shares alpha = 1e-4 among the five maps.  A ReLU follows every convolution.
"""

from functools import partial

import keras
from keras import KerasTensor, layers

from .layers import LocalResponseNorm, WithHeads, branches

conv = partial(layers.Conv2D, padding="same", activation="relu")
# An even input is padded below and on the right only: the last window stands over the edge.
pool = partial(layers.MaxPooling2D, pool_size=3, strides=2, padding="same")
norm = partial(LocalResponseNorm, k=1, alpha=1e-4 / 5)


def same_pool(x: KerasTensor) -> KerasTensor:
    return layers.MaxPooling2D(3, strides=1, padding="same")(x)


def naive(x: KerasTensor, n1x1: int, n3x3: int, n5x5: int, name: str) -> KerasTensor:  # Figure 2a
    return branches(
        conv(n1x1, 1)(x), conv(n3x3, 3)(x), conv(n5x5, 5)(x), same_pool(x), name=name
    )


def inception(
    x: KerasTensor, n1x1: int, n3x3_reduce: int, n3x3: int, n5x5_reduce: int, n5x5: int,
    pool_proj: int, name: str,
) -> KerasTensor:  # Figure 2b
    return branches(
        conv(n1x1, 1)(x),
        conv(n3x3, 3)(conv(n3x3_reduce, 1)(x)),
        conv(n5x5, 5)(conv(n5x5_reduce, 1)(x)),
        conv(pool_proj, 1)(same_pool(x)),
        name=name,
    )


def auxiliary(x: KerasTensor, name: str) -> KerasTensor:  # Section 5
    x = layers.AveragePooling2D(5, strides=3)(x)
    x = layers.Flatten()(conv(128, 1)(x))
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return layers.Dense(1000, name=name)(x)


def googlenet() -> keras.Model:
    image = keras.Input((224, 224, 3))
    x = conv(64, 7, strides=2, padding="valid", name="conv1")(layers.ZeroPadding2D(3)(image))
    x = norm(name="pool1")(pool()(x))
    x = conv(64, 1)(x)
    x = norm(name="conv2")(conv(192, 3)(x))
    x = pool(name="pool2")(x)
    x = inception(x, 64, 96, 128, 16, 32, 32, name="inception_3a")
    x = inception(x, 128, 128, 192, 32, 96, 64, name="inception_3b")
    x = pool(name="pool3")(x)
    x = inception_4a = inception(x, 192, 96, 208, 16, 48, 64, name="inception_4a")
    x = inception(x, 160, 112, 224, 24, 64, 64, name="inception_4b")
    x = inception(x, 128, 128, 256, 24, 64, 64, name="inception_4c")
    x = inception_4d = inception(x, 112, 144, 288, 32, 64, 64, name="inception_4d")
    x = inception(x, 256, 160, 320, 32, 128, 128, name="inception_4e")
    x = pool(name="pool4")(x)
    x = inception(x, 256, 160, 320, 32, 128, 128, name="inception_5a")
    x = inception(x, 384, 192, 384, 48, 128, 128, name="inception_5b")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    heads = [auxiliary(inception_4a, name="aux_4a"), auxiliary(inception_4d, name="aux_4d")]
    return WithHeads(image, [layers.Dense(1000, name="linear")(x), *heads])


def naive_module() -> keras.Model:
    x = keras.Input((28, 28, 192))
    return keras.Model(x, naive(x, 64, 128, 32, name="inception"))


def inception_module() -> keras.Model:
    x = keras.Input((28, 28, 192))
    return keras.Model(x, inception(x, 64, 96, 128, 16, 32, 32, name="inception"))


MODELS = {
    "GoogLeNet": googlenet,
    "Inception-naive": naive_module,
    "Inception-module": inception_module,
}
