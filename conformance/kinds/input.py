"""The image."""

from __future__ import annotations

from conformance.kinds.kind import Kind, Spread

INPUT = Kind(
    name="input",
    optional="layout",
    forward=lambda o, node, slots: o.image,
    adjoint=lambda step, g: ([], {}),
    reads="",
    spread=lambda node: Spread(0.0, 1.0),
    altered=("channels in reverse order", lambda t: t.oracle.image[..., ::-1]),
    causes=(),
    written=None,
    traits="end",
)
