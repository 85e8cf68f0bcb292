"""The networks in PyTorch: modules compose."""

REQUIRES = ("torch",)
