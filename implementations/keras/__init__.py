"""The networks in Keras 3, for any backend: ``MODELS`` of each file maps a name to a factory."""

import os

#: What Keras computes with, by the variable that Keras itself reads.
_CHOSEN = os.environ.get("KERAS_BACKEND") or "tensorflow"
REQUIRES = ("keras", _CHOSEN)
#: Where it is not the usual one: then runs and extras are called after it.
BACKEND = "" if _CHOSEN == "tensorflow" else _CHOSEN
