"""The networks in Keras 3, for any backend: ``MODELS`` of each file maps a name to a factory."""

import os
from importlib.util import find_spec

#: What Keras can compute with here, the usual one first.
_BACKENDS = ("tensorflow", "jax", "torch")
#: What it computes with: by the variable that Keras itself reads, or the first that is installed.
_CHOSEN = os.environ.get("KERAS_BACKEND") or next(filter(find_spec, _BACKENDS), _BACKENDS[0])
REQUIRES = ("keras", _CHOSEN)
#: Where it is not the usual one: then runs and extras are called after it.
BACKEND = "" if _CHOSEN == _BACKENDS[0] else _CHOSEN
if BACKEND:  # Keras would look for the usual one
    os.environ["KERAS_BACKEND"] = BACKEND
