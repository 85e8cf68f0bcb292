"""Kernels of a few weights an output: made, multiplied with, and written out.

A product with them costs a few copies of the map, so that a network is computed faster than one
of its layers is with the whole kernel.  Maps are channels x height x width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.graph.model import Node
from conformance.kinds.arrays import pad
from conformance.numbers.steps import vector


@dataclass(frozen=True)
class Kernel:
    """Where each output reads and with which weight; all arrays are taps x outputs.

    ``channels`` count over all groups.  A weight of 0 is a tap that is not used.
    """

    rows: np.ndarray
    columns: np.ndarray
    channels: np.ndarray
    weights: np.ndarray

    def dense(self, shape: tuple[int, ...]) -> np.ndarray:
        """The whole kernel, height x width x inputs x outputs, or inputs x outputs."""
        whole = np.zeros(shape if len(shape) == 4 else (1, 1, *shape))
        outputs = np.broadcast_to(np.arange(shape[-1]), self.weights.shape)
        place = self.rows, self.columns, self.channels % shape[-2], outputs
        np.add.at(whole, place, self.weights)
        return whole.reshape(shape)

    def product(self, node: Node, x: np.ndarray) -> np.ndarray:
        """What a convolution or a dense layer makes of a map, before its bias."""
        height, width = node.shape[:2] if len(node.shape) == 3 else (1, 1)
        (up, right), (down, across) = (1, 1), (1, 1)
        if node.kind == "dense":
            x = vector(x)
        else:
            a = node.attributes
            x, (up, right), (down, across) = pad(x, a["padding"]), a["stride"], a["dilation"]
        result = np.zeros((self.weights.shape[1], height, width), np.float32)
        for rows, columns, channels, weights in zip(
            self.rows, self.columns, self.channels, self.weights.astype(np.float32), strict=True
        ):
            places = rows << 16 | columns
            for place in np.unique(places[weights != 0]):
                outputs = np.flatnonzero((places == place) & (weights != 0))
                top, left = (place >> 16) * down, (place & 0xFFFF) * across
                read = x[
                    channels[outputs],
                    top : top + (height - 1) * up + 1 : up,
                    left : left + (width - 1) * right + 1 : right,
                ]
                result[outputs] += read * weights[outputs, None, None]
        return result

    def without_doubles(self) -> Kernel:
        """The same where no two taps of an output are one: the later of them is not used."""
        weights = self.weights.copy()
        for tap in range(1, len(weights)):
            for other in range(tap):
                same = [
                    each[tap] == each[other] for each in (self.rows, self.columns, self.channels)
                ]
                weights[tap][np.all(same, axis=0)] = 0
        return Kernel(self.rows, self.columns, self.channels, weights)
