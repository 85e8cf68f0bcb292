"""LeNet-5, after LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
Recognition" (1998), section II.B.

Input 32x32x1.  The output is the squared distance to each class's code: the smallest wins.
The paper shows its 7x12 bitmaps (figure 3) and lists no bits; ours are drawn below.

"LeNet-5-table" is what a common summary table makes of it: averages without weights in place of
the subsampling, all maps of S2 in every map of C3, tanh unscaled, softmax at the end.
"""

import keras
from keras import KerasTensor, layers, ops

# Table I: the maps of S2 that each map of C3 takes.
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)

DIGITS = """
..###.. ...##.. ..###.. .#####. ....##. ####### ..####. ####### ..###.. ..###..
.##.##. ..###.. .##.##. ##...## ...###. ##..... .##.... ##...## .##.##. .##.##.
##...## .####.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. .....## ....##. .##.##. ######. ##.###. ....##. .##.##. ##...##
##...## ...##.. ....##. ..###.. ##..##. ##...## ###..## ...##.. ..###.. .##.###
##...## ...##.. ...##.. ....##. ##..##. .....## ##...## ...##.. .##.##. ..##.##
##...## ...##.. ..##... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. ##...## ##...## .##.... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. .##.##. .##.##. .##.... .##.##. ....##.
..###.. .###### ####### .#####. ....##. ..###.. ..###.. .##.... ..###.. .####..
"""


def codes() -> list[list[float]]:
    """A row of 84 values -1 (white) or +1 (black) for each digit."""
    digits = zip(*(line.split() for line in DIGITS.split("\n") if line), strict=True)
    return [[1.0 if bit == "#" else -1.0 for bit in "".join(rows)] for rows in digits]


def squash(x: KerasTensor) -> KerasTensor:
    return 1.7159 * ops.tanh(2 / 3 * x)


class Subsampling(layers.Layer):
    """A coefficient times the sum of four, plus a bias."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.coefficient = self.add_weight(shape=shape[-1:], initializer="ones", name="coefficient")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")

    def call(self, x: KerasTensor) -> KerasTensor:
        total = 4 * ops.average_pool(x, pool_size=2, strides=2)
        return self.coefficient * total + self.bias


def partial_connection(
    x: KerasTensor, table: tuple[tuple[int, ...], ...], kernel: int
) -> KerasTensor:
    """A convolution for each output map, on the input maps that a table gives it."""
    maps = [layers.Conv2D(1, kernel)(ops.take(x, inputs, axis=-1)) for inputs in table]
    return layers.Concatenate()(maps)


class RadialBasis(layers.Layer):
    """Squared distances to codes that are not trained."""

    def __init__(self, codes: list[list[float]], **kwargs: str) -> None:
        super().__init__(**kwargs)
        self.codes = self.add_weight(
            shape=(len(codes), len(codes[0])),
            initializer=keras.initializers.Constant(codes),
            trainable=False,
            name="codes",
        )

    def call(self, x: KerasTensor) -> KerasTensor:
        return ops.sum(ops.square(ops.expand_dims(x, 1) - self.codes), axis=-1)


def lenet() -> keras.Model:
    image = keras.Input((32, 32, 1))
    x = layers.Conv2D(6, 5, activation=squash, name="C1")(image)
    x = layers.Activation(squash, name="S2")(Subsampling()(x))
    x = layers.Activation(squash, name="C3")(partial_connection(x, C3_TABLE, 5))
    x = layers.Activation(squash, name="S4")(Subsampling()(x))
    x = layers.Conv2D(120, 5, activation=squash, name="C5")(x)
    x = layers.Dense(84, activation=squash, name="F6")(layers.Flatten()(x))
    return keras.Model(image, RadialBasis(codes(), name="output")(x))


def lenet_table() -> keras.Model:
    image = keras.Input((32, 32, 1))
    x = layers.Conv2D(6, 5, activation="tanh", name="C1")(image)
    x = layers.Activation("tanh", name="S2")(layers.AveragePooling2D(2)(x))
    x = layers.Conv2D(16, 5, activation="tanh", name="C3")(x)
    x = layers.Activation("tanh", name="S4")(layers.AveragePooling2D(2)(x))
    x = layers.Conv2D(120, 5, activation="tanh", name="C5")(x)
    x = layers.Dense(84, activation="tanh", name="F6")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax", name="output")(x))


MODELS = {"LeNet-5": lenet, "LeNet-5-table": lenet_table}
