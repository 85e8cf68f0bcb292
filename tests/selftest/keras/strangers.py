"""The networks of keras.applications, and a LeNet and a VGG as they are taught."""

from functools import partial
from importlib import import_module
from typing import Any

from tests.selftest.rows import Stranger

TAUGHT = "ReLU", "max pooling", "on 28x28, padded"
SOFTMAX = "with softmax"
IDLE = "without dropout"
MOMENTUM = "Keras' momentum"


def application(name: str, **options: Any) -> Any:
    """A network of keras.applications, without weights."""
    return getattr(import_module("keras.applications"), name)(weights=None, **options)


def lenet(side: int = 5, dense: bool = False) -> Any:
    """LeNet-5 for MNIST, as tutorials on Keras have it, most of them with a dense C5."""
    keras = import_module("keras")
    layers = keras.layers
    return keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(6, side, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(),
        *((layers.Flatten(), layers.Dense(120, activation="relu")) if dense
          else (layers.Conv2D(120, 5, activation="relu"), layers.Flatten())),
        layers.Dense(84, activation="relu"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


VGG_A = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)


def vgg(odd: int = 0) -> Any:
    """VGG-A for CIFAR, its norms behind the ReLUs, but for that of ``odd`` maps."""
    keras = import_module("keras")
    layers = keras.layers
    steps: list[Any] = [layers.Input((32, 32, 3))]
    for width in VGG_A:
        if not width:
            steps.append(layers.MaxPooling2D(2))
            continue
        relu, norm = layers.Activation("relu"), layers.BatchNormalization()
        steps += [layers.Conv2D(width, 3, padding="same")]
        steps += [norm, relu] if width == odd else [relu, norm]
    return keras.Sequential([*steps, layers.Flatten(), layers.Dense(10)])


def taught(name: str, *given: Any) -> Any:
    """A network of :mod:`.taught`, which imports Keras."""
    return getattr(import_module("tests.selftest.keras.taught"), name)(*given)


def of(name: str, architecture: str, *variants: str, **options: Any) -> Stranger:
    return Stranger("keras", partial(application, name, **options), architecture, variants)


STRANGERS: dict[str, Stranger] = {
    "VGG16": of("VGG16", "VGG-D", SOFTMAX, IDLE),
    "ResNet50": of("ResNet50", "ResNet-50", "Keras", MOMENTUM, SOFTMAX),
    "ResNet50, no top": of(
        "ResNet50", "ResNet-50", "Keras", MOMENTUM, "without top",
        include_top=False, input_shape=(224, 224, 3),
    ),
    "ResNet50, averaged": of(
        "ResNet50", "ResNet-50", "Keras", MOMENTUM, "without top, averaged",
        include_top=False, pooling="avg", input_shape=(224, 224, 3),
    ),
    "VGG16, averaged": of(
        "VGG16", "VGG-D", "without top, averaged", include_top=False, pooling="avg",
        input_shape=(224, 224, 3),
    ),
    "InceptionV3": of(
        "InceptionV3", "Inception-v3", "without gamma", MOMENTUM, SOFTMAX, IDLE,
        "without auxiliary heads",
    ),
    "InceptionResNetV2": of(
        "InceptionResNetV2", "Inception-ResNet-v2", "without gamma", MOMENTUM, SOFTMAX, IDLE,
    ),
    "LeNet on MNIST": Stranger("keras", lenet, "LeNet-5-table", TAUGHT, size=(28, 28, 1)),
    "LeNet on MNIST, dense C5": Stranger(
        "keras", partial(lenet, dense=True), "LeNet-5-table", TAUGHT, numbers=True,
        size=(28, 28, 1),
    ),
    "VGG-11 for CIFAR": Stranger(
        "keras", vgg, "VGG-A",
        ("batch norm behind every ReLU", "one dense layer", "other classes", "for 32x32 images"),
        size=(32, 32, 3),
    ),
    "ResNet-20 of Keras' example": Stranger(
        "keras", partial(taught, "resnet20"), "ResNet-20-CIFAR",
        ("Keras' norms", "biases before batch norm", "projections without norms", "same padding",
         SOFTMAX), numbers=True,
    ),
    "VGG-16 of cifar-vgg": Stranger(
        "keras", partial(taught, "cifar_vgg"), "VGG-D",
        ("batch norm behind every ReLU", "batch norm behind the ReLUs of the classifier",
         "dropout between convolutions", "more dropout", "dense layers of 512",
         "one hidden dense layer", "other classes", SOFTMAX, "for 32x32 images"),
    ),
    "AlexNet, norms behind every ReLU": Stranger(
        "keras", partial(taught, "alexnet", 227, "valid", 5), "AlexNet",
        ("batch norm behind every ReLU", "dropout behind", SOFTMAX),
    ),
    "AlexNet on 224x224, same padding, two norms": Stranger(
        "keras", partial(taught, "alexnet", 224, "same", 2), "AlexNet",
        ("batch norm for normalisation", "on 224x224, same padding", "dropout behind", SOFTMAX),
    ),
    "VGG16 that declares 100x90": of(
        "VGG16", "VGG-D", "without top", include_top=False, input_shape=(100, 90, 3)
    ),
    "VGG16 of one class": of(
        "VGG16", "VGG-D", "one class", IDLE, classes=1, classifier_activation="sigmoid"
    ),
}  # fmt: skip

OTHERS: dict[str, Stranger] = {
    "LeNet on MNIST, no tanh behind its pools": Stranger(
        "keras", partial(taught, "lenet"), "LeNet-5-table", size=(28, 28, 1)
    ),
    "LeNet on MNIST, 3x3 in C1": Stranger(
        "keras", partial(lenet, 3), "LeNet-5-table", size=(28, 28, 1)
    ),
    "VGG-11 for CIFAR, one norm in front": Stranger(
        "keras", partial(vgg, 128), "VGG-A", size=(32, 32, 3)
    ),
    "LeNet of tanh, squashed behind one pool": Stranger(
        "keras", partial(taught, "lenet", (True, False)), "LeNet-5-table", size=(28, 28, 1)
    ),
    "ResNet-20 of Keras' example, one epsilon of PyTorch's": Stranger(
        "keras", partial(taught, "resnet20", lambda number: 1e-5 if number == 9 else 1e-3),
        "ResNet-20-CIFAR",
    ),
    "VGG-16 of cifar-vgg, much dropped": Stranger(
        "keras", partial(taught, "cifar_vgg", 0.95), "VGG-D", size=(32, 32, 3)
    ),
    "AlexNet, a norm too few": Stranger(
        "keras", partial(taught, "alexnet", 227, "valid", 4), "AlexNet"
    ),
}  # fmt: skip
