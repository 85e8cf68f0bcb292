"""Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from conformance.kinds.arrays import by_offset, pad
from conformance.kinds.experiment import TIMES, Altered, Trial, least_squares
from conformance.kinds.hypotheses import left_out
from conformance.kinds.kind import Arithmetic, Gradients, Kind, Node, Spread, Step, changed


def forward(o: Arithmetic, node: Node, slots: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    a = node.attributes
    if parts := _apart(a, x):
        alone = changed(node, a | {"groups": 1})
        return np.concatenate([forward(o, alone, slots, part) for part in parts], -1)
    n, kind = int(a["n"]), x.dtype.type
    # For an even n the window holds one more channel below than above, as in the papers' sum.
    squares = np.pad(o.stored(x * x), [(0, 0)] * (x.ndim - 1) + [(n // 2, (n - 1) // 2)])
    total = o.stored(np.sum([squares[..., i : i + x.shape[-1]] for i in range(n)], axis=0))
    root = o.stored(kind(a["k"]) + o.stored(kind(a["alpha"]) * total))
    return x / o.stored(root ** kind(a["beta"]))


def _apart(attributes: dict[str, Any], x: np.ndarray) -> list[np.ndarray]:
    """The groups of channels that are normalised by themselves; none where all are together."""
    groups = attributes.get("groups", 1)
    return np.split(x, groups, axis=-1) if groups > 1 else []


def adjoint(step: Step, g: np.ndarray) -> Gradients:
    a, (x,), kind = step.node.attributes, step.inputs, g.dtype.type
    if parts := _apart(a, x):
        alone = step._replace(node=changed(step.node, a | {"groups": 1}))
        pairs = zip(parts, _apart(a, g), strict=True)
        back = [adjoint(alone._replace(inputs=[x]), g)[0][0] for x, g in pairs]
        return [np.concatenate(back, -1)], {}
    n, alpha, beta = int(a["n"]), kind(a["alpha"]), kind(a["beta"])
    maps, flat = x.shape[-1], [(0, 0)] * (x.ndim - 1)

    def summed(values: np.ndarray, below: int, above: int) -> np.ndarray:
        wide = np.pad(values, [*flat, (below, above)])
        return np.asarray(sum(wide[..., i : i + maps] for i in range(n)))

    base = kind(a["k"]) + alpha * summed(x * x, n // 2, (n - 1) // 2)
    shrunk = base**-beta
    # A channel is in the windows of the channels around it, mirrored.
    around = summed(g * x * shrunk / base, (n - 1) // 2, n // 2)
    return [g * shrunk - 2 * alpha * beta * x * around], {}


def spread(node: Node, x: Spread) -> Spread:
    a = node.attributes
    by = (a["k"] + a["alpha"] * a["n"] * x.moment) ** a["beta"]
    return Spread(x.mean / by, x.moment / by**2)


def divided(t: Trial) -> np.ndarray:
    return t.run(alpha=t.node.attributes["alpha"] / t.node.attributes["n"])


def responses(t: Trial) -> Altered:
    """Local response normalisation with another constant, or with two defaults of a framework."""
    a = t.node.attributes
    n, alpha = int(a["n"]), a["alpha"]
    choices: dict[str, tuple[Any, ...]] = {
        "alpha": (1e-4, 5e-4, 2e-5, 1.0),
        "k": (1.0, 2.0, 0.0),
        "beta": (0.75, 0.5, 1.0),
        "n": (2 * n + 1, n // 2, 5, 3, 11),
    }
    yield "alpha is divided by n", t.run(alpha=alpha / n)
    yield "alpha is multiplied by n", t.run(alpha=alpha * n)
    for name, values in choices.items():
        for value in values:
            if value != a[name] and (name != "n" or value):
                yield f"{name} is {value:g}, not {a[name]:g}", t.run(**{name: value})
    # PyTorch's defaults, and TensorFlow's.
    for times, words in ((1 / n, "divided by n"), (n, "multiplied by n"), (1, "")):
        for beta in dict.fromkeys((a["beta"], 0.5, 0.75)):
            said = [f"alpha is {words}"] if words else []
            said += [f"beta is {beta:g}"] if beta != a["beta"] else []
            yield " and ".join(["k is 1", *said]), t.run(k=1.0, beta=beta, alpha=alpha * times)


def response_windows(t: Trial) -> Altered:
    """The sum of squares is taken over other cells."""
    a = t.node.attributes
    n = int(a["n"])

    def by(total: np.ndarray) -> np.ndarray:
        return np.asarray(t.x / (a["k"] + a["alpha"] * total) ** a["beta"])

    squares = t.x**2
    if n % 2 == 0:
        grown = np.pad(squares, [(0, 0)] * (t.x.ndim - 1) + [((n - 1) // 2, n // 2)])
        total = sum(grown[..., i : i + t.x.shape[-1]] for i in range(n))
        yield "the even window is shifted by one channel", by(np.asarray(total))
    around = ((n // 2, (n - 1) // 2),) * 2
    window = {"kernel": (n, n), "stride": (1, 1)}
    total = by_offset(pad(squares, around), window, np.add)
    yield "the window is over space, within a channel", by(total)
    yield "the window is over space, and averaged", by(total / n**2)


def response(t: Trial) -> Altered:
    """(x / y)^(1 / beta) is k + alpha times a sum of squares: k and alpha, for each n and beta."""
    a, x, y = t.node.attributes, t.x, t.found
    seen = (x * y > 0) & (np.abs(x) > np.abs(x).mean())
    if np.count_nonzero(seen) < 2 * TIMES:  # k and alpha
        return
    n = int(a["n"])
    windows = dict.fromkeys((n, 2 * n + 1, n // 2, n - 1, n + 1, 3, 5, 7))
    for size, beta in product(windows, dict.fromkeys((a["beta"], 0.75, 0.5, 1.0))):
        if size < 1:
            continue
        # With k = 0, alpha = 1 and beta = -1 the operation gives x times the sum of squares.
        squares = t.run(n=size, k=0.0, alpha=1.0, beta=-1.0)[seen] / x[seen]
        by = (x[seen] / y[seen]) ** (1 / beta)
        k, alpha = map(float, least_squares([np.ones_like(squares), squares], by))
        if np.isfinite(alpha) and t.near(t.run(n=size, k=k, alpha=alpha, beta=beta)):
            short = {"k": float(f"{k:.3g}"), "alpha": float(f"{alpha:.3g}"), "beta": beta}
            found = {"n": size, **short}
            said = [f"{name} is {v:g}, not {a[name]:g}" for name, v in found.items()
                    if v != float(f"{a[name]:.3g}")]  # fmt: skip
            yield " and ".join(said), t.run(n=size, k=k, alpha=alpha, beta=beta)
            return


LRN = Kind(
    name="lrn",
    attributes="n k alpha beta",
    optional="groups",
    forward=forward,
    adjoint=adjoint,
    reads="inputs",
    spread=spread,
    altered=("alpha divided by n", divided),
    causes=(responses, response_windows, left_out),
    fitted=(response,),
    written=lambda node: "LRN",
    traits="norm passing keeps_sign",
)
