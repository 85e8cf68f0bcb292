"""The networks that the notebooks of a tutorial build on those of keras_applications 1.0.

Two take two classes, and their trained bases are frozen as the notebooks do it; softmax is part of
all.  ResNet-50 is that of keras_applications: biases in all convolutions, epsilon 1e-3, the stride
on a block's first convolution.  In training Keras 3 keeps a frozen batch norm at its running
statistics; the notebooks' TensorFlow 1.13 did not.
"""

from functools import partial

import keras
from keras import KerasTensor, Sequential, layers

pool = partial(layers.MaxPooling2D, 2)
norm = layers.BatchNormalization
softmax = partial(layers.Dense, activation="softmax")


def block(maps: int, convs: int, name: str) -> list[layers.Layer]:
    names = [None] * (convs - 1) + [name]
    conv = partial(layers.Conv2D, maps, 3, padding="same", activation="relu")
    return [conv(name=each) for each in names]


def vgg16() -> keras.Model:
    base = [
        *block(64, 2, name="conv1"), pool(name="pool1"),
        *block(128, 2, name="conv2"), pool(name="pool2"),
        *block(256, 3, name="conv3"), pool(name="pool3"),
        *block(512, 3, name="conv4"), pool(name="pool4"),
        *block(512, 3, name="conv5"), pool(name="pool5"),
    ]
    for layer in base:
        layer.trainable = False
    image = keras.Input((224, 224, 3))
    return Sequential([image, *base, layers.Flatten(), softmax(2, name="predictions")])


def conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    return norm()(layers.Conv2D(maps, kernel, stride, padding="same")(x))


def bottleneck(x: KerasTensor, width: int, stride: int) -> KerasTensor:
    x = layers.ReLU()(conv_bn(x, width, 1, stride))
    x = layers.ReLU()(conv_bn(x, width, 3))
    return conv_bn(x, 4 * width, 1)


def stage(x: KerasTensor, width: int, blocks: int, stride: int, name: str) -> KerasTensor:
    shortcut = conv_bn(x, 4 * width, 1, stride)
    for left in reversed(range(blocks)):
        x = layers.Add()([bottleneck(x, width, stride), shortcut])
        x = shortcut = layers.ReLU(name=None if left else name)(x)
        stride = 1
    return x


def resnet50_base(name: str) -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(64, 7, strides=2)(layers.ZeroPadding2D(3)(image))
    x = layers.ReLU(name="conv1")(norm()(x))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    x = stage(x, 64, 3, stride=1, name="conv2_x")
    x = stage(x, 128, 4, stride=2, name="conv3_x")
    x = stage(x, 256, 6, stride=2, name="conv4_x")
    x = stage(x, 512, 3, stride=2, name="conv5_x")
    return keras.Model(image, x, name=name)


def resnet50() -> keras.Model:
    base = resnet50_base(name="resnet")
    base.trainable = False
    return Sequential([
        keras.Input((224, 224, 3)), base,
        layers.GlobalAveragePooling2D(), softmax(2, name="predictions"),
    ])


def cifar100() -> keras.Model:
    base = resnet50_base(name="resnet")
    for layer in base.layers:
        layer.trainable = isinstance(layer, layers.BatchNormalization)
    return Sequential([
        keras.Input((32, 32, 3)),
        layers.UpSampling2D(), layers.UpSampling2D(), layers.UpSampling2D(name="upsample"),
        base,
        layers.GlobalAveragePooling2D(name="avgpool"),
        layers.Dense(256, activation="relu", name="fc1"),
        layers.Dropout(0.25, name="dropout"),
        norm(name="norm1"),
        softmax(100, name="predictions"),
    ])


MODELS = {
    "Notebook-VGG16": vgg16,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
