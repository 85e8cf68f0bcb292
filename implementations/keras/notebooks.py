"""The networks that the notebooks of a tutorial on these architectures build.

They are the notebooks' own code in Keras 3; softmax and sigmoid are part of them.  The two
transfer models take two classes, and their trained bases are frozen as the notebooks do it.
Their ResNet-50 is that of keras_applications 1.0: biases in all convolutions, epsilon 1e-3, the
stride on a block's first convolution.  In training Keras 3 keeps a frozen batch norm at its running
statistics; the notebooks' TensorFlow 1.13 did not.
"""

import keras
from keras import KerasTensor, Sequential, layers

from .resnet import max_pool
from .vgg import THREE, TWO, convolutions


def lenet() -> keras.Model:
    return Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(16, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(),
            layers.Dense(120, activation="relu", name="fc3"),
            layers.Dense(84, activation="relu", name="fc4"),
            layers.Dense(10, activation="softmax", name="fc5"),
        ]
    )


def dense_dropout(units: int, name: str) -> keras.Model:
    return Sequential([layers.Dense(units, activation="relu"), layers.Dropout(0.4)], name=name)


def alexnet() -> keras.Model:
    return Sequential(
        [
            keras.Input((224, 224, 3)),
            layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.BatchNormalization(name="norm1"),
            layers.Conv2D(256, 11, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.BatchNormalization(name="norm2"),
            layers.Conv2D(384, 3, activation="relu", name="conv3"),
            layers.BatchNormalization(name="norm3"),
            layers.Conv2D(384, 3, activation="relu", name="conv4"),
            layers.BatchNormalization(name="norm4"),
            layers.Conv2D(256, 3, activation="relu", name="conv5"),
            layers.MaxPooling2D(2, name="pool5"),
            layers.BatchNormalization(name="norm5"),
            layers.Flatten(),
            dense_dropout(4096, name="fc6"),
            layers.BatchNormalization(name="norm6"),
            dense_dropout(4096, name="fc7"),
            layers.BatchNormalization(name="norm7"),
            dense_dropout(1000, name="fc8"),
            layers.BatchNormalization(name="norm8"),
            layers.Dense(17, activation="softmax", name="fc9"),
        ]
    )


def vgg16() -> keras.Model:
    image = keras.Input((224, 224, 3))
    base = keras.Model(image, convolutions(image, TWO, TWO, THREE, THREE, THREE))
    for layer in base.layers:
        layer.trainable = False
    x = layers.Flatten()(base.output)
    return keras.Model(image, layers.Dense(2, activation="softmax", name="predictions")(x))


def cats_and_dogs() -> keras.Model:
    return Sequential(
        [
            keras.Input((150, 150, 3)),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(128, 3, activation="relu", name="conv3"),
            layers.MaxPooling2D(2, name="pool3"),
            layers.Conv2D(128, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(2, name="pool4"),
            layers.Dropout(0.5, name="dropout"),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="fc5"),
            layers.Dense(1, activation="sigmoid", name="fc6"),
        ]
    )


def conv_bn(x: KerasTensor, maps: int, kernel: int, stride: int = 1) -> KerasTensor:
    return layers.BatchNormalization()(layers.Conv2D(maps, kernel, stride, padding="same")(x))


def stage(x: KerasTensor, width: int, blocks: int, stride: int, name: str) -> KerasTensor:
    shortcut = conv_bn(x, 4 * width, 1, stride)
    for left in reversed(range(blocks)):
        x = layers.ReLU()(conv_bn(x, width, 1, stride))
        x = layers.ReLU()(conv_bn(x, width, 3))
        x = layers.Add()([conv_bn(x, 4 * width, 1), shortcut])
        x = shortcut = layers.ReLU(name=None if left else name)(x)
        stride = 1
    return x


def resnet50_base(name: str | None = None) -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(64, 7, strides=2)(layers.ZeroPadding2D(3)(image))
    x = layers.ReLU(name="conv1")(layers.BatchNormalization()(x))
    x = stage(max_pool(x), 64, 3, stride=1, name="conv2_x")
    x = stage(x, 128, 4, stride=2, name="conv3_x")
    x = stage(x, 256, 6, stride=2, name="conv4_x")
    x = stage(x, 512, 3, stride=2, name="conv5_x")
    return keras.Model(image, x, name=name)


def resnet50() -> keras.Model:
    base = resnet50_base()
    base.trainable = False
    image = keras.Input((224, 224, 3))
    x = layers.GlobalAveragePooling2D()(base(image))
    return keras.Model(image, layers.Dense(2, activation="softmax", name="predictions")(x))


def cifar100() -> keras.Model:
    base = resnet50_base(name="resnet")
    for layer in base.layers:
        layer.trainable = isinstance(layer, layers.BatchNormalization)
    return Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.UpSampling2D(),
            layers.UpSampling2D(),
            layers.UpSampling2D(name="upsample"),
            base,
            layers.GlobalAveragePooling2D(name="avgpool"),
            layers.Dense(256, activation="relu", name="fc1"),
            layers.Dropout(0.25, name="dropout"),
            layers.BatchNormalization(name="norm1"),
            layers.Dense(100, activation="softmax", name="predictions"),
        ]
    )


MODELS = {
    "Notebook-LeNet": lenet,
    "Notebook-AlexNet": alexnet,
    "Notebook-VGG16": vgg16,
    "Notebook-CatsDogs": cats_and_dogs,
    "Notebook-ResNet50": resnet50,
    "Notebook-CIFAR100": cifar100,
}
