"""The nonlinear functions that stand in each other's place."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, pi, sqrt

import numpy as np

error_function = np.vectorize(erf, otypes=[float])


def normal(x: np.ndarray) -> np.ndarray:
    """The share of a standard normal variable that lies below."""
    return np.asarray((1 + error_function(x / sqrt(2))) / 2)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    """Hendrycks and Gimpel, arXiv:1606.08415, section 2."""
    return x / 2 * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))


def _leaky(slope: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x > 0, x, slope * x)


#: The slopes are the defaults of PyTorch, Keras 2 and 3 and TensorFlow, and Darknet's.
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky relu (slope 0.01)": _leaky(0.01),
    "leaky relu (slope 0.1)": _leaky(0.1),
    "leaky relu (slope 0.2)": _leaky(0.2),
    "leaky relu (slope 0.3)": _leaky(0.3),
    "silu (swish)": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * normal(x),
    "gelu (by tanh)": _gelu_by_tanh,
    "elu": elu,
    # Klambauer et al., arXiv:1706.02515, equation 2.
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "hard tanh": lambda x: np.clip(x, -1, 1),
    "hard sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard sigmoid (of Keras 2)": lambda x: np.clip(x / 5 + 0.5, 0, 1),
    "hard swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    # LeCun et al. 1998, appendix A.
    "1.7159 tanh(2x/3)": lambda x: 1.7159 * np.tanh(2 * x / 3),
    "the absolute value": np.abs,
    "the square": np.square,
}
