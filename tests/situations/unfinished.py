"""Unfinished ports of other frameworks than PyTorch: one sentence, from every command."""

from __future__ import annotations

from tests.situations.row import Situation

KERAS = "import keras\nfrom keras import layers, ops\n"
CALLED = f"{KERAS}class Net(keras.Model):\n    def call(self, x): {{}}\nnet = Net\n"
NNX = "from flax import nnx\nimport jax.numpy as jnp\nclass Net(nnx.Module):\n{}\nnet = Net\n"
LINEN = (
    "from flax import linen as nn\nimport jax.numpy as jnp\nclass Net(nn.Module):\n"
    "    @nn.compact\n    def __call__(self, x): {}\nnet = Net\n"
)
PAIR = "import jax.numpy as jnp\ndef net(): return (lambda variables, x: {}), {{}}\n"
TENSORFLOW = (
    "import tensorflow as tf\nclass Net(tf.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.w = tf.Variable([1.0])\n"
    "    def __call__(self, x): {}\nnet = Net\n"
)
CONSTANT, NOTHING = "does not depend on the image", "returns nothing: it has to return the logits"
FIXED = (
    f"{KERAS}def net():\n    image = keras.Input((32, 32, 1))\n    zeros = layers.Lambda("
    "lambda x: ops.zeros((ops.shape(x)[0], 10)), output_shape=(10,))\n"
    "    return keras.Model(image, zeros(image))\n"
)


def unfinished(needs: str, text: str, says: str, command: str = "gate") -> Situation:
    """A port that is not finished, and a command that is given it."""
    line = {
        "gate": "gate net.py:net --arch lenet5-table",
        "identify": "identify net.py:net",
        "compare": "compare net.py:net net.py:net --arch lenet5-table",
        "convert": "convert net.py:net net.py:net --arch lenet5-table --out o",
    }[command]
    return Situation(line, 2, says, files={"net.py": text}, needs=needs)


UNFINISHED = [
    unfinished("keras", CALLED.format("return ops.ones((ops.shape(x)[0], 10))"), CONSTANT),
    unfinished("keras", CALLED.format("return None"), NOTHING),
    unfinished("keras", CALLED.format("raise NotImplementedError('todo')"), "todo.*net.py:4"),
    unfinished("keras", f"{KERAS}net = keras.Sequential\n", "no layers"),
    unfinished("keras", FIXED, CONSTANT, "identify"),
    unfinished("keras", FIXED, f"A: .*{CONSTANT}", "convert"),
    unfinished("keras", TENSORFLOW.format("return self.w"), CONSTANT),
    unfinished("keras", TENSORFLOW.format("raise NotImplementedError('todo')"), "todo.*net.py:6"),
    unfinished("flax", NNX.format("    pass"), "not be called|no __call__|takes no arguments"),
    unfinished("flax", NNX.format("    def __init__(self, rngs): self.w = nnx.Param(jnp.ones(10))\n"
               "    def __call__(self, x): return self.w[...]"), CONSTANT),
    unfinished("flax", NNX.format("    def __init__(self, rngs): pass\n"
               "    def __call__(self, x): return x.mean((1, 2)), jnp.zeros((len(x), 3))"),
               f"output 2 {CONSTANT}"),
    unfinished("flax", LINEN.format("return jnp.zeros((x.shape[0], 10))"), CONSTANT, "identify"),
    unfinished("flax", LINEN.format("raise KeyError('conv')"), "KeyError: 'conv'.*net.py:5"),
    unfinished("flax", PAIR.format("jnp.zeros((len(x), 10))"), f"A: .*{CONSTANT}", "compare"),
    unfinished("flax", PAIR.format("None"), NOTHING),
    unfinished("flax", PAIR.format("'logits'"), "returns str"),
]  # fmt: skip
