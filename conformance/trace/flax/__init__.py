"""Flax: an NNX or Linen module, built and traced on shapes alone."""

LIBRARY = "flax"


def base(model: object) -> type | None:
    """The class of Flax's that a model is an instance of, if there is one."""
    from flax import linen, nnx

    return next((kind for kind in (nnx.Module, linen.Module) if isinstance(model, kind)), None)
