"""Known variants as data: they can be read, speak of networks that exist, and slips are seen."""

import re
import shutil

import pytest

from conformance import reference
from conformance.reference import variants

pytestmark = pytest.mark.bare

ROWS = {"*", "input", "output", "top", "auxiliary"}


@pytest.mark.parametrize("profile", variants.profiles(), ids=lambda p: f"{p.family} {p.name}")
def test_profile_speaks_of_what_exists(profile):
    """Its networks are in the reference, and so are the rows that it names."""
    known = reference.models().values()
    models = [model for model in known if profile.speaks_of(model)]
    assert models
    assert set(profile.models) <= {model.name for model in known}
    rows = {row.name for model in models for row in model.rows}
    for difference in profile.differences:
        for layer in difference.layer.split(","):
            row = layer.strip().partition("/")[0]
            pattern = re.compile(re.escape(row).replace(r"\*", ".*"))
            assert layer.strip() in ROWS or any(map(pattern.fullmatch, rows)), difference.place


SLIPS = {
    "no says": (r"- says: .*\n", "", "no note 'says'"),
    "unknown column": ("how many", "times", "a profile's columns are"),
    "ragged row": (r"\| 1 +\|\n", "|\n", "cells, the header has"),
    "bad count": (r"\| 1 +\|\n", "| some |\n", "how many is a number, all, any or each KIND"),
    "empty layer": (r"\| conv3_x \|", "|  |", "the column layer is empty"),
    "attribute without value": ("rate 0.5", "rate", "each with its value"),
    "attribute of what is there": (r"\| 1 +\| +\|\n", "| 1 | bias no |\n", "nodes that are extra"),
    "twice": (r"## Keras", "## v1.5", "is listed twice"),
}
#: Where a slip is made; in resnet.md if nothing is said.
FILES = dict.fromkeys(("attribute without value", "attribute of what is there"), "alexnet.md")


@pytest.mark.parametrize("slip", SLIPS)
def test_slip_is_seen(slip, tmp_path):
    """A slip in a profile is told with its file and line."""
    pattern, instead, words = SLIPS[slip]
    folder = tmp_path / "profiles"
    shutil.copytree(variants.HERE, folder)
    file = folder / FILES.get(slip, "resnet.md")
    text, count = re.subn(pattern, instead, file.read_text(encoding="utf-8"), count=1)
    assert count
    file.write_text(text, encoding="utf-8")
    with pytest.raises(reference.DamagedReference, match=rf"profiles/{file.name}:\d+: .*{words}"):
        variants.profiles(folder)
