"""Every wall falls when it is breached, and no other wall falls with it."""

import subprocess
from pathlib import Path

import pytest

from tests import walls

pytestmark = pytest.mark.bare

#: A small tree in which every wall stands.
TREE = {
    "reference/__init__.py": "import re\n",
    "reference/lenet.md": "# LeNet\n\n## Models\n",
    "implementations/torch/lenet.py": "import torch.nn as nn\n",
    "implementations/keras/lenet.py": "from keras import layers\n",
    "implementations/flax/lenet.py": "import jax\nfrom flax import nnx\n",
    "conformance/align.py": (
        '"""LeNet\'s count."""\nimport numpy\nfrom conformance.trace import tape\n'
    ),
    "conformance/trace/tape.py": "import numpy\n",
    "conformance/trace/torch/port.py": "import torch\nfrom conformance.trace import tape\n",
    "conformance/trace/tensorflow.py": "import tensorflow as tf\n",
    "conformance/trace/keras.py": (
        "import importlib\nimport keras\n"
        "importlib.import_module(f'conformance.trace.{keras.backend.backend()}')\n"
    ),
    "conformance/trace/jax/port.py": "import jax\n",
    "conformance/trace/keras/jax.py": "import keras\nfrom conformance.trace import jax\n",
    "conformance/trace/flax.py": "import flax\nfrom conformance.trace import jax\n",
    "tests/selftest/torch.py": "import torch\ny = 'LeNet-5'\n",
    "reports/markdown.py": "from conformance.trace import graph\n",
    "README.md": "See https://example.org/home/page and evidence/.\n",
}
BREACHES = [
    # A framework where the path names none, however it is reached.
    ("framework_imports", "conformance/align.py", "import torch\n"),
    ("framework_imports", "conformance/align.py", "def f():\n    from torch import nn\n"),
    (
        "framework_imports",
        "conformance/align.py",
        "import importlib as i\ni.import_module('jax')\n",
    ),
    (
        "framework_imports",
        "tests/test_align.py",
        "import pytest\npytest.importorskip('keras')\n",
    ),
    ("framework_imports", "conformance/align.py", "from conformance.trace import torch\n"),
    ("framework_imports", "conformance/align.py", "from .trace.torch import port\n"),
    ("framework_imports", "conformance/trace/tape.py", "from . import tensorflow\n"),
    (
        "framework_imports",
        "conformance/align.py",
        "from conformance.implementations.keras import lenet\n",
    ),
    ("framework_imports", "conftest.py", "import tensorflow\n"),
    # Another framework than the path's.
    ("framework_imports", "implementations/keras/lenet.py", "import tensorflow\n"),
    (
        "framework_imports",
        "implementations/torch/lenet.py",
        "from ..flax import lenet\n",
    ),
    ("framework_imports", "conformance/trace/keras.py", "import conformance.trace.jax\n"),
    ("framework_imports", "conformance/trace/jax/port.py", "import jax, flax\n"),
    ("framework_imports", "conformance/trace/keras/jax.py", "import keras, torch\n"),
    # A framework where no name would help.
    ("framework_imports", "reference/torch.py", "import torch\n"),
    ("framework_imports", "reports/keras.py", "import keras\n"),
    ("framework_imports", "reports/flax.py", "from conformance.trace.flax import port\n"),
    # One room in another.
    ("room_imports", "reference/printed.py", "import numpy\n"),
    ("room_imports", "reference/printed.py", "from conformance import align\n"),
    (
        "room_imports",
        "implementations/torch/lenet.py",
        "import conformance.reference\n",
    ),
    ("room_imports", "implementations/torch/lenet.py", "from conformance.trace import torch\n"),
    ("room_imports", "implementations/flax/lenet.py", "from conformance.graph import align\n"),
    ("room_imports", "reports/markdown.py", "from implementations import torchless\n"),
    ("room_imports", "conformance/align.py", "import pandas\n"),
    ("room_imports", "conformance/align.py", "from tests import walls\n"),
    # A folder's own name, under which a module would be loaded twice.
    ("room_imports", "conformance/align.py", "import reference\n"),
    ("room_imports", "tests/test_align.py", "from reports import markdown\n"),
    # A room in one that stands on it.
    ("floors", "conformance/graph/align.py", "from conformance.numbers import oracle\n"),
    ("floors", "conformance/errors.py", "from conformance import graph\n"),
    ("floors", "reports/markdown.py", "from conformance.cli import output\n"),
    # What the suite must not know, what everyone must have, what nobody else has.
    ("architecture_names", "conformance/align.py", "NAMES = {'lenet5': 5}\n"),
    ("architecture_names", "conformance/trace/torch/port.py", "x = f'{1} of LeNet'\n"),
    ("stems", "reference/vgg.md", "# VGG\n\n## Models\n"),
    ("stems", "implementations/keras/alexnet.py", "import keras\n"),
    ("machine_paths", "CONTRIBUTING.md", "Put it in /ho" + "me/ada/suite.\n"),
    ("machine_paths", "conformance/align.py", "x = '/Us" + "ers/ada'\n"),
    ("machine_paths", ".ci/run", "cd /ro" + "ot/suite\n"),
    ("machine_paths", "tox.ini", "# see ../sha" + "red/notes\n"),
]


@pytest.fixture
def tree(tmp_path):
    """The small tree, as a checkout."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for path, text in TREE.items():
        write(tmp_path / path, text)
    return tmp_path


def test_walls_stand(tree):
    """In a tree without a breach no wall falls."""
    assert not fallen(tree)


@pytest.mark.parametrize(("wall", "path", "text"), BREACHES)
def test_wall_falls(tree, wall, path, text):
    """A breach brings down its own wall, at its own place, and no other."""
    write(tree / path, text)
    breaches = fallen(tree)
    assert list(breaches) == [wall]
    assert all(Path(path).stem in sentence.split(": ")[0] for sentence in breaches[wall])


def write(file, text):
    """Write a file in a folder that may not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def fallen(root):
    """The walls that have fallen, each with its breaches."""
    found = {
        wall.__name__: [s for path in walls.python_files(root) for s in wall(root, path)]
        for wall in walls.FILE_WALLS
    } | {wall.__name__: list(wall(root)) for wall in walls.TREE_WALLS}
    return {name: breaches for name, breaches in found.items() if breaches}
