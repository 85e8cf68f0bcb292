"""Runs a module of this package in a fresh interpreter: ``python -P boot.py MODULE [ARGUMENT…]``.

Ours is found by where this file is, and by nothing else: neither the folder in which the user works
nor one on his path is looked into for it, and none of ours is left on his.
"""

import runpy
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    import conformance  # noqa: F401  its modules are found through it from here on

    sys.path.remove(ROOT)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs ``module`` with this interpreter."""
    return [sys.executable, "-P", __file__, module, *arguments]
