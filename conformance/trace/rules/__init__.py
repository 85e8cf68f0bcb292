"""What every operation of the tape means: importing a file adds its rules.

Rules of one operation are tried in this order, and within a file from the top.
"""

from conformance.trace.rules import affine, algebra, convolution, layers, layout, pooling

__all__ = ["affine", "algebra", "convolution", "layers", "layout", "pooling"]
