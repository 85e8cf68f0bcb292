"""The networks in Keras 3, for any backend: ``MODELS`` of each file maps a name to a factory."""

import os

#: What Keras computes with, by the variable that Keras itself reads.
BACKEND = os.environ.get("KERAS_BACKEND") or "tensorflow"
REQUIRES = ("keras", BACKEND)
EXTRA = "keras" if BACKEND == "tensorflow" else f"keras-{BACKEND}"
