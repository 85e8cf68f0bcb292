"""Keras computes with more than TensorFlow: what is found is the same, of the right one."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from conformance.judge.record import evidence
from conformance.ports import implementations as frameworks
from conformance.trace.canonical import canonical
from conformance.trace.evaluation import evaluate
from conformance.trace.tape import Tape
from tests.selftest.tiny import run

ASK = (
    "from conformance.ports import implementations as f\n"
    "print(f.backend('keras'), f.missing('keras'))"
)


def need(absent, extra):
    """What is said of packages that are not there."""
    return f"{absent} not installed: pip install 'convnet-conformance[{extra}]'"


@pytest.mark.bare
@pytest.mark.parametrize(
    ("chosen", "installed", "known", "said"),
    [
        ("", "torch", "", need("keras and tensorflow are", "keras")),
        ("", "keras", "", need("tensorflow is", "keras")),
        ("jax", "keras", "jax", need("jax is", "keras-jax")),
        ("torch", "keras tensorflow", "torch", need("torch is", "keras-torch")),
        ("tensorflow", "keras jax", "", need("tensorflow is", "keras")),
        ("", "keras tensorflow jax torch", "", ""),
        ("", "keras jax torch", "jax", ""),
        ("", "keras torch", "torch", ""),
    ],
)
def test_what_is_required_depends_on_the_backend(chosen, installed, known, said):
    """The one asked for, or else one that is installed; nothing is imported to find out."""
    hidden = "import sys, importlib.util as u; find = u.find_spec\n"
    hidden += f"there = {installed.split()}\n"
    hidden += "u.find_spec = lambda name: find('json') if name in there else None\n"
    command = [sys.executable, "-c", hidden + ASK]
    environment = {"KERAS_BACKEND": chosen, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{known} {said}".strip()


@pytest.mark.bare
def test_a_run_on_another_backend_has_another_name(tmp_path):
    """It does not take the place of the usual one, and is read as what it was."""
    usual, other = run("keras"), run("keras")
    other.backend = "jax"
    written = [evidence.write(each, tmp_path).name for each in (usual, other)]
    assert written == ["keras-cpu", "keras-jax-cpu"]
    assert "backend" not in json.loads((tmp_path / "keras-cpu/run.json").read_text())
    assert [each.backend for each in evidence.read(tmp_path)] == ["", "jax"]


def pooled(reduce, pads, size=3, fill="edge"):
    """A tape that pads the height at its end, in another layout than it pools in."""
    tape = Tape()
    image = tape.input((1, 4, 4, 2), "NHWC")
    padding = ((0, 0), (0, pads), (0, 0), (0, 0))
    padded = tape.emit("pad", (image,), (1, 4 + pads, 4, 2), padding=padding, value=fill)
    turned = tape.emit("transpose", (padded,), (1, 2, 4 + pads, 4), axes=(0, 3, 1, 2))
    tape.outputs = (
        tape.emit(
            "window", (turned,), (1, 2, 5 + pads - size, 4), reduce=reduce, size=(1, 1, size, 1),
            stride=(1, 1, 1, 1), padding=((0, 0),) * 4,
        ),
    )  # fmt: skip
    return tape


@pytest.mark.bare
@pytest.mark.parametrize(
    ("reduce", "pads", "size", "kinds"),
    [
        ("max", 1, 3, ["max_pool"]),
        ("max", 3, 3, ["unknown:pad", "max_pool"]),  # its last window is in the padding entirely
        ("mean", 1, 3, ["unknown:pad", "avg_pool"]),  # the edge counts twice in an average
    ],
)
def test_a_repeated_edge_is_padding_of_a_maximum_only(reduce, pads, size, kinds):
    """Keras pads so before it pools with PyTorch."""
    graph = canonical(pooled(reduce, pads, size))
    assert [node.kind for node in graph][1:] == kinds
    if len(kinds) == 1:
        assert graph.nodes[1].attributes["padding"] == ((0, pads), (0, 0))


@pytest.mark.bare
def test_a_repeated_edge_is_what_numpy_makes_of_it():
    """The tape's own evaluation repeats the outermost cells."""
    tape = pooled("max", 1)
    x = np.random.default_rng(0).normal(size=tape[0].shape)
    expected = np.concatenate([x, x[:, -1:]], axis=1)
    np.testing.assert_array_equal(evaluate(tape, 1, {0: x}), expected)


def test_an_unknown_backend_is_one_line(monkeypatch):
    """It says which there are."""
    if reason := frameworks.missing("keras"):
        pytest.skip(reason)
    tracer = frameworks.tracer("keras")
    with pytest.raises(tracer.UntraceableModel, match="set KERAS_BACKEND to tensorflow, jax or"):
        tracer.backend("numpy")


AUGMENTED = """
import keras, numpy
from conformance.trace.keras.port import port
layers = keras.layers
def build():
    kept = [layers.Input((8, 8, 1)), layers.RandomZoom(0.2), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential(kept)
model = port(build)
model.trace((8, 8, 1), training=True)
print(*[each.shape for each in model.plain({}, numpy.zeros((3, 8, 8, 1)))])
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_stores_a_random_state_is_called_plainly(backend):
    """An augmentation has integers among its variables, which no backend trains."""
    if not all(map(find_spec, ("keras", backend))):
        pytest.skip(f"keras and {backend} are not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", AUGMENTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split("\n")[-2:] == ["(3, 3)", ""], done.stderr[-500:]
