"""TensorFlow and Keras without JAX, which some of their modules import wherever it is installed.

That takes half a second; neither needs it for a network, and a port that imports JAX still gets it.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

#: What converts models of JAX's for small devices, and what stores checkpoints as JAX does.
CURIOUS = ("tensorflow.lite.python.util", "keras.src.callbacks.orbax_checkpoint")


class Alone(MetaPathFinder):
    """Finds nothing, and no JAX for modules that can do without."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if name == "jax" and any(map(_begun, CURIOUS)):
            raise ModuleNotFoundError("TensorFlow is imported without JAX", name=name)


def _begun(name: str) -> bool:
    """Whether a module is being imported."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))
