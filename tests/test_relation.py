"""One slot beside another: every mistake has its word, and what no mistake explains is wrong."""

import numpy as np
import pytest

from conformance.numbers.relation import relation

pytestmark = pytest.mark.bare

DRAW = np.random.default_rng(0)


def drawn(*shape):
    """Numbers as a checkpoint stores them."""
    return DRAW.normal(size=shape).astype(np.float32).astype(np.float64)


def single(values):
    return np.asarray(values).astype(np.float32).astype(np.float64)


CONV, DENSE, VECTOR = drawn(3, 3, 8, 8), drawn(36, 36), drawn(16)
VARIANCE = np.abs(VECTOR) + 0.1
ORDER, OTHER = np.roll(np.arange(8), 3), np.arange(8)[::-1]


@pytest.mark.parametrize(
    ("slot", "a", "b", "word", "said"),
    [
        ("kernel", CONV, CONV + 1e-12 * CONV, "equal", ""),
        ("kernel", CONV, CONV[::-1, ::-1], "flipped", "180"),
        ("kernel", CONV, CONV[:, ::-1], "flipped", "left"),
        ("kernel", CONV, CONV.transpose(1, 0, 2, 3), "transposed", "height and width swapped"),
        ("kernel", CONV, CONV.transpose(0, 1, 3, 2), "transposed", "in and out swapped"),
        (
            "kernel", CONV, CONV.transpose(0, 1, 3, 2)[::-1, ::-1],
            "transposed", "turned by 180 degrees",
        ),
        (
            "kernel", CONV, CONV.transpose(3, 2, 0, 1).reshape(3, 3, 8, 8),
            "transposed", "reshaped where",
        ),
        ("kernel", CONV, CONV[..., ORDER], "permuted", "8 of 8 outputs"),
        ("kernel", CONV, CONV[:, :, ORDER], "permuted", "8 of 8 inputs"),
        ("kernel", CONV, CONV[:, :, ORDER][..., OTHER], "permuted", "inputs in other places, 8"),
        ("kernel", CONV[:, :, :3], CONV[:, :, 2::-1], "permuted", "BGR"),
        ("kernel", DENSE, DENSE.T, "transposed", "in and out swapped"),
        (
            "kernel", DENSE, DENSE.reshape(3, 3, 4, 36).transpose(2, 0, 1, 3).reshape(36, 36),
            "permuted", "read as channel x height x width",
        ),
        (
            "kernel", DENSE, DENSE.reshape(4, 3, 3, 36).transpose(1, 2, 0, 3).reshape(36, 36),
            "permuted", "flattened as channel x height x width",
        ),
        ("kernel", CONV, single(CONV / 255), "scaled", "0.00392157 times"),
        ("kernel", CONV, single(CONV * VECTOR[:8]), "scaled", "each output"),
        ("kernel", CONV, CONV.astype(np.float16).astype(float), "rounded", "float16"),
        ("kernel", CONV, 0 * CONV, "wrong", "all zero"),
        ("gamma", np.ones(16), VECTOR, "wrong", "all one in A"),
        ("gamma", VECTOR, np.ones(16), "wrong", "all one in B"),
        ("kernel", CONV, drawn(3, 3, 8, 8), "wrong", ""),
        ("kernel", CONV, CONV[:2], "wrong", "3x3x8x8 in A and 2x3x8x8 in B"),
        ("bias", VECTOR, VECTOR[::-1], "permuted", "16 of 16 channels"),
        ("bias", VECTOR, VECTOR[[1, 0, *range(2, 16)]], "permuted", "0 and 1 swapped"),
        ("bias", VECTOR, -VECTOR, "scaled", "-1 times"),
        ("bias", np.full(16, np.nan), np.full(16, np.nan), "wrong", "not finite in A"),
        ("gamma", VECTOR, single(VECTOR + 1), "wrong", "B's is A's +1"),
        ("gamma", VECTOR, VARIANCE, "swapped", "is A's other"),
        ("variance", VARIANCE, single(np.sqrt(VARIANCE)), "scaled", "square root"),
        ("variance", VARIANCE, single(VARIANCE**2), "scaled", "square of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_mistakes_have_words(slot, a, b, word, said):
    """The word for what was done to A's values, and the rest of the sentence."""
    found = relation(
        slot, {slot: a, "other": VARIANCE}.__getitem__, {slot: b}.__getitem__, ("other",), (3, 3, 4)
    )
    assert found.word == word
    assert said in found.detail
    assert found.equal == (word == "equal")


def test_bfloat16_is_told_from_float16():
    """A number that only the one or the other rounding gives."""
    third = np.full(4, 1 / 3)
    third[0] = 3.0
    rounded = np.array([3.0, 0.333984375, 0.333984375, 0.333984375])
    found = relation("bias", {"bias": third}.__getitem__, {"bias": rounded}.__getitem__)
    assert (found.word, found.detail) == ("rounded", "B's went through bfloat16")


def test_another_layers_values_are_recognised():
    """Values that explain themselves only by another layer of A."""
    found = relation(
        "bias",
        {"bias": VECTOR}.__getitem__,
        {"bias": VARIANCE}.__getitem__,
        elsewhere=lambda values: "conv2",
    )
    assert (found.word, found.detail) == ("swapped", "is that of A's conv2")
