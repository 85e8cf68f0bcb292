"""A slip in a reference file is seen, with the file and the line where it stands."""

import re
import shutil

import pytest

from conformance import reference
from conformance.reference.slips import slips

pytestmark = pytest.mark.bare

#: For each slip: the file, a pattern and what is written instead of it, how the line begins that
#: is complained of, and words of the complaint.
SLIPS = {
    # The file cannot be read.
    "ragged row": ("alexnet", r"\| LRN +\|", "|", "| norm1 ", "row has 8 cells, the header has 9"),
    "columns alike": ("vgg", r"\| VGG-B  ", "| VGG-C  ", "| layer ", "two columns"),
    "no heading": ("lenet", "## Claims", "### Claims", "", "the heading Claims is missing"),
    "unknown unit": ("resnet", "11.3×10.9", "11.3 giga", "| ResNet-152 ", "unknown unit 'giga'"),
    "unit of two meanings": ("googlenet", ", K = 1024", "", "| conv1 ",
                             "whether K is 1000 or 1024"),
    "unknown layer": ("vgg", r"3x3 64, LRN", "3x3 64, LNR", "| conv1 ", "'LNR' is not a layer"),
    "unknown quantity": ("lenet", r"(\| 177 .*)neurons", r"\1nerves", "| 177 ", "'nerves'"),
    "unknown column": ("lenet", r"\| neurons  ", "| nerves  ", "| C1 ", "quantity 'nerves'"),
    "unknown convention": ("alexnet", r"34944( +)\| weights \+", r"34944\1| weights &",
                           "| conv1 ", "convention 'weights & bias'"),
    "no convention": ("lenet", r"- connections: .connections.(\n\n\| layer)", r"\1", "| C1 ",
                      "connections without a convention"),
    "no line": ("resnet", r"\| 1455", "| ", "|  ", "names no line of the document"),
    "no source": ("alexnet", r"- from: document, \*VGG-Net\*", "", "| 581 ", "which document"),
    "unknown source": ("vgg", "from paper, .Table 2", "from book, *Table 2", "| model ", "book"),
    "unknown note": ("vgg", "- conv5 conv", "- conv6 conv", "| layer ", "'conv6 convolutions'"),
    "unknown model": ("resnet", r"1455 \| ResNet-50 ", "1455 | ResNet-51 ", "| 1455 ", "no model"),
    "row of no table": ("lenet", r"(177 +\| LeNet-5 +\|) C5", r"\1 C7", "| 177 ", "C7"),
    "claimed twice": ("alexnet", r"(\| 361 .*\n)", r"\1\1", "| 361 ", "is claimed twice"),
    "row twice": ("resnet", r"(\| fc  .*\n)", r"\1\1", "| fc ", "'fc' is listed twice"),
    "model twice": ("resnet", r"(\| ResNet-18 +\| 2.*\n)", r"\1\1", "| ResNet-18 ", "listed twice"),
    "undecided": ("vgg", r"\| 13 - 11 +\|", "| |", "| 626 ", "nothing decides this claim"),
    "sum of nothing": ("alexnet", r"sum\(parameters: fc6 fc7 fc8\) +\|", "sum(parameters: fc9) |",
                       "| 389 ", "no cells to add"),
    "column undecided": ("logs", "- loss: cited", "- loss: ratio", "| 275-277 ", "nothing decides"),
    "column of no note": ("logs", "- loss: cited\n", "", "| 275-277 ", "unknown quantity 'loss'"),
    "no formula": ("resnet_cifar", r"6 \* 200 \+ 2", "6 n + 2", "| 1457 ",
                   "'6 n + 2' is not a number"),
    "head of no row": ("googlenet", r"\| inception_4d( +\| average)", r"| inception_4f\1",
                       "| aux_4d ", "GoogLeNet has no layer 'inception_4f'"),
    "unknown part": ("googlenet", r"5x5 \(#5x5\)", "5x5 (#5x6)", "| inception_3a ",
                     "no column '#5x6'"),
    "unknown shortcut": ("resnet", "shortcut: projection", "shortcut: option B", "| layer ",
                         "unknown shortcut 'option B'"),
    "model of no table": ("alexnet", "- model: AlexNet-groups", "- model: AlexNet", "",
                          "no table has the layers of AlexNet-groups"),
    "open module": ("inception_v3", r"(Mixed_6a .*)\}", r"\1", "| Mixed_6a ", "does not close"),
    "grid of a branch": ("inception_v3", r"(Mixed_6a .*)3x3/2 V 384", r"\1 3x3 384", "| Mixed_6a ",
                         "its branches leave 35x35 and 17x17"),
    "padding of a branch": ("inception_v3", r"(Mixed_7a .*)3x3/2 V 320", r"\1 3x3/2 320",
                            "| Mixed_7a ", "its branches leave 9x9 and 8x8"),
    "width of a sum": ("inception_resnet_v1", r"1x1 896\] x 10", "1x1 895] x 10",
                       "| inception_resnet_b ", "17x17x895 cannot be added to 17x17x896"),
    "total of nothing": ("inception_v3", r"total\(weights: Inception-v3",
                         "total(weights: Inception", "| ", "no total of 'weights' of 'Inception'"),
    "comparison with nothing": ("blocks", r"total\(weights: Conv-7x7\) / 64",
                                "total(weights: Conv-9x9) / 64", "| 589 ",
                                "no total of 'weights' of 'Conv-9x9'"),
    "dispute of nothing": ("lenet", "maps/235", "maps/236", "| lenet/LeNet-5/C1/", "no claim"),
    "dispute of other digits": ("lenet", r"235 ( +)\| 66 ", r"235 \1| 67 ", "| lenet/LeNet-5/C1/",
                                "prints '66'"),
    "dispute without reason": ("vgg", r"224x224 ( +)\| line 602 [^|]*\|", r"224x224 \1| |",
                               "| vgg/VGG-D/input/", "why it holds"),
    # The file can be read, and its own arithmetic refutes it.
    "digit of a formula": ("alexnet", r"11 \* 3 \+ 1\) \* 96 = ", "11 * 3 + 2) * 96 = ", "| conv1 ",
                           "is 35040"),
    "digit of a result": ("alexnet", "= 614656", "= 614666", "| conv2 ", "is 614656"),
    "digit of a comment": ("notebooks", "= 2416", "= 2426", "| 243 ", "is 2416"),
    "digit of a duration": ("logs", "0.000105", "0.000125", "| 279 ", "60000 * 0.000125 is 15/2"),
    "digit of a batch": ("training", r"50 \* 20", "50 * 30", "| 1310 ", "50 * 30 is 1500"),
    "digit of a total": ("alexnet", r"\| 62369152 ", "| 62369153 ", "| AlexNet ", "is 62369152"),
    "digit of a share": ("alexnet", "94%", "92%", "| 389 ", "92%"),
    "digit of a comparison": ("blocks", "55%", "57%", "| 646 ", "is 27/49"),
    "digit of a field": ("blocks", r"(591 .*)1x1 ( .*\| )1 \+ \(1 - 1\)", r"\1 1x1 \2 1 + (2 - 1)",
                         "| 591 ", "is 2"),
    "digit of a size": ("alexnet", "27x27x256", "28x28x256", "| conv2 ", "come to 27x27x256"),
    "digit of a count": ("vgg", "144M", "146M", "| VGG-E ", "come to 143667240"),
    "stride": ("resnet", r"14x14   \| 2 ", "14x14   | 1 ", "| conv4_x ", "come to 28x28"),
    "padding": ("alexnet", r"(5x5/1 256 +\|) 2", r"\1 1", "| conv2 ", "come to 25x25x256"),
    "repeats of a block": ("resnet", "x 23", "x 22", "| ResNet-101 ", "come to 98"),
    "width of a block": ("resnet", r"\[1x1 128, (3x3 128, 1x1 512\] x 8)", r"[1x1 192, \1",
                         "| ResNet-152 ", "come to 1"),
    "width of a branch": ("googlenet", r"(\| inception_3a .*\|) 32 ( +\| 32 )", r"\1 48 \2",
                          "| inception_3a ", "come to 28x28x272"),
    "width of a reduction": ("googlenet", r"(\| inception_4c .*) 128 +(\| 256)", r"\1 160 \2",
                             "| inception_4c ", "come to 600248"),
    "sizes of a module": ("inception_v3", r"(\| Mixed_5c .*) 64 ", r"\1 96 ", "| Mixed_5c ",
                          "come to 35x35x320"),
    "grid of a module": ("inception_v4", "8x8x1536 ", "7x7x1536 ", "| reduction_b ",
                         "come to 8x8x1536"),
    "width of a filter bank": ("inception_v4", r"\| 384 ", "| 388 ", "| reduction_a ",
                               "come to 17x17x1028"),
    "kernel of a branch": ("inception_v3", "1x1 48, 5x5 64", "1x1 48, 3x3 64", "| Inception-v3 ",
                           "come to 5532582496"),
    "repeats of a module": ("inception_v4", r"(1x1 128\} x) 7", r"\1 6", "| inception_b ",
                            "come to"),
    "count of layers": ("resnet_cifar", r"\| 18  ", "| 19  ", "| ResNet-110-CIFAR ", "come to 116"),
    "one table of two": ("vgg", r"(\| conv4 .*)\[3x3/1 512\] x 3", r"\1[3x3/1 512] x 2", "| conv4 ",
                         "come to 3x3 512, 3x3 512, 3x3 512"),
    "cause gone": ("vgg", r"\[3x3/1 256\] x 2", "[3x3/1 256] x 3", "| vgg/VGG-D/conv3/",
                   "no cause"),
    "cause rounded": ("resnet", "3.6×10.9", "3.7×10^9", "| resnet/ResNet-34/mul", "no cause"),
}  # fmt: skip


