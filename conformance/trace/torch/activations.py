"""The aten operators that are a function of each number; see :mod:`.operators`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from conformance.trace import composed
from conformance.trace.tape import Tape
from conformance.trace.torch.layout import Translation, of_one

if TYPE_CHECKING:
    from conformance.trace.torch.recorder import Recorder, Value


def gelu(
    recorder: Recorder, outputs: list[Tensor], x: Tensor, approximate: str = "none"
) -> int:  # fmt: skip
    """A number times the share of a normal variable below it, or that by a tanh."""
    write = composed.FORMULAS["gelu"] if approximate == "none" else composed.gelu_by_tanh
    return write(recorder.tape, recorder.of(x))


def softplus(tape: Tape, x: int, beta: float = 1, threshold: float = 20) -> int | None:
    """The smooth rectifier; above the threshold it is the number itself, to single precision."""
    return tape.elementwise("softplus", x) if beta == 1 and threshold >= 15 else None


def log_sigmoid(recorder: Recorder, outputs: list[Tensor], x: Tensor) -> list[Value]:
    """The logarithm of the logistic function, and a buffer for the way back."""
    return [composed.FORMULAS["log sigmoid"](recorder.tape, recorder.of(x)), None]


def prelu(recorder: Recorder, outputs: list[Tensor], x: Tensor, slope: Tensor) -> int:
    """A rectifier that lets a learned share of what is negative through."""
    tape, value = recorder.tape, recorder.of(x)
    above = tape.elementwise("greater", value, tape.constant(0.0))
    return tape.select(above, value, tape.elementwise("mul", value, recorder.of(slope)))


ACTIVATIONS: dict[str, Translation] = {
    "elu": of_one(composed.elu),
    "celu": of_one(lambda tape, x, alpha=1: composed.elu(tape, x, alpha, 1, 1 / alpha)),
    "gelu": gelu,
    "leaky_relu": of_one(lambda tape, x, slope=0.01: composed.leaky_relu(tape, x, slope)),
    "log_sigmoid_forward": log_sigmoid,
    "softplus": of_one(softplus),
    "softshrink": of_one(lambda tape, x, least=0.5: composed.soft_shrink(tape, x, least)),
    "_prelu_kernel": prelu,
    **{
        name: of_one(composed.FORMULAS[words])
        for name, words in {
            "silu": "silu", "mish": "mish", "hardsigmoid": "hard sigmoid", "hardswish": "hard swish"
        }.items()
    },
}  # fmt: skip
