"""Dropout, judged by a mask that keeps everything."""

from __future__ import annotations

import numpy as np

from conformance.kinds.experiment import Altered, Trial
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Kind, same


def rate(t: Trial) -> Altered:
    """What is kept is divided by 1 - rate."""
    share = float(np.vdot(t.found, t.x) / np.vdot(t.x, t.x))
    if share:
        words = f"the rate is {{}}, not {t.node.attributes['rate']:g}"
        yield from t.fitted(1 - 1 / share, lambda r: t.run(rate=r), words)


DROPOUT = Kind(
    name="dropout",
    attributes="rate",
    optional="drops",
    # What is kept is scaled, so that the rate is seen.
    forward=lambda o, node, slots, x: x / x.dtype.type(1 - node.attributes["rate"]),
    adjoint=lambda step, g: ([g / g.dtype.type(1 - step.node.attributes["rate"])], {}),
    reads="",
    spread=same,
    altered=("not scaled", lambda t: t.x),
    causes=(left_out,),
    fitted=(rate,),
    written=lambda node: f"dropout {node.attributes['rate']:g}",
    traits="passing",
)
