"""What two ports are asked on the command line, and orders of channels."""

import numpy as np
import pytest

from conformance.cli import main
from conformance.numbers.activations import reordered

pytestmark = pytest.mark.bare

PORT = "json:loads"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([PORT, PORT], "--input HEIGHTxWIDTHxCHANNELS or --arch ARCH"),
        ([PORT, PORT, "--input", "224x224"], "is not height x width x channels"),
        ([PORT, PORT, "--input", "0x8x3"], "is not height x width x channels"),
        ([PORT, PORT, "--arch", "nothing"], "nothing"),
        ([PORT, PORT, "--arch", "nothing", "--input", "8x8x3"], "not allowed with"),
        (["json", PORT, "--input", "8x8x3"], "A: 'json' names no factory"),
        (["json:nothing", PORT, "--input", "8x8x3"], "A: json has no 'nothing'"),
        (["nowhere.py:model", PORT, "--input", "8x8x3"], "A: nowhere.py: no such file"),
        (["nowhere.to.go:model", PORT, "--input", "8x8x3"], "A: nowhere.to.go cannot be imported"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "convert"])
def test_bad_input_is_one_line(command, arguments, said, tmp_path, monkeypatch, capsys):
    """Exit code 2, one line that says what is wrong, and nothing written."""
    monkeypatch.chdir(tmp_path)
    out = ["--out", "out.safetensors"] if command == "convert" else []
    assert main([command, *arguments, *out]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not list(tmp_path.iterdir())


def test_convert_refuses_early(tmp_path, capsys):
    """Where nothing can be written, nothing is built."""
    target = tmp_path / "nowhere" / "out.safetensors"
    assert main(["convert", PORT, PORT, "--input", "8x8x3", "--out", str(target)]) == 2
    assert "cannot write" in capsys.readouterr().err


def results():
    return np.random.default_rng(0).normal(size=(1, 6, 5, 8))


def test_an_order_of_channels_is_found():
    """Which of A's channels each of B's is, with rounding, and with two channels alike."""
    want = results()
    want[..., 3] = want[..., 5] = 0
    order = np.array([4, 2, 7, 0, 1, 6, 3, 5])
    found = reordered(want, want[..., order] * (1 + 1e-15), 1.0, 1e-12)
    assert found is not None
    assert np.array_equal(want[..., found], want[..., order])


@pytest.mark.parametrize("wrong", [lambda x: x[:, ::-1], lambda x: x + 1e-9, lambda x: x * np.nan])
def test_what_is_no_order_of_channels_is_not(wrong):
    """Rows in another order, a small error and what is not a number are no order of channels."""
    assert reordered(results(), wrong(results()), 1.0, 1e-12) is None
