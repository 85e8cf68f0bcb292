"""The networks in Keras 3, for any backend: ``MODELS`` of each file maps a name to a factory."""

import os
from importlib.util import find_spec

_USUAL, *_OTHERS = "tensorflow", "jax", "torch"
_FOUND = [name for name in (_USUAL, *_OTHERS) if find_spec("keras") and find_spec(name)]
#: What Keras computes with: by the variable that it reads itself, or the first that is installed.
_CHOSEN = os.environ.get("KERAS_BACKEND") or [*_FOUND, _USUAL][0]
REQUIRES = ("keras", _CHOSEN)
#: Where it is not the usual one: then runs and extras are called after it.
BACKEND = "" if _CHOSEN == _USUAL else _CHOSEN
if BACKEND:  # left alone, Keras would look for the usual one
    os.environ["KERAS_BACKEND"] = BACKEND
