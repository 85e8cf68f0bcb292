"""What is likely behind a finding, in one sentence: the habit or the default that makes it."""

from __future__ import annotations

from typing import Any

#: By kind and attribute (``*`` for any kind): a sentence with places for what was expected and
#: found, in the words of :func:`conformance.porting.variants.text`.
HINTS: dict[tuple[str, str], str] = {
    ("avg_pool", "count_include_pad"): "padding cells are {counted} in the average",
    ("*", "padding"): "padded by {found} (top+bottom x left+right), the paper pads {expected}",
    ("*", "stride"): "the stride is {found} here, the paper has {expected}",
    ("*", "kernel"): "the window is {found} here, the paper has {expected}",
    ("*", "dilation"): "the kernel is dilated by {found}",
    ("*", "groups"): "{found} groups of channels instead of {expected}",
    ("*", "width"): "{found} channels instead of {expected}",
    ("*", "bias"): "the layer has {a} bias",
    ("*", "epsilon"): "epsilon is {found}: another framework's default?",
    ("*", "momentum"): "the running statistics keep {found} of the old value, not {expected}:"
    " PyTorch's momentum is the share of the new value, Keras' and Flax's that of the old",
    ("*", "unbiased"): "the running variance is {un}biased here",
    ("*", "gamma"): "the normalisation has {a} gamma",
    ("*", "beta"): "the normalisation has {a} beta",
    ("*", "statistics"): "it normalises with {found} statistics in training",
    ("lrn", "alpha"): "alpha of the plain sum is {found}: PyTorch divides alpha by n, TensorFlow"
    " does not",
    ("lrn", "n"): "the window is {found} channels: TensorFlow's depth_radius is half of n - 1",
    ("lrn", "k"): "k is {found}: a framework's default?",
    ("lrn", "beta"): "beta is {found}, the paper has {expected}",
    ("dropout", "rate"): "{found} is dropped, the paper drops {expected}",
    ("scale", "factor"): "scaled by {found} instead of {expected}",
    ("scale", "offset"): "shifted by {found} instead of {expected}",
    ("flatten", "order"): "flattened in the order {found}: permute the next kernel, or transpose",
    ("concat", "order"): "the branches are concatenated in another order",
    ("conv", "table"): "other maps are connected than the paper's table has",
    ("upsample", "factor"): "enlarged by {found} instead of {expected}",
    ("*", "inputs"): "it reads from {found}, the paper's reads from {expected}",
    ("*", "divisor"): "the sum is divided by {found}, not by {expected}",
    ("softmax", "extra"): "return logits, or take it as the variant with softmax",
    ("relu", "missing"): "the activation was left out",
    ("relu", "extra"): "there is one activation too many",
    ("batch_norm", "missing"): "the layer is not normalised",
    ("batch_norm", "extra"): "the layer is normalised, the paper's is not",
    ("dropout", "missing"): "nothing is dropped in training here",
    ("dropout", "extra"): "something is dropped that the paper does not drop",
    ("*", "missing"): "the paper has a {kind} here, the port has none",
    ("*", "extra"): "the port has a {kind} here, the paper has none",
    ("*", "outputs"): "return the logits alone in inference",
}


def hint(kind: str, attribute: str, expected: str, found: str) -> str:
    """A sentence for a finding at a node of a kind; empty where there is nothing to add."""
    sentence = HINTS.get((kind, attribute)) or HINTS.get(("*", attribute), "")
    words: dict[str, Any] = {
        "kind": kind.replace("_", " "),
        "expected": expected or "none",
        "found": found or "none",
        "a": "a" if found == "yes" else "no",
        "un": "un" if found == "yes" else "",
        "counted": "counted" if found == "yes" else "not counted",
    }
    return sentence.format(**words)
