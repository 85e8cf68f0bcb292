"""Mistakes of carrying weights over, the same in every framework.

Each changes what a small network stores, read and written under ``layer.slot`` in neutral layout:
kernels of a convolution as height, width, inputs, outputs, those of a dense layer as inputs,
outputs, whose inputs are flattened as height, width, channels.  A framework's ``pairs.py`` has the
network, ``stem norm hidden output``, and opens what it stores.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Stored(Protocol):
    """What a network of a framework stores, opened."""

    def __getitem__(self, name: str) -> np.ndarray: ...

    def __setitem__(self, name: str, array: np.ndarray) -> None: ...


STEM, HIDDEN, OUTPUT = "stem.kernel", "hidden.kernel", "output.kernel"


def in_for_out(stored: Stored) -> None:
    stored[OUTPUT] = stored[OUTPUT].T


def inputs_in_another_order(stored: Stored) -> None:
    kernel = stored[HIDDEN]
    side = round((len(kernel) // 16) ** 0.5)
    turned = kernel.reshape(side, side, 16, -1).transpose(2, 0, 1, 3)
    stored[HIDDEN] = turned.reshape(kernel.shape)


def mirrored_kernel(stored: Stored) -> None:
    stored[STEM] = stored[STEM][::-1, ::-1]


def width_for_height(stored: Stored) -> None:
    stored[STEM] = stored[STEM].transpose(1, 0, 2, 3)


def blue_for_red(stored: Stored) -> None:
    stored[STEM] = stored[STEM][:, :, ::-1]


def channels_reordered(stored: Stored) -> None:
    stored[STEM] = stored[STEM][..., ::-1]
    stored["stem.bias"] = stored["stem.bias"][::-1]


def scaled_by_255(stored: Stored) -> None:
    stored[STEM] = stored[STEM] / 255


def half_precision(stored: Stored) -> None:
    stored[STEM] = stored[STEM].astype(np.float16)


def one_entry(stored: Stored) -> None:
    kernel = stored[STEM].copy()
    kernel[1, 2, 0, 5] += 1
    stored[STEM] = kernel


def deviation_for_variance(stored: Stored) -> None:
    stored["norm.variance"] = np.sqrt(stored["norm.variance"])


def mean_for_variance(stored: Stored) -> None:
    mean, variance = stored["norm.mean"], stored["norm.variance"]
    stored["norm.mean"], stored["norm.variance"] = variance, mean


def gamma_for_beta(stored: Stored) -> None:
    gamma, beta = stored["norm.gamma"], stored["norm.beta"]
    stored["norm.gamma"], stored["norm.beta"] = beta, gamma


def gammas_not_loaded(stored: Stored) -> None:
    stored["norm.gamma"] = np.ones_like(stored["norm.gamma"])


def bias_not_loaded(stored: Stored) -> None:
    stored["hidden.bias"] = np.zeros_like(stored["hidden.bias"])


def broken_entry(stored: Stored) -> None:
    gamma = stored["norm.gamma"].copy()
    gamma[3] = np.nan
    stored["norm.gamma"] = gamma


def folded(trained: Stored, plain: Stored, epsilon: float, slip: str = "") -> None:
    """Fold the norm of a network into the stem of one that has none, with a slip."""
    mean = trained["norm.mean"] - trained["stem.bias"]
    scale = 1 / np.sqrt(trained["norm.variance"] + (0.0 if slip == "epsilon" else epsilon))
    scale = scale * trained["norm.gamma"]
    plain[STEM] = trained[STEM] * scale
    plain["stem.bias"] = trained["norm.beta"] - (mean if slip == "mean" else mean * scale)
    for name in (HIDDEN, "hidden.bias", OUTPUT, "output.bias"):
        plain[name] = trained[name]
