"""Ports that are models, and yet cannot be judged, or only look hard to judge."""

from __future__ import annotations

from tests.situations.row import Situation, gate

LENET = """
import torch
from torch import nn

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c5, self.f6, self.out = nn.Conv2d(16, 120, 5), nn.Linear(120, 84), nn.Linear(84, 10)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        x = torch.tanh(self.pool(torch.tanh(self.c1(x))))
        x = torch.tanh(self.pool(torch.tanh(self.c3(x))))
        x = torch.tanh(self.c5(x)).flatten(1)
        return self.out(torch.tanh(self.f6(x))).softmax(1)

"""


def torch(name: str, text: str, code: int, says: str, never: str = "", more: str = "") -> Situation:
    """A port in PyTorch."""
    return gate(
        f"{name}.py:net", code, says, more, never=never, files={f"{name}.py": LENET + text},
        needs="torch", warm=True,
    )  # fmt: skip


MADE = "def net():\n    m = LeNet()\n    {}\n    return m\n"
STUB = "class S(LeNet):\n    def forward(self, x): return {}\nnet = S\n"
PLAIN = (
    "class S(LeNet):\n    def forward(self, x):\n        y = super().forward(x)\n"
    "        return {}\nnet = S\n"
)
TORCH = [
    torch("right", "net = LeNet\n", 0, "conforms"),
    torch("double", "net = lambda: LeNet().double()\n", 0, "conforms"),
    torch("parallel", "net = lambda: nn.DataParallel(LeNet())\n", 0, "conforms"),
    torch("instance", "net = LeNet()\n", 2, "is a model", never=r"Conv2d\("),
    torch("zeros", STUB.format("torch.zeros(len(x), 10)"), 2, "depend", "AssertionError"),
    torch("weight", STUB.format("self.c1.weight"), 2, "depend", "AssertionError"),
    torch("seterr", "import numpy\nnumpy.seterr(all='raise')\nnet = LeNet\n", 0, "conforms"),
    torch("raises", STUB.format("self.c9(x)"), 2, "c9.*raises.py"),
    torch("text", STUB.format("'logits'"), 2, "str"),
    torch(
        "names",
        "class N(nn.Sequential):\n    def __init__(self):\n        super().__init__()\n"
        "        self.add_module('a\\x1b[2J\\nb', nn.Conv2d(1, 6, 3))\nnet = N\n",
        1,
        r"a\\x1b\[2J",
    ),
    torch("flips", PLAIN.format("y if len(x) < 3 else y.flip(0)"), 1, "plainly|batch"),
    torch("single", PLAIN.format("y if x.dtype == torch.float64 else y * 1.01"), 1,
          "called plainly"),
    torch("asks", PLAIN.format("y if len(x) < 3 else y.roll(1, 1)"), 1, "called plainly"),
    torch("exits", STUB.format("__import__('os')._exit(0)"), 3, "exit code 0"),
    torch("emptied", "import sys\nsys.modules.clear()\nnet = LeNet\n", 2, "does not build"),
    torch("no_open", "import builtins\nbuiltins.open = None\nnet = LeNet\n", 3,
          "replaces builtins.open"),
    torch("audits", "import sys\ndef hook(event, _):\n    if event == 'open': raise OSError('no')\n"
          "sys.addaudithook(hook)\nnet = LeNet\n", 3, r"an exception in .*audits.py:\d+: OSError"),
    torch("hollow", PLAIN.format("y + torch.zeros(1, device='meta')"), 2, "forward fails"),
    torch("mute", "class S(LeNet):\n    def train(self, mode=True):\n        super().train(mode)\n"
          "net = S\n", 0, "conforms"),
    torch("wordless", "class E(Exception):\n    def __str__(self): raise E\n"
          "class S(LeNet):\n    def forward(self, x): raise E\nnet = S\n", 2, "fails.*: E "),
    torch("modes", "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
          "torch.use_deterministic_algorithms(True)\ntorch.inference_mode(True).__enter__()\n"
          "net = LeNet\n", 0, "conforms"),
    torch("leaves", PLAIN.format("y if self.training else y") + "import os, time\n"
          "if not os.fork():\n    os.setsid()\n    time.sleep(300)\n", 0, "conforms"),
    torch("huge", "class H(LeNet):\n    def __init__(self):\n        super().__init__()\n"
          "        self.w = nn.Parameter(torch.zeros(1 << 45))\nnet = H\n", 3, "out of memory"),
]  # fmt: skip

