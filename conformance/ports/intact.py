"""What a port has done to the interpreter that it shares with its judge, told from our own faults.

A port may replace ``builtins.open``, empty ``sys.modules`` or raise from a signal handler.  What
then fails in our code is its affair; whatever else fails there is ours.
"""

from __future__ import annotations

import sys
from pathlib import Path
from sysconfig import get_path
from types import ModuleType
from typing import Any

from conformance.trace.places import LIBRARIES, is_library, line

#: Lists in :mod:`sys` by which everybody's imports are found.
FINDERS = ("meta_path", "path_hooks", "path")


class Interpreter:
    """Modules and what they call things by, as they are before a port is imported."""

    def __init__(self) -> None:
        self.modules = {
            name: (module, dict(vars(module)))
            for name, module in sys.modules.items()
            if isinstance(module, ModuleType)
        }
        files = [(module, getattr(module, "__file__", None)) for module, _ in self.modules.values()]
        self.files = {file for _, file in files}
        self.folders = tuple(
            f"{Path(file).parent}/" for module, file in files if file and "__path__" in vars(module)
        )
        self.finders = {name: list(getattr(sys, name)) for name in FINDERS}
        self.python = f"{get_path('stdlib')}/"
        self.depth = sys.getrecursionlimit()

    def blame(self, fault: BaseException) -> str:
        """Why a fault in our code is the port's; empty if nothing says so."""
        trace = fault.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if trace and not self._others(file := trace.tb_frame.f_code.co_filename):
            return f"raises an exception in {line(file, trace.tb_lineno)}"
        return self._changed()

    def _changed(self) -> str:
        """The first thing that is not what it was."""
        for name in LIBRARIES:
            file = getattr(sys.modules.get(name), "__file__", None) or "-packages"
            if "-packages" not in file and not file.startswith(self.folders):
                return f"hides the library {name} by {file}"
        for name, (module, _) in self.modules.items():
            if sys.modules.get(name) is not module:
                return f"removes the module {name}"
        for name, entries in self.finders.items():
            if any(each not in getattr(sys, name) for each in entries):
                return f"takes entries out of sys.{name}"
        if sys.getrecursionlimit() < self.depth:
            return f"lowers the recursion limit to {sys.getrecursionlimit()}"
        for name, (module, before) in self.modules.items():
            now = vars(module)
            for key, was in before.items():
                new = now.get(key)
                if callable(was) and new is not was and not self._of_a_library(new):
                    return f"replaces {name}.{key}"
        return ""

    def _of_a_library(self, new: Any) -> bool:
        """Whether it was a library that put it there, as PyTorch does with inspect.getfile."""
        code = getattr(new, "__code__", None)
        return code is not None and self._others(code.co_filename)

    def _others(self, file: str) -> bool:
        """Whether a file is Python's, a framework's or of what was there before the port."""
        if not file.startswith("/") or file in self.files or file.startswith(self.folders):
            return True  # the first is of compiled code
        return is_library(file) or (file.startswith(self.python) and "-packages" not in file)