def complaints(stem, folder):
    """All that is said against one file."""
    try:
        return "\n".join(slips(reference.family(stem, folder)))
    except reference.DamagedReference as damage:
        return str(damage)


@pytest.fixture
def folder(tmp_path):
    """A copy of the reference files, to be written into."""
    return shutil.copytree(
        reference.HERE, tmp_path / "reference", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )


@pytest.mark.parametrize("stem", reference.families())
def test_nothing_is_said_against_the_files_themselves(folder, stem):
    """An unchanged copy draws no complaint."""
    assert not complaints(stem, folder)


@pytest.mark.parametrize(("stem", "pattern", "written", "line", "words"), SLIPS.values(), ids=SLIPS)
def test_slip_is_seen(folder, stem, pattern, written, line, words):
    """A slip draws a complaint that names its file and line and says what is wrong."""
    file = folder / f"{stem}.md"
    text, changes = re.subn(pattern, written, file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    places = {
        f"reference/{stem}.md:{number}: "
        for number, each in enumerate(text.splitlines(), 1)
        if line and each.startswith(line)
    } or {f"reference/{stem}.md: "}
    said = complaints(stem, folder)
    assert changes
    assert any(each.startswith(tuple(places)) and words in each for each in said.splitlines()), said


CLAIMS_ONLY = """# Schedules

- document: somewhere

## Claims

- from: document, *Training*

| line | subject              | quantity | printed | convention | expression |
|------|----------------------|----------|---------|------------|------------|
| 7    | steps of an epoch    | ratio    | 469     |            | 468 + 1    |
| 8    | accuracy             | cited    | 98%     |            |            |
"""


@pytest.mark.parametrize(
    ("written", "words"),
    [(CLAIMS_ONLY, ""), (CLAIMS_ONLY.replace("468", "467"), "is 468"),
     (CLAIMS_ONLY.replace("468 + 1", "sum(all)"), "no cells to add"),
     (CLAIMS_ONLY + "\n## Models\n", "the heading Layers is missing")],
    ids=["whole", "digit", "sum of nothing", "models without layers"],
)  # fmt: skip
def test_file_without_networks_is_read(folder, written, words):
    """A file that describes no network needs claims alone, and they are checked like all others."""
    (folder / "schedules.md").write_text(written, encoding="utf-8")
    said = complaints("schedules", folder)
    assert words in said if words else not said
