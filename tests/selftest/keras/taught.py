"""Networks as courses, examples and well-known repositories write them in Keras."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

#: Widths of VGG-D's convolutions and the rate of the dropout behind each; an empty row is a pool.
CIFAR_VGG: tuple[tuple[float, ...], ...] = (
    (64, 0.3), (64, 0), (), (128, 0.4), (128, 0), (),
    (256, 0.4), (256, 0.4), (256, 0), (), (512, 0.4), (512, 0.4), (512, 0), (),
    (512, 0.4), (512, 0.4), (512, 0), (),
)  # fmt: skip


def lenet(squashed: tuple[bool, bool] = (False, False)) -> keras.Model:
    """LeNet-5 of tanh and average pools, perhaps with the paper's function behind a pool."""
    first, second = ([layers.Activation("tanh")] * each for each in squashed)
    return keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="tanh"), layers.AveragePooling2D(2), *first,
        layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2), *second,
        layers.Flatten(), layers.Dense(120, activation="tanh"),
        layers.Dense(84, activation="tanh"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


def resnet20(epsilon: Callable[[int], float] = lambda number: 1e-3) -> keras.Model:
    """resnet_v1 of examples/cifar10_resnet.py; the norms are counted to give each an epsilon."""
    count = iter(range(100))

    def conv(x: Any, width: int, size: int = 3, stride: int = 1) -> Any:
        return layers.Conv2D(width, size, stride, padding="same")(x)

    def norm(x: Any) -> Any:
        return layers.BatchNormalization(epsilon=epsilon(next(count)))(x)

    image = layers.Input((32, 32, 3))
    x = layers.ReLU()(norm(conv(image, 16)))
    for stage, width in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            y = layers.ReLU()(norm(conv(x, width, 3, stride)))
            y = norm(conv(y, width))
            x = layers.ReLU()(layers.add([y, x if stride == 1 else conv(x, width, 1, stride)]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def cifar_vgg(last: float = 0.5) -> keras.Model:
    """VGG-16 of geifmany/cifar-vgg, its last dropout of some rate."""
    steps: list[Any] = [layers.Input((32, 32, 3))]
    for row in CIFAR_VGG:
        if not row:
            steps.append(layers.MaxPooling2D(2))
            continue
        width, rate = row
        steps.append(layers.Conv2D(int(width), 3, padding="same", activation="relu"))
        steps.append(layers.BatchNormalization())
        steps += [layers.Dropout(rate)] if rate else []
    return keras.Sequential([
        *steps, layers.Dropout(0.5), layers.Flatten(),
        layers.Dense(512, activation="relu"), layers.BatchNormalization(), layers.Dropout(last),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


def alexnet(side: int, padding: str, normed: int) -> keras.Model:
    """AlexNet with batch norms behind the first ReLUs, so many."""

    def conv(number: int, width: int, size: int, stride: int = 1, padding: str = "same") -> Any:
        made = layers.Conv2D(width, size, stride, padding=padding, activation="relu")
        return [made] + [layers.BatchNormalization()] * (number <= normed)

    def pool() -> Any:
        return layers.MaxPooling2D(3, 2)

    def hidden() -> Any:
        return [layers.Dense(4096, activation="relu"), layers.Dropout(0.5)]

    return keras.Sequential([
        layers.Input((side, side, 3)),
        *conv(1, 96, 11, 4, padding), pool(), *conv(2, 256, 5), pool(),
        *conv(3, 384, 3), *conv(4, 384, 3), *conv(5, 256, 3), pool(), layers.Flatten(),
        *hidden(), *hidden(), layers.Dense(1000, activation="softmax"),
    ])  # fmt: skip
