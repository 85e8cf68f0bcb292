"""The networks that the notebooks of a tutorial on these architectures write out.

They are the notebooks' own code in Keras 3; softmax and sigmoid are part of them.
"""

from functools import partial

import keras
from keras import Sequential, layers

conv = partial(layers.Conv2D, activation="relu")
pool = partial(layers.MaxPooling2D, 2)
norm = layers.BatchNormalization
fc = partial(layers.Dense, activation="relu")
softmax = partial(layers.Dense, activation="softmax")


def fc_dropout(units: int, name: str) -> Sequential:
    return Sequential([fc(units), layers.Dropout(0.4)], name=name)


def lenet() -> keras.Model:
    return Sequential([
        keras.Input((28, 28, 1)),
        conv(6, 5, name="conv1"), pool(name="pool1"),
        conv(16, 5, name="conv2"), pool(name="pool2"),
        layers.Flatten(),
        fc(120, name="fc3"), fc(84, name="fc4"), softmax(10, name="fc5"),
    ])


def alexnet() -> keras.Model:
    return Sequential([
        keras.Input((224, 224, 3)),
        conv(96, 11, strides=4, name="conv1"), pool(name="pool1"), norm(name="norm1"),
        conv(256, 11, name="conv2"), pool(name="pool2"), norm(name="norm2"),
        conv(384, 3, name="conv3"), norm(name="norm3"),
        conv(384, 3, name="conv4"), norm(name="norm4"),
        conv(256, 3, name="conv5"), pool(name="pool5"), norm(name="norm5"),
        layers.Flatten(),
        fc_dropout(4096, name="fc6"), norm(name="norm6"),
        fc_dropout(4096, name="fc7"), norm(name="norm7"),
        fc_dropout(1000, name="fc8"), norm(name="norm8"),
        softmax(17, name="fc9"),
    ])


def cats_and_dogs() -> keras.Model:
    return Sequential([
        keras.Input((150, 150, 3)),
        conv(32, 3, name="conv1"), pool(name="pool1"),
        conv(64, 3, name="conv2"), pool(name="pool2"),
        conv(128, 3, name="conv3"), pool(name="pool3"),
        conv(128, 3, name="conv4"), pool(name="pool4"),
        layers.Dropout(0.5, name="dropout"),
        layers.Flatten(),
        fc(512, name="fc5"),
        layers.Dense(1, activation="sigmoid", name="fc6"),
    ])


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-CatsDogs": cats_and_dogs,
}
