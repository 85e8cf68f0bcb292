"""Every number of the document is accounted for: by a claim on its line, or as an excluded kind.

The document's text is not part of the project; ``--document FILE`` says where it is.
"""

import pytest

from conformance import reference
from tests.coverage import claimed, kinds, tokens, uncovered

pytestmark = pytest.mark.bare

FAMILIES = [reference.family(stem) for stem in reference.families()]
KINDS = kinds()

#: How the reference files call the document.
SOURCE = "document"

LEDGER = """# Ledger

- document: a text of four lines

## Claims

- from: document, *Text*

| line | subject         | quantity | printed               | expression |
|------|-----------------|----------|-----------------------|------------|
| 1    | parameters      | number   | 6 * (5 * 5 + 1) = 156 |            |
| 2    | accuracy        | cited    | 98.57%                |            |
| 3-4  | pages           | cited    | seven                 |            |
"""


@pytest.fixture(scope="module")
def document(pytestconfig):
    """The document's text."""
    path = pytestconfig.getoption("document")
    if path is None:
        pytest.skip("the document's text is not part of the project: --document FILE")
    return path.read_text(encoding="utf-8")


def test_every_number_is_accounted_for(document):
    """Each number of the document is printed by a claim of its line, or of an excluded kind."""
    missing = list(uncovered(document, claimed(FAMILIES, SOURCE), KINDS))
    first = ", ".join(f"{token.text} in line {token.line}" for token in missing[:20])
    assert not missing, f"{len(missing)} numbers are in no claim, first {first}"


def test_every_kind_is_needed(document):
    """An excluded kind leaves out a number that nothing else accounts for."""
    ledger = claimed(FAMILIES, SOURCE)
    needed = {kind for kind in KINDS if any(uncovered(document, ledger, {*KINDS} - {kind}))}
    assert needed == {*KINDS}


def test_claims_speak_of_lines_that_are_there(document):
    """No claim names a line behind the document's last."""
    assert max(claimed(FAMILIES, SOURCE)) <= len(document.split("\n"))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("156 = 6 * (5*5 + 1)\n98.57 %\n7, or seven\nSeven", [(3, "7")]),
        ("157 parameters", [(1, "157")]),
        ("156\n156", [(2, "156")]),
        ("5x5\n98.5", [(2, "98.5")]),
        ("\n\n\n\nseven", [(5, "seven")]),
        ("conv5_3, Figure 7, [12] and In [3]: x[0]", [(1, "12")]),
        ("as in the paper [12]", []),
        ("no number", []),
    ],
)
def test_uncovered_number_is_seen(tmp_path, text, missing):
    """A number without a claim on its line is found, with its line, unless its kind is excluded."""
    (tmp_path / "ledger.md").write_text(LEDGER, encoding="utf-8")
    ledger = claimed([reference.family("ledger", tmp_path)], SOURCE)
    found = [(token.line, token.text) for token in uncovered(text, ledger, KINDS)]
    assert found == missing


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("122,304 connections", ["122,304"]),
        ("(224,224,3)", ["224", "224", "3"]),
        ("beyond 1,000, or so", ["1,000"]),
        ("3.8×10^9", ["3.8", "10", "9"]),
        ("1e-3 * 0.5e-3", ["1e-3", "0.5e-3"]),
        ("Dropout(.25), 1./255", ["0.25", "1", "255"]),
        ("numpy 1.16.0 in 105us", ["1.16.0", "105"]),
        ("Two 3x3, oftener", ["two", "3", "3"]),
    ],
)
def test_number_is_read_as_written(text, numbers):
    """A number is taken whole: with its commas, decimals, exponent, or as a word."""
    assert [token.text for token in tokens(text)] == numbers


@pytest.mark.parametrize(
    ("written", "words"),
    [("| a | `[` |  |", "7: unterminated"), ("| a | b |", "7: row has 2 cells")],
)
def test_damaged_kinds_are_refused(tmp_path, written, words):
    """A pattern that is none, or a ragged row, is named with its place."""
    file = tmp_path / "EXCLUDED.md"
    table = "# Kinds\n\n## Excluded\n\n| kind | pattern | why |\n|---|---|---|\n"
    file.write_text(table + written, encoding="utf-8")
    with pytest.raises(reference.DamagedReference, match=words):
        kinds(file)
