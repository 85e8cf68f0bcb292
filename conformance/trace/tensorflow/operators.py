"""What an operation of TensorFlow is in the words of the tape: a function a row.

Each takes the recorder and the operation, and returns a value for each of its outputs (an int
stands for one).  Raises :class:`Unreadable` where the tape has no words.  What is one call of
the tape's is spelt in the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from conformance.trace import composed
from conformance.trace.tensorflow.layout import LAYOUTS, Translation, Unreadable

if TYPE_CHECKING:
    from conformance.trace.tensorflow.recorder import Recorder

__all__ = ["TABLE", "Unreadable", "unknown"]


# Layers.


def convolution(recorder: Recorder, operation: Any) -> int:
    """A convolution, or a depthwise one: as many groups as there are channels."""
    image, kernel = map(recorder.of, operation.inputs)
    height, width, inputs, outputs = operation.inputs[1].shape
    axes = _axes(operation)
    channels = operation.inputs[0].shape[axes[1]]
    if operation.type == "DepthwiseConv2dNative":
        kernel = recorder.tape.reshape(kernel, (height, width, 1, inputs * outputs))
        inputs = 1
    window = [1] * 4
    window[axes[2]], window[axes[3]] = height, width
    stride, dilation = operation.get_attr("strides"), operation.get_attr("dilations")
    padding = _padding(operation, window, stride, dilation)
    return recorder.tape.conv(
        image, kernel, lhs=axes, rhs=(3, 2, 0, 1), out=axes,
        stride=[stride[a] for a in axes[2:]], padding=[padding[a] for a in axes[2:]],
        dilation=[dilation[a] for a in axes[2:]], groups=channels // inputs,
    )  # fmt: skip


def patches(recorder: Recorder, operation: Any) -> int:
    """The cells of every window side by side: a convolution with a single one for each of them."""
    size, stride = operation.get_attr("ksizes"), operation.get_attr("strides")
    dilation = operation.get_attr("rates")
    cells = prod(size) * operation.inputs[0].shape[3]
    kernel = recorder.tape.constant(np.eye(cells, dtype=np.int8).reshape(*size[1:3], -1, cells))
    padding = _padding(operation, size, stride, dilation)
    return recorder.tape.conv(
        recorder.of(operation.inputs[0]), kernel,
        lhs=(0, 3, 1, 2), rhs=(3, 2, 0, 1), out=(0, 3, 1, 2),
        stride=stride[1:3], padding=padding[1:3], dilation=dilation[1:3], groups=1,
    )  # fmt: skip


def dilated(recorder: Recorder, operation: Any) -> int:
    """A dilated convolution, which TensorFlow computes on an image that is laid out apart."""
    convolution = operation.inputs[0].op
    if convolution.type not in ("Conv2D", "DepthwiseConv2dNative"):
        raise Unreadable("what is laid out apart is no convolution")
    apart = convolution.inputs[0].op
    dense = recorder.of(operation.inputs[0])
    plain = recorder.tape[dense].attributes
    if apart.type != "SpaceToBatchND" or set(plain["padding"]) != {(0, 0)}:
        raise Unreadable("laid out apart in another way")
    block, crops = (recorder.static(t).tolist() for t in operation.inputs[1:])
    spread, pads = (recorder.static(t).tolist() for t in apart.inputs[1:])
    if block != spread or len(block) != 2 or _axes(convolution)[1] != 3:
        raise Unreadable("laid out apart in another way")
    padding = [(p[0] - c[0], p[1] - c[1]) for p, c in zip(pads, crops, strict=True)]
    image, kernel = recorder.of(apart.inputs[0]), recorder.tape[dense].inputs[1]
    changes = {"padding": padding, "dilation": tuple(block)}
    return recorder.tape.conv(image, kernel, **plain | changes)


def bias(recorder: Recorder, operation: Any) -> int:
    """A number for each channel, added."""
    image, numbers = map(recorder.of, operation.inputs)
    shape = operation.outputs[0].shape
    if operation.get_attr("data_format") == b"NCHW":
        numbers = recorder.tape.reshape(numbers, (shape[1], *[1] * (shape.rank - 2)))
    return recorder.tape.elementwise("add", image, numbers)


def product(recorder: Recorder, operation: Any) -> int:
    """A product of matrices, or with one matrix, or one for each of a batch."""
    operands = tuple(map(recorder.of, operation.inputs))
    ranks = [tensor.shape.rank for tensor in operation.inputs]
    flips = ("transpose_a", "transpose_b") if operation.type == "MatMul" else ("adj_x", "adj_y")
    flipped, contracted = (bool(operation.get_attr(flip)) for flip in flips)
    if ranks[1] not in (2, ranks[0]) or (flipped and ranks[0] != ranks[1]):
        raise Unreadable("a batch of matrix products")
    batch = [range(rank - 2 if ranks[1] > 2 else 0) for rank in ranks]
    if batch[0] and len({tuple(tensor.shape[:-2]) for tensor in operation.inputs}) > 1:
        raise Unreadable("a batch of matrix products")
    summed = (ranks[0] - (2 if flipped else 1),), (ranks[1] - (1 if contracted else 2),)
    return composed.contraction(recorder.tape, operation.type, operands, summed, batch)


def einsum(recorder: Recorder, operation: Any) -> int:
    """A product over the axes that an equation names."""
    read, made = operation.get_attr("equation").decode().split("->")
    sides = read.split(",")
    letters = [{*side} for side in sides]
    plain = all(len(side) == len({*side}) and "." not in side for side in (*sides, made))
    if not plain or len(sides) != 2 or (letters[0] ^ letters[1]) - {*made}:
        raise Unreadable(f"an einsum of {read}")
    both = [letter for letter in sides[0] if letter in sides[1]]
    batch, summed = ([i for i in both if (i in made) is kept] for kept in (True, False))
    value = composed.contraction(
        recorder.tape, operation.type, tuple(map(recorder.of, operation.inputs)),
        [[side.index(i) for i in summed] for side in sides],
        [[side.index(i) for i in batch] for side in sides],
    )  # fmt: skip
    others = [i for side in sides for i in side if i not in both]
    return recorder.tape.transpose(value, [[*batch, *others].index(i) for i in made])


def window(recorder: Recorder, operation: Any) -> int:
    """The largest of every window, or its average, which never counts padding."""
    size, stride = operation.get_attr("ksize"), operation.get_attr("strides")
    _axes(operation)
    padding = _padding(operation, size, stride, (1, 1, 1, 1))
    average = operation.type == "AvgPool"
    return recorder.tape.window(
        recorder.of(operation.inputs[0]), "mean" if average else "max", size, stride, padding,
        count_padding=False if average else None,
    )  # fmt: skip


def batch_norm(recorder: Recorder, operation: Any) -> list[int]:
    """A batch norm by the stored statistics."""
    if operation.get_attr("is_training"):
        raise Unreadable("batch statistics")
    operands = [recorder.of(tensor) for tensor in operation.inputs[:5]]
    epsilon = _decimal(operation.get_attr("epsilon"))
    result = recorder.tape.batch_norm(*operands, axis=_axes(operation)[1], epsilon=epsilon)
    # The statistics are outputs as well, unused in inference.
    spare = len(operation.outputs) - 3
    return [result, *operands[3:5], *[result] * spare]


def lrn(recorder: Recorder, operation: Any) -> int:
    """TensorFlow's own local response normalisation."""
    k, alpha, beta = (_decimal(operation.get_attr(name)) for name in ("bias", "alpha", "beta"))
    n = 2 * operation.get_attr("depth_radius") + 1
    return recorder.tape.lrn(recorder.of(operation.inputs[0]), 3, n, k, alpha, beta)


