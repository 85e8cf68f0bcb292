"""Checks of a port as pytest's items.  The gate runs once for all of them, in its own process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import pytest

from conformance import reference
from conformance.errors import Refused
from conformance.judge.answers import accepted
from conformance.judge.checks import Check, checks, failure, unjudged
from conformance.judge.expectations import BadExpectation
from conformance.ports.sandbox import NO_GPU, Limits, work
from conformance.pytest.decorator import Ported
from conformance.trace import registry

if TYPE_CHECKING:
    from conformance.judge.results import Gate


class Judged:
    """A port and its verdict, which is found out when it is first asked for."""

    def __init__(self, name: str, options: Ported) -> None:
        """Raises :class:`LookupError` and :class:`BadExpectation`."""
        model = reference.find(options.arch)
        self.limits = Limits(options.timeout or None)
        self.checks = checks(model, options.expect)
        self.job = {
            "task": "judge.gate",
            "port": name,
            "architecture": model.name,
            "framework": registry.find(options.framework).name if options.framework else None,
            "size": options.input,
            "seed": options.seed,
            "numbers": True,
            "trained": options.trained,
            "drawing": False,
            "debug": False,
            "expect": list(options.expect),
        }
        self.answer: Gate | Refused | None = None

    def result(self, asking: str) -> Gate:
        """The gate's result.

        Raises :class:`Refused` each time it is asked for, with the cause for whoever asks first.
        """
        if self.answer is None:
            try:
                # The port imports what the tests import.
                job = self.job | {"path": sys.path}
                self.answer = accepted(job, work(job, self.limits, variables=NO_GPU))
            except Refused as refused:
                self.answer = Refused(f"not judged, see {asking}", refused.code)
                raise
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer


class Differs(Exception):
    """A check that failed; the message is what there is to see."""


class PortItem(pytest.Item):
    """One check of one port."""

    def __init__(self, *, check: Check, judged: Judged, reason: str, line: int, **rest: Any):
        super().__init__(**rest)
        self.check, self.judged, self.line = check, judged, line
        self.add_marker("conformance")
        if self.config.pluginmanager.hasplugin("xdist"):  # with --dist loadgroup: one gate run
            self.add_marker(pytest.mark.xdist_group(judged.job["port"]))
        if reason:
            self.user_properties.append(("reason", reason))

    def runtest(self) -> None:
        """Fail with what the gate says of this check."""
        result = self.judged.result(self.name)
        if self.check.kind == "complete":
            said = filter(None, (result.verdict, result.variant))
            self.user_properties.append(("verdict", " ".join(said)))
        if lines := failure(self.check, result, self.judged.checks):
            raise Differs("\n".join(lines))
        if reason := unjudged(self.check, result):
            pytest.skip(reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A verdict needs no traceback."""
        if isinstance(excinfo.value, (Differs, Refused)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str], int, str]:
        """Where the factory is."""
        return self.path, self.line, self.name


def collected(
    parent: pytest.Collector, name: str, where: str, options: Ported, factory: object = None
) -> Iterator[pytest.Item]:
    """The items of a port called ``name``, found as ``where`` by the gate.

    Raises :class:`pytest.Collector.CollectError` where the options are wrong.
    """
    try:
        judged = Judged(where, options)
    except (LookupError, BadExpectation) as wrong:
        raise parent.CollectError(f"{name}: {wrong}") from None
    code = getattr(unwrap(factory), "__code__", None) if callable(factory) else None
    for check in judged.checks:
        yield PortItem.from_parent(
            parent,
            name=f"{name}[{check}]",
            check=check,
            judged=judged,
            reason=options.expect.get(check.of, "") if check.kind == "expected" else "",
            line=code.co_firstlineno - 1 if code else 0,
        )


def decorated(
    parent: pytest.Module | pytest.Class, name: str, options: Ported, factory: object
) -> list[pytest.Item]:
    """The items of a decorated factory in a test file, or in a class of it."""
    classes = [each.name for each in parent.listchain() if isinstance(each, pytest.Class)]
    module = parent.getparent(pytest.Module)
    assert module is not None
    # In a package the file's own imports may be relative, and it is loaded by its full name.
    package = "." in module.obj.__name__ and parent.config.getoption("importmode") != "importlib"
    file = module.obj.__name__ if package else str(module.path)
    where = f"{file}:{'.'.join([*classes, name])}"
    return list(collected(parent, name, where, options, factory))