#: PyTorch in odd modes, and modules as other libraries wrap, hook and prepare them.
MODES = [
    torch("checkpoint", "from torch.utils.checkpoint import checkpoint\n" + STUB.format(
        "checkpoint(super().forward, x, use_reentrant=False)"), 0, "conforms"),
    torch("vmap", "class S(LeNet):\n    def one(self, x): return super().forward(x[None])[0]\n"
          "    def forward(self, x): return torch.vmap(self.one)(x)\nnet = S\n", 0, "conforms"),
    torch("weight_norm", MADE.format("nn.utils.parametrizations.weight_norm(m.c1)"), 1,
          "computed in every call"),
    torch("spectral_norm", MADE.format("nn.utils.spectral_norm(m.c3)"), 1,
          "computed in every call"),
    torch("orthogonal", MADE.format("nn.utils.parametrizations.orthogonal(m.f6)"), 3,
          "forward runs and cannot be followed in f6"),
    torch("compiled", MADE.format("m.compile()"), 0, "conforms"),
    torch("traced", "net = lambda: torch.jit.trace(LeNet(), torch.zeros(1, 1, 32, 32))\n", 2,
          "TorchScript"),
    torch("graph", "import torch.fx\nnet = lambda: torch.fx.symbolic_trace(LeNet())\n", 0,
          "conforms"),
    torch("functional", "class S(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
          "        self.m = LeNet()\n    def forward(self, x):\n        return"
          " torch.func.functional_call(self.m, dict(self.m.named_parameters()), (x,))\nnet = S\n",
          0, "conforms"),
    torch("averaged", "from torch.optim.swa_utils import AveragedModel\n"
          "net = lambda: AveragedModel(LeNet())\n", 0, "conforms"),
    torch("same", "one = nn.DataParallel(LeNet())\ndef net(): return one\n", 0, "conforms"),
    torch("uncopied", "import threading\nclass S(LeNet):\n    def __init__(self):\n"
          "        super().__init__()\n        self.lock = threading.Lock()\n"
          "    def __deepcopy__(self, memo): raise TypeError('no')\n"
          "    def __reduce_ex__(self, protocol): raise TypeError('no')\nnet = S\n", 0, "conforms"),
    torch("hooked", MADE.format("m.f6.register_forward_hook(lambda m, i, o: o * 2.0)"), 1,
          "after F6: scale is extra"),
    torch("hook_fails", "def h(*_): raise ValueError('hook')\n"
          + MADE.format("m.f6.register_forward_hook(h)"), 2, "ValueError: hook .*hook_fails.py"),
    torch("hooked_back", MADE.format(
        "m.c3.register_full_backward_hook(lambda m, i, o: (i[0] * 2,))"), 1, "gradient"),
    torch("lazy", "class S(LeNet):\n    def __init__(self):\n        super().__init__()\n"
          "        self.c5, self.f6 = nn.LazyConv2d(120, 5), nn.LazyLinear(84)\nnet = S\n", 0,
          "conforms"),
    torch("trained", MADE.format("o = torch.optim.SGD(m.parameters(), .1);"
          " m(torch.zeros(1, 1, 32, 32)).sum().backward(); o.step()"), 0, "conforms"),
    torch("listed", MADE.format("m.order = [m.c1, m.c3, m]"), 0, "conforms"),
    torch("into_the_image", PLAIN.format("y").replace("super().forward(x)",
          "super().forward(x.mul_(1))"), 0, "conforms"),
    torch("quantised", "from torch.ao.quantization import quantize_dynamic\n"
          "net = lambda: quantize_dynamic(LeNet(), {nn.Linear})\n", 3, "followed in f6"),
    torch("thread", "from concurrent.futures import ThreadPoolExecutor\n" + STUB.format(
        "ThreadPoolExecutor(1).submit(super().forward, x).result()"), 3, "be followed in c1"),
    torch("auxiliary", PLAIN.format("y, torch.zeros(len(x), 3)"), 2, "output 2 does not depend"),
    torch("array", PLAIN.format("y.detach().numpy()"), 2, "numpy"),
    torch("nothing", PLAIN.format("None"), 2, "returned NoneType; return the logits"),
    torch("keyword", "class S(LeNet):\n    def forward(self, *, x): return x\nnet = S\n", 2,
          "positional argument"),
    torch("pair", "net = lambda: (LeNet(), None)\n", 2, "returns tuple"),
    torch("draws", PLAIN.format("y + torch.rand(1)"), 1, "drawn at random in inference"),
    torch("not_a_number", MADE.format("nn.init.constant_(m.c1.weight, float('nan'))"), 1,
          "not finite"),
    torch("no_streams", "import sys\nsys.stdout.close()\nsys.stderr = sys.stdin = None\n"
          "net = LeNet\n", 0, "conforms"),
    torch("no_processor", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (3, 3))\n"
          "def net():\n    while True: pass\n", 3, "SIGKILL"),
    torch("blocked", "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
          "os.umask(0o777)\nos.environ.clear()\nnet = LeNet\n", 0, "conforms"),
]  # fmt: skip