def _axes(operation: Any) -> tuple[int, int, int, int]:
    """The axes of batch, channel, height and width."""
    layout = operation.get_attr("data_format").decode()
    if layout not in ("NHWC", "NCHW"):
        raise Unreadable(layout)
    return (0, 3, 1, 2) if layout == "NHWC" else (0, 1, 2, 3)


def _padding(
    operation: Any, window: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Padding before and after, for every axis of the input."""
    kind = operation.get_attr("padding").decode()
    if kind == "VALID":
        return ((0, 0),) * 4
    if kind == "EXPLICIT":
        explicit = operation.get_attr("explicit_paddings")
        return tuple(zip(explicit[::2], explicit[1::2], strict=True))
    pairs = []
    for n, k, s, d in zip(operation.inputs[0].shape, window, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def _decimal(attribute: float) -> float:
    """An attribute as it was written: the graph keeps floats in single precision."""
    return float(str(np.float32(attribute)))


# Algebra.


def reduction(recorder: Recorder, operation: Any) -> int:
    """A reduction of some axes."""
    tensor, axes = operation.inputs
    reduced = sorted(int(axis) % tensor.shape.rank for axis in recorder.static(axes).flat)
    keep = bool(operation.get_attr("keep_dims"))
    return recorder.tape.reduce(recorder.of(tensor), operation.type.lower(), reduced, keep)


def leaky_relu(recorder: Recorder, operation: Any) -> int:
    """A rectifier that lets a share of what is negative through."""
    slope = _decimal(operation.get_attr("alpha"))
    return composed.leaky_relu(recorder.tape, recorder.of(operation.inputs[0]), slope)


def algebra(function: Callable[..., int]) -> Translation:
    """An operation without attributes, by a function of the tape and its operands' values."""
    return lambda recorder, operation: function(recorder.tape, *map(recorder.of, operation.inputs))


def primitive(word: str) -> Translation:
    """An operation that the tape has as well."""
    return algebra(lambda tape, *operands: tape.elementwise(word, *operands))


def safe_division(recorder: Recorder, operation: Any) -> int:
    """A division that gives 0 where it is by 0, by constants that are not."""
    if not np.all(recorder.static(operation.inputs[1])):
        raise Unreadable("it may divide by 0")
    return recorder.tape.elementwise("div", *map(recorder.of, operation.inputs))


# What computes nothing.


def identity(recorder: Recorder, operation: Any) -> list[int]:
    """The operands as they are."""
    return [recorder.of(tensor) for tensor in operation.inputs][: len(operation.outputs)]


def cast(recorder: Recorder, operation: Any) -> list[int]:
    """Another precision, which is one throughout here."""
    if not (operation.inputs[0].dtype.is_floating and operation.outputs[0].dtype.is_floating):
        raise Unreadable("a cast that changes values")
    return identity(recorder, operation)


def placeholder(recorder: Recorder, operation: Any) -> int:
    """A stored array that the function is given."""
    tensor = operation.outputs[0]
    if tensor.name not in recorder.parameters:
        raise Unreadable(tensor.name)
    return recorder.tape.parameter(recorder.parameters[tensor.name], tensor.shape)


def variable(recorder: Recorder, operation: Any) -> int:
    """A variable that TensorFlow made and not Keras."""
    if operation.inputs[0].name not in recorder.variables:
        raise Unreadable(operation.name)
    handle = recorder.variables[operation.inputs[0].name]
    return recorder.tape.parameter(handle, operation.outputs[0].shape)


def call(recorder: Recorder, operation: Any) -> list[int]:
    """A function called inside the graph: its body takes the place of the call."""
    with recorder.graph.as_default():
        library = recorder.graph.as_graph_def().library.function
        name = operation.get_attr("f").name
        body = function_def_to_graph(next(f for f in library if f.signature.name == name))
        outputs = tf.import_graph_def(
            body.as_graph_def(),
            {inner.name: outer for inner, outer in zip(body.inputs, operation.inputs, strict=True)},
            [tensor.name for tensor in body.outputs],
            name=operation.name,
        )
    for result, inner in zip(operation.outputs, outputs, strict=True):
        for reader in result.consumers():
            for position, tensor in enumerate(reader.inputs):
                if tensor.name == result.name:
                    reader._update_input(position, inner)
    before, recorder.caller = recorder.caller, recorder.tape.where
    results = recorder.values(outputs)
    recorder.caller = before
    return results


def unknown(recorder: Recorder, operation: Any) -> list[int]:
    """An unsupported operation keeps its name and its inputs."""
    operands = [
        recorder.of(tensor)
        for tensor in operation.inputs
        if tensor.name not in recorder.variables and tensor.dtype != tf.string
    ]
    shapes = [tensor.shape for tensor in operation.outputs]
    return [
        recorder.tape.unknown(operation.type, operands, each if each.is_fully_defined() else ())
        for each in shapes
    ]


#: What draws numbers with a fraction.
RANDOM = frozenset(
    f"{kind}{name}{version}"
    for kind in ("Random", "StatelessRandom", "", "Stateless")
    for name in ("Uniform", "StandardNormal", "Normal", "TruncatedNormal")
    for version in ("", "V2")
)


def drawn(recorder: Recorder, operation: Any) -> int:
    """Numbers drawn at random; of a seed that is a constant they are the same in every call."""
    seeded = operation.type.startswith("Stateless") and operation.inputs[1].name in recorder.folded
    return recorder.tape.random(operation.outputs[0].shape, seeded)


SEVERAL: dict[str, Translation] = {
    "Conv2D DepthwiseConv2dNative": convolution,
    "ExtractImagePatches": patches,
    "Einsum": einsum,
    "BatchToSpaceND": dilated,
    "BiasAdd": bias,
    "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3": product,
    "MaxPool AvgPool": window,
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3": batch_norm,
    "LRN": lrn,
    "Sum Max Min Mean": reduction,
    "Softmax": algebra(lambda tape, x: tape.softmax(x, -1)),
    "LogSoftmax": algebra(lambda tape, x: composed.log_softmax(tape, x, -1)),
    "LeakyRelu": leaky_relu,
    "AddN": algebra(lambda tape, *terms: composed.sum_of(tape, terms)),
    "SquaredDifference": algebra(composed.FORMULAS["squared difference"]),
    "Inv": algebra(composed.FORMULAS["reciprocal"]),
    **{
        word.capitalize(): algebra(composed.FORMULAS[word])
        for word in ("square", "reciprocal", "relu6", "log1p", "expm1")
    },
    # However the seed is made, the draw is uniform in [0, 1); of others it is known that they are.
    **dict.fromkeys(RANDOM, drawn),
    "Add AddV2": primitive("add"),
    "RealDiv Div": primitive("div"),
    "DivNoNan": safe_division,
    "Maximum": primitive("max"),
    "Minimum": primitive("min"),
    "Sigmoid": primitive("logistic"),
    "LessEqual": primitive("less_equal"),
    "GreaterEqual": primitive("greater_equal"),
    "Equal": primitive("equal"),
    "NotEqual": primitive("not_equal"),
    "Select SelectV2": primitive("select"),
    **{
        word.capitalize(): primitive(word)
        for word in (
            "sub mul pow neg exp log tanh sqrt rsqrt abs sign relu less greater"
            " erf erfc elu selu softplus softsign"
        ).split()
    },
    "Identity IdentityN StopGradient PreventGradient EnsureShape Snapshot": identity,
    "Cast": cast,
    "Placeholder": placeholder,
    "ReadVariableOp": variable,
    "PartitionedCall StatefulPartitionedCall": call,
    **LAYOUTS,
}
TABLE = {name: row for names, row in SEVERAL.items() for name in names.split()}
