"""The networks in Keras 3, for any backend: ``MODELS`` of each file maps a name to a factory."""

REQUIRES = ("keras", "tensorflow")
