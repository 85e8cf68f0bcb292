"""JAX: a pair ``(apply, variables)`` of any library, as a jaxpr read equation by equation."""

LIBRARY = "jax"


def base(model: object) -> type | None:
    """The type of a pair whose first is called with its second and images."""
    pair = isinstance(model, tuple) and len(model) == 2 and callable(model[0])
    return tuple if pair else None
