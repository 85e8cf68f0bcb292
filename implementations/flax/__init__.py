"""The networks in Flax NNX; every factory takes ``rngs``, the weights' random streams."""

REQUIRES = ("flax", "jax")
