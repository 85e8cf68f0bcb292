"""Keras 3 models, whichever backend Keras computes with here."""

LIBRARY = "keras"


def base(model: object) -> type | None:
    """The class of Keras's that a model is an instance of, if there is one."""
    import keras

    return keras.Layer if isinstance(model, keras.Layer) else None
