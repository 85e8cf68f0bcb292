"""The documents hold together: files read, formulas come to their results, sums and sizes fit."""

import pytest

from conformance import reference
from conformance.reference import variants
from conformance.reference.arithmetic import evaluate
from conformance.reference.claims import QUANTITIES
from conformance.reference.layers import Setting, depth, flat, parse
from conformance.reference.printed import Printed
from conformance.reference.slips import derive, idle, refuted

pytestmark = pytest.mark.bare

STEMS = reference.families()
MODELS = reference.models()
CLAIMS = reference.claims()
DISPUTES = [dispute for stem in STEMS for dispute in reference.family(stem).disputed]


@pytest.mark.parametrize("stem", STEMS)
def test_file_is_whole(stem):
    """A file has a title, sources and claims; with models, it has their layers too."""
    family = reference.family(stem)
    assert family.title and family.sources and family.claims
    assert bool(family.models) == bool(family.layers)
    assert all(model.rows for model in family.models)


@pytest.mark.parametrize("entry", CLAIMS, ids=lambda claim: claim.id)
def test_claim_is_not_refuted(entry):
    """A formula comes to its result, a total is its column's sum, a size follows from strides."""
    slips = list(refuted(entry, MODELS.get(entry.model)))
    assert not slips, "\n".join(slips)


@pytest.mark.parametrize("entry", CLAIMS, ids=lambda claim: claim.id)
def test_claim_says_what_decides_it(entry):
    """A claim names a known quantity, and a model or a formula unless it is only cited."""
    assert entry.quantity in QUANTITIES
    assert entry.model or entry.expression or entry.quantity == "cited"


@pytest.mark.parametrize("dispute", DISPUTES, ids=lambda dispute: dispute.claim)
def test_dispute_has_a_cause(dispute):
    """A disputed print is not what was counted, nor its proper rounding."""
    claim = next(claim for claim in CLAIMS if claim.id == dispute.claim)
    slips = list(idle(dispute, claim))
    assert not slips, "\n".join(slips)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_every_row_is_claimed(model):
    """Every row of a model's table that lists layers makes a claim on them."""
    claimed = {each.layer for each in CLAIMS if each.model == model.name and each.holds}
    assert claimed >= {row.name for row in model.rows if row.convolutions or row.operations}


def test_arithmetic_decides_something():
    """Formulas, and the rows of the tables, each decide claims: neither check is empty."""
    models = [claim for claim in CLAIMS if claim.model]
    assert any(claim.expression for claim in CLAIMS)
    assert any(derive(claim, MODELS[claim.model]) is not None for claim in models)


@pytest.mark.parametrize(
    ("written", "size", "texts", "layers"),
    [
        ("3x3/2 V 32, 3x3 64", (149, 149, 64), ("3x3/2 32", "3x3 64"), 2),
        ("max pool 3x3/2 ceil", (150, 150, 3), ("max pool 3x3/2",), 0),
        ("1x7 8, 7x1/1 8", (300, 300, 8), ("1x7 8", "7x1 8"), 2),
        ("sep 7x7/2 m=8 64", (150, 150, 64), ("7x7/2 24", "1x1 64"), 2),
        ("5x5 g=3 6", (300, 300, 6), ("5x5 6",), 1),
        ("average pool 300x300 V, fc 9", (1, 1, 9), ("average pool", "fc 9"), 1),
        ("upsample 2x2, softmax", (600, 600, 3), ("upsample 2x2", "softmax"), 0),
        ("{1x1 4; 1x1 2, 3x3 8}", (300, 300, 12), ("1x1 4", "1x1 2", "3x3 8"), 2),
        ("{max pool 3x3; 1x1 4, {1x3 2; 3x1 2}}", (300, 300, 7),
         ("max pool 3x3", "1x1 4", "1x3 2", "3x1 2"), 2),
        ("{1x1 4; 3x3 4} x 2", (300, 300, 8), ("1x1 4", "3x3 4") * 2, 2),
        ("[{1x1 4; 3x3 4}, 1x1 3] x 2", (300, 300, 3), ("1x1 4", "3x3 4", "1x1 3") * 2, 4),
    ],
)  # fmt: skip
def test_written_layers_are_placed(written, size, texts, layers):
    """What a cell writes gives the size, the layers and the depth that a network has by it."""
    parts, left = Setting("(k - 1) / 2", shortcut="identity").place(parse(written), (300, 300, 3))
    assert left == size
    assert tuple(layer.text for layer in flat(parts)) == texts
    assert depth(parts, ("conv", "fc")) == layers


@pytest.mark.parametrize(
    ("shortcut", "stride", "written", "texts"),
    [
        ("projection", 2, "[3x3 8, 3x3 8] x 2", ("3x3/2 8", "3x3 8", "1x1/2 8", "3x3 8", "3x3 8")),
        ("projection", 1, "[3x3 3] x 2", ("3x3 3", "3x3 3")),
        ("projection", 1, "[3x3/2 8, 3x3 8]", ("3x3/2 8", "3x3 8", "1x1/2 8")),
        ("padded identity", 2, "[3x3 8] x 2", ("3x3/2 8", "3x3 8")),
        ("padded identity", 1, "[3x3/2 8]", ("3x3/2 8",)),
        ("", 2, "[3x3 8] x 2", ("3x3/2 8", "3x3 8")),
    ],
)
def test_shortcut_is_what_the_table_says(shortcut, stride, written, texts):
    """A block takes the stride at its start, and a projection where its table names them."""
    setting = Setting("(k - 1) / 2", stride, shortcut)
    parts, _ = setting.place(parse(written), (32, 32, 3))
    assert tuple(layer.text for layer in flat(parts)) == texts


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{1x1 64; 3x3/2 64}", "its branches leave 32x32 and 16x16"),
        ("[3x3 8] x 2", "32x32x8 cannot be added to 32x32x3"),
        ("33x33 V 8", "does not fit"),
        ("3x3 g=2 8", "does not fit"),
        ("{1x1 64; 3x3 64", "does not close"),
        ("[1x1 64; 3x3 64] x 2", "branches in a block"),
        ("1x1 64]", "too many"),
        ("1x1 64, , 3x3 64", "is not a layer"),
        ("sep 3x3 64", "is not a layer"),
        ("3x3 m=2 64", "is not a layer"),
    ],
)
def test_what_cannot_be_built_is_refused(written, words):
    """Branches of different grids, sums of different sizes and open brackets are refused."""
    with pytest.raises(ValueError, match=words):
        Setting("(k - 1) / 2", shortcut="identity").place(parse(written), (32, 32, 3))


