"""The networks of keras.applications."""

from functools import partial
from importlib import import_module
from typing import Any

from tests.selftest.strangers import Stranger

SOFTMAX = "with softmax"
IDLE = "without dropout"
MOMENTUM = "Keras' momentum"


def application(name: str, **options: Any) -> Any:
    """A network of keras.applications, without weights."""
    return getattr(import_module("keras.applications"), name)(weights=None, **options)


def of(name: str, architecture: str, *variants: str, **options: Any) -> Stranger:
    return Stranger("keras", partial(application, name, **options), architecture, variants)


STRANGERS: dict[str, Stranger] = {
    "VGG16": of("VGG16", "VGG-D", SOFTMAX, IDLE),
    "ResNet50": of("ResNet50", "ResNet-50", "Keras", MOMENTUM, SOFTMAX),
    "ResNet50, no top": of(
        "ResNet50", "ResNet-50", "Keras", MOMENTUM, "without top",
        include_top=False, input_shape=(224, 224, 3),
    ),
    "InceptionV3": of(
        "InceptionV3", "Inception-v3", "without gamma", MOMENTUM, SOFTMAX, IDLE,
        "without auxiliary heads",
    ),
    "InceptionResNetV2": of(
        "InceptionResNetV2", "Inception-ResNet-v2", "without gamma", MOMENTUM, SOFTMAX, IDLE,
    ),
}  # fmt: skip
