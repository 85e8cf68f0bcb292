"""ResNet-20 for CIFAR-10 in Keras."""

import keras
from keras import layers


def conv_bn(x, width, stride=1):
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(width, 3, stride, use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def block(x, width, stride):
    y = conv_bn(layers.ReLU()(conv_bn(x, width, stride)), width)
    if stride > 1:  # option A: every second pixel, and maps of zeros
        more = width - x.shape[-1]
        x = keras.ops.pad(x[:, ::stride, ::stride], [(0, 0), (0, 0), (0, 0), (0, more)])
    return layers.ReLU()(layers.Add()([x, y]))


def resnet20():
    images = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_bn(images, 16))
    for width, strides in ((16, (1, 1, 1)), (32, (2, 1, 1)), (64, (2, 1, 1))):
        for stride in strides:
            x = block(x, width, stride)
    return keras.Model(images, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
