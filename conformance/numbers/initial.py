"""Is a model, as built, at values from which it can be trained?  Slot by slot, from its own values.

A kernel's spread is set beside every usual scheme's.  If n numbers are drawn from a scheme of
standard deviation s, the mean of their squares is r s^2 with probability at most
``exp(-n/2 (r - 1 - log r))`` on either side of 1: Chernoff's bound for the normal distribution,
and the uniform and the truncated normal have lighter tails.  A scheme is out when twice that is
below the probability of ever being wrong about a network, shared out among its kernels.  The mean
is held to be 0 in the same way, by Hoeffding's bound ``2 exp(-n m^2 / (2 s^2))``.  How far the
largest number is from 0 tells schemes of one spread apart, and is never held against a kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import erf, inf, isfinite, log, prod, sqrt

import numpy as np

from conformance.chunks import each, strips
from conformance.graph.model import Graph, Node, Parameter
from conformance.numbers.stored import in_place, whole

#: The probability that any kernel of a network is refused that was drawn from one of the schemes.
FAMILY_WISE = 1e-6

#: The standard deviation of a standard normal variable that is cut off at +-2.
CUT = sqrt(1 - 4 * np.exp(-2.0) / sqrt(2 * np.pi) / erf(sqrt(2)))

#: Shapes of a distribution, by the farthest that a number gets, in standard deviations.
REACH = {"uniform": sqrt(3), "truncated normal": 2 / CUT, "normal": inf}

#: Standard deviations by the numbers of values that are summed for one output, forward and back.
SCALED: dict[str, Callable[[float, float], float]] = {
    "Glorot": lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)),
    "He": lambda fan_in, fan_out: sqrt(2 / fan_in),
    "He, fan-out": lambda fan_in, fan_out: sqrt(2 / fan_out),
    "LeCun": lambda fan_in, fan_out: sqrt(1 / fan_in),
    "LeCun, fan-out": lambda fan_in, fan_out: sqrt(1 / fan_out),
}
#: Half widths of uniform distributions: PyTorch's default, kaiming_uniform(a=sqrt(5)), and that of
#: LeCun et al. 1998, section III (2.4 / F_i).
UNIFORM: dict[str, Callable[[float], float]] = {
    "PyTorch's default": lambda fan_in: 1 / sqrt(fan_in),
    "LeCun 1998, 2.4 / fan-in": lambda fan_in: 2.4 / fan_in,
}
#: Deviations that do not depend on the layer, in the papers' released models and as defaults of
#: libraries: AlexNet's and VGG's 0.01 (0.005 in Caffe's dense layers), Inception's 0.1 and 0.001
#: in TensorFlow, 0.02 and Keras's 0.05.
FIXED = (0.01, 0.001, 0.005, 0.02, 0.05, 0.1)

#: What is wrong with a kernel of zeros, unless it is the last.
ZERO = "all zero"

#: Inputs of each output by which those of a kernel are told apart first.
LOOKED_AT = 8

#: The scheme of a norm that ends a residual branch, where each block starts as its shortcut.
ZERO_LAST = "zero gamma at the end of a residual branch"
#: The scheme of a classifier that gives all classes one probability at first.
ZERO_OUTPUT = "zero kernel of the last layer"


@dataclass(frozen=True, slots=True)
class Initial:
    """What one slot starts from: a known ``scheme``, or a ``finding``, a sentence; never both."""

    node: int
    slot: str
    scheme: str = ""
    finding: str = ""


def initial(graph: Graph, own: Callable[[str], np.ndarray]) -> list[Initial]:
    """What every slot of a graph starts from, in the order of its nodes.

    Slots of which nothing is to be said (a bias, a beta) are left out.  Values of a model that
    loads a checkpoint are not initial, and most of them will be found to be far from any scheme.
    """
    kernels = [
        (index, piece)
        for index, node in enumerate(graph)
        for piece in node.parameters.get("kernel", ())
    ]
    allowed = {key: _schemes(graph, *key, own, len(kernels)) for key in kernels}
    popular = Counter(
        name for names in allowed.values() if isinstance(names, list) for name in names
    )
    readers = graph.consumers()
    output = _output(graph)
    result: dict[Initial, None] = {}
    for index, node in enumerate(graph):
        for slot, pieces in node.parameters.items():
            if slot != "kernel":
                values = whole(node, slot, own)
                if not np.isfinite(values).all():
                    result[Initial(index, slot, finding="not finite")] = None
                    continue
                last = [graph.nodes[i].kind for i in readers[index]] == ["add"]
                result |= dict.fromkeys(_constants(index, slot, values, last))
                continue
            zero = all(allowed[index, piece] == ZERO for piece in pieces)
            for piece in pieces:
                found = allowed[index, piece]
                if index == output and zero:
                    result[Initial(index, slot, ZERO_OUTPUT)] = None
                elif isinstance(found, str):
                    result[Initial(index, slot, finding=found)] = None
                elif found:
                    name = max(found, key=lambda name: popular[name])
                    result[Initial(index, slot, name)] = None
                else:
                    said = _far(graph, index, piece, own, popular)
                    result[Initial(index, slot, finding=said)] = None
    return list(result)


def _output(graph: Graph) -> int:
    """The layer with a kernel that is the last on the way to the main output; -1 without one."""
    main = graph.ancestors(graph.outputs[0])
    return max((i for i in main if "kernel" in graph.nodes[i].slots), default=-1)


def _constants(index: int, slot: str, values: np.ndarray, last: bool) -> Iterator[Initial]:
    """Gammas and statistics; ``last`` is the norm at the end of a residual branch."""
    if slot == "gamma" and not np.ptp(values) and values.flat[0] != 1:
        if last and not values.any():
            yield Initial(index, slot, ZERO_LAST)
        else:
            stuck = ": nothing gets through" if not values.any() else ""
            yield Initial(index, slot, finding=f"starts at {values.flat[0]:g}, not 1{stuck}")
    if slot == "variance" and (values <= 0).any():
        count = int((values <= 0).sum())
        yield Initial(index, slot, finding=f"{count} of {values.size} are not above 0")
    if slot == "mean" and values.any():
        largest = float(np.abs(values).max())
        yield Initial(index, slot, finding=f"a running mean starts at {largest:.3g}, not 0")


def _schemes(
    graph: Graph, index: int, piece: Parameter, own: Callable[[str], np.ndarray], kernels: int
) -> list[str] | str:
    """The schemes that a kernel may have been drawn from; or a sentence, why from none at all."""
    stored, shape = own(piece.handle), _shape(graph.nodes[index], piece)
    least, most, mean, deviation = _moments(stored)
    if not (isfinite(least) and isfinite(most)):
        return "not finite"
    if least == most:
        return ZERO if not most else f"every entry is {most:.6g}"
    kernel = in_place(stored, piece)
    if count := _alike(kernel if kernel.shape[-1] == shape[-1] else kernel.reshape(shape)):
        return f"{count} of {shape[-1]} outputs are equal to another: they will learn the same"
    farthest = max(-least, most)
    share = FAMILY_WISE / kernels
    schemes = list(_usual(graph.nodes[index], shape))
    if 2 * np.exp(-stored.size / 2 * (mean / deviation) ** 2) < share:
        return f"its mean is {mean:.3g}, not 0, at a spread of {deviation:.3g}"
    spread = [s for s in schemes if _probable(stored.size, deviation / s[1]) >= share]
    named = [
        name
        for name, expected, reach in spread
        if _reaches(stored.size, farthest / expected, reach) >= share
    ]
    return named or [f"the spread of {name}" for name, _, _ in spread]


def _moments(stored: np.ndarray) -> tuple[float, float, float, float]:
    """The least and the largest number, the mean and the root of the mean square, in float64."""
    flat = stored.reshape(-1)  # in whatever order
    parts = strips(flat.size, flat.size)
    found = np.empty((len(parts), 4))

    def look(place: int) -> None:
        some = flat[parts[place]].astype(np.float64)
        found[place] = some.min(), some.max(), some.sum(), np.vdot(some, some)

    with np.errstate(all="ignore"):
        each(look, range(len(parts)))
    least, most, total, squares = found.T
    mean, square = float(total.sum()) / flat.size, float(squares.sum()) / flat.size
    return float(least.min()), float(most.max()), mean, sqrt(square)


def _far(
    graph: Graph, index: int, piece: Parameter, own: Callable[[str], np.ndarray],
    popular: Counter[str],
) -> str:  # fmt: skip
    """A spread that no scheme has, beside what most other kernels have, or else the nearest."""
    node = graph.nodes[index]
    *_, deviation = _moments(own(piece.handle))
    schemes = {name: expected for name, expected, _ in _usual(node, _shape(node, piece))}
    if popular and (likely := popular.most_common(1)[0][0]) in schemes:
        name, others = likely, f", which {popular[likely]} other kernels have"
    else:
        name = min(schemes, key=lambda name: abs(log(deviation / schemes[name])))
        others = ", the nearest usual scheme"
    times = deviation / schemes[name]
    return f"its spread of {deviation:.3g} is {times:.3g} times that of {name}{others}"


def _shape(node: Node, piece: Parameter) -> tuple[int, ...]:
    """A kernel as the port's own layer has it, which is what its initialiser was given.

    A dense layer for a convolution over the whole map has another fan-out than that.
    """
    if piece.region is not None:
        return tuple(map(len, piece.region))
    slot, shape = node.slots["kernel"], piece.shape
    if len(shape) == 2 < len(slot):
        return (prod(slot[:-1]), slot[-1])
    if len(shape) == len(slot) or not any(name == "kind" for name, *_ in node.spelling):
        return slot
    for step, argument in piece.steps[:-1]:  # the last one respells it
        if step == "transpose":
            shape = tuple(shape[axis] for axis in argument)
        elif step == "reshape":
            shape = argument
    return shape


def _usual(node: Node, shape: tuple[int, ...]) -> Iterator[tuple[str, float, float]]:
    """Name, standard deviation, and reach in standard deviations, of every usual scheme."""
    cells = prod(shape[:-2])
    fan_in, fan_out = float(cells * shape[-2]), float(cells * shape[-1])
    for name, scaled in SCALED.items():
        for form, reach in REACH.items():
            yield f"{name} {form}", scaled(fan_in, fan_out), reach
    for name, half in UNIFORM.items():
        yield name, half(fan_in) / sqrt(3), sqrt(3)
    yield "Haiku's default", CUT / sqrt(fan_in), REACH["truncated normal"]  # LeCun's, not widened
    yield "orthogonal", 1 / sqrt(max(fan_in, shape[-1])), inf
    for fixed in FIXED:
        yield f"normal {fixed:g}", fixed, inf
        # Cut off at two deviations, and not widened to make up for it.
        yield f"truncated normal {fixed:g}", fixed * CUT, REACH["truncated normal"]
        yield f"uniform +-{fixed:g}", fixed / sqrt(3), sqrt(3)


def _probable(count: int, ratio: float) -> float:
    """A bound on the probability of a spread so far from the expected one, on either side."""
    r = ratio**2
    return float(2 * np.exp(-count / 2 * (r - 1 - log(r))))


def _reaches(count: int, farthest: float, reach: float) -> float:
    """The probability that the largest of so many numbers is not larger than it is."""
    if farthest > reach * (1 + 2.0**-20):  # the limit itself was rounded to float32
        return 0.0
    if reach == inf:
        return float(erf(farthest / sqrt(2)) ** count)
    if reach == REACH["uniform"]:
        return float((farthest / reach) ** count)
    return float((erf(farthest * CUT / sqrt(2)) / erf(sqrt(2))) ** count)


def _alike(kernel: np.ndarray) -> int:
    """How many outputs have the very kernel of another one."""
    ends = kernel[(0,) * (kernel.ndim - 2)][:LOOKED_AT]
    if len(set(map(bytes, np.ascontiguousarray(ends.T)))) == kernel.shape[-1]:
        return 0  # they differ in the first few numbers already
    rows = np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)
    if rows.shape[1] < 2:
        return 0
    return len(rows) - len({row.tobytes() for row in np.ascontiguousarray(rows)})
