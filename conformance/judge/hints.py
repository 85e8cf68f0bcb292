"""What is behind a finding, in one sentence: the habit or the default that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.graph.model import Node
from conformance.values import text

#: By kind and attribute (``*`` for any kind): a sentence with places for what was expected and
#: found, in the words of :func:`conformance.values.text`.
HINTS: dict[tuple[str, str], str] = {
    ("avg_pool", "count_include_pad"): "padding cells are {counted} in the average: PyTorch counts"
    " them by default, Keras and TensorFlow never do",
    ("*", "epsilon"): "epsilon is {found}: another framework's default?",
    ("*", "momentum"): "the running statistics keep {found} of the old value, not {expected}:"
    " PyTorch's momentum is the share of the new value, Keras' and Flax's that of the old",
    ("*", "statistics"): "the normalisation stays in inference mode while the network trains",
    ("lrn", "alpha"): "alpha of the plain sum is {found}: PyTorch divides alpha by n, TensorFlow"
    " does not",
    ("lrn", "n"): "the window is {found} channels: TensorFlow's depth_radius is half of n - 1",
    ("lrn", "groups"): "the towers are normalised each by itself: a channel at their border has no"
    " neighbours in the other, where the paper's sum runs over all maps of the layer",
    ("lrn", "k"): "k is {found}: a framework's default?",
    ("flatten", "order"): "flattened in the order {found}: permute the next kernel, or transpose",
    ("concat", "order"): "the branches are concatenated in another order: the next kernel's inputs"
    " are not where the paper has them",
    ("*", "order"): "two neighbours have changed places",
    ("conv", "table"): "other maps are connected than the paper's table has",
    (
        "dropout",
        "drops",
    ): "what is dropped is {found}: draw for every number of every image, anew in each call",
    ("softmax", "extra"): "return logits, or take it as the variant with softmax",
    ("*", "axis"): "it works along another axis than the channels, which have the number that the"
    " other layout gives them",
    ("input", "layout"): "the model reads images in the other layout: {found}",
    ("*", "weights"): "make the layer once, where the model is built, and call it in every call",
    ("*", "random"): "a dropout, noise or stochastic depth that is no known layer",
    ("*", "outputs"): "return the logits alone in inference",
}


#: Of a padding of which two sides differ, as only one of expected and found has it.
UNEVEN = (
    'the sides are top, bottom, left, right; TensorFlow\'s "same" pads an even map less above'
    " than below"
)


def hint(kind: str, attribute: str, expected: str, found: str) -> str:
    """A sentence for a finding at a node of a kind; empty where there is nothing to add."""
    if attribute == "momentum" and not found:
        return "a step of training leaves the running statistics as they were"
    if attribute == "padding":
        return UNEVEN if "," in found and found.count(",") != expected.count(",") else ""
    if attribute == "statistics" and not expected:
        return "it takes the batch's own statistics in inference: eval() does not reach it"
    sentence = HINTS.get((kind, attribute)) or HINTS.get(("*", attribute), "")
    words: dict[str, Any] = {
        "kind": kind.replace("_", " "),
        "expected": expected or "none",
        "found": found or "none",
        "counted": "counted" if found == "yes" else "not counted",
    }
    return sentence.format(**words)


def preparing(node: Node) -> str:
    """A sentence for what is done to the image in front of the network, if it may be a preparation
    of images."""
    if node.slots or node.has("weighted"):
        return ""
    does = ""
    if node.kind == "group_norm":
        does = "each image is normalised by its own mean and deviation; "
    elif node.kind == "scale":
        factor, offset = (text(node.attributes.get(each, 0)) for each in ("factor", "offset"))
        does = f"the image is made {factor} x + {offset}; "
    return f"{does}leave the preparation of images to what feeds the model, or take a known one"


#: How many causes of one error are named.
NAMED = 3


def vanishes(causes: Sequence[str], otherwise: str) -> str:
    """The sentence for a value that is wrong: what makes its error vanish, if anything does."""
    named = causes[:NAMED]
    return f"the error vanishes if {', or if '.join(named)}" if named else otherwise