@pytest.mark.parametrize("spell", [str, str.upper, lambda name: name.replace("-", "_") + " "])
@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_name_is_found(model, spell):
    """A model is found by its name and aliases, whatever their case and punctuation."""
    names = model.name, *model.aliases
    assert all(reference.find(spell(name)) is model for name in names)


def test_unknown_name_offers_the_nearest():
    """An unknown name is answered in one line that offers names which do exist."""
    name = next(iter(MODELS))
    with pytest.raises(reference.UnknownArchitecture) as error:
        reference.find(f"{name}x")
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("alias", [alias for model in MODELS.values() for alias in model.aliases])
def test_name_within_an_unknown_one_is_offered_first(alias):
    """As vgg16 is for vgg16_hf."""
    said = f"the nearest are {reference.find(alias).name},"
    with pytest.raises(reference.UnknownArchitecture, match=said):
        reference.find(f"{alias}_hf")


@pytest.mark.parametrize(
    ("text", "count", "agrees"),
    [
        ("3.8e9", 3_857_973_248, True),
        ("3.8e9", 4_089_184_256, False),
        ("3.8e9", 3_900_000_000, False),
        ("1.8×10^9", 1_814_073_344, True),
        ("128M", 128_049_152, True),
        ("128M", 129_000_000, False),
        ("62.3 million", 62_369_152, True),
        ("1.1 billion", 1_135_906_176, True),
        ("60,000", 60_000, True),
        ("60,000", 60_001, False),
        ("840", 841, False),
        ("6%", evaluate("3747200 / 62369152"), True),
        ("55%", evaluate("27 / 49"), True),
        ("25/9", evaluate("25 / 9"), True),
        ("seven", 7, True),
        ("28 * 28 * 6", 4704, True),
        ("28x28", (28, 28, 512), True),
        ("28x28x512", (28, 28, 512), True),
        ("28x28x512", (28, 28), False),
        ("1x1", (1000,), True),
        ("1000", (1000,), True),
        ("1000", (1000, 1, 1), False),
        ("5x5", 5, True),
        ("under 25 million", 23_834_568, True),
        ("under 25 million", 27_161_264, False),
        ("at least 0.1", 0.1, True),
        ("at most 0.3", 0.31, False),
        ("over 1,000", 1000, False),
        ("5ms", evaluate("289 / 60000"), True),
        ("7s", evaluate("60000 * 0.000108"), True),
        ("6s", evaluate("60000 * 0.000122"), False),
    ],
)
def test_printed_agrees_to_its_last_digit(text, count, agrees):
    """A count agrees with a print by less than one unit of its last digit; in full, exactly."""
    assert Printed(text).agrees_with(count) is agrees


@pytest.mark.parametrize(("k", "count"), [(1000, 159_000), (1024, 162_816)])
def test_a_k_is_what_it_is_said_to_be(k, count):
    """A K stands for what the reference states, and has no value where it states nothing."""
    assert Printed("159K", k).value == count
    assert Printed("159K", k).agrees_with(count)
    with pytest.raises(ValueError, match="1000 or 1024"):
        _ = Printed("159K").value


@pytest.mark.parametrize("text", ["3.8 giga", "12 G", "about 5", "", "3.8.1", "28x", "2 *"])
def test_no_unit_is_guessed(text):
    """A text that is no number, size or formula is refused, and named."""
    with pytest.raises(ValueError, match="is no|unknown unit"):
        Printed(text)


@pytest.mark.parametrize(
    ("formula", "value"),
    [("(5*5 + 1)*6*28*28", 122_304), ("2^10", 1024), ("-(3 - 5) / 4", 0.5), ("0.1 + 0.2", 0.3)],
)
def test_formula_is_exact(formula, value):
    """A formula is evaluated in fractions, so that no digit is lost."""
    assert evaluate(formula) == evaluate(str(value))


@pytest.mark.parametrize(
    "formula", ["__import__('os')", "a + 1", "1 / 0", "2 ^ 9 ^ 9", "(1,)", "1 <"]
)
def test_formula_is_only_arithmetic(formula):
    """Names, calls, divisions by nothing and towers of powers are refused."""
    with pytest.raises(ValueError, match="is no formula"):
        evaluate(formula)


def test_no_reference_files_at_all_are_an_error(tmp_path):
    """An installation that lost them lists no network, and says so."""
    with pytest.raises(reference.DamagedReference, match="there are no reference files"):
        reference.models(tmp_path)


def test_a_profile_without_rows_is_an_error(tmp_path):
    """It would explain nothing, and a variant is there to explain."""
    text = (variants.HERE / "any.md").read_text(encoding="utf-8")
    title, first, *_ = text.split("\n## ")
    lines = [line for line in first.splitlines() if not line.startswith("| ") or "| node" in line]
    (tmp_path / "any.md").write_text(f"{title}\n## " + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(reference.DamagedReference, match="explains nothing|no rows"):
        variants.profiles(tmp_path)
