"""The decorator for a porter's own test file: one test a check of what his factory makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Ported:
    """What a factory's model is held against, and how.

    ``input`` is the image as height, width, channels (default: the paper's), ``framework`` whose
    model it is (default: worked out).  ``expect`` has a reason for each deviation that is meant to
    be there, by row or node and attribute: ``{"conv3_x stride": "we keep v1.5's stride"}``.
    ``trained`` says that it comes with trained weights, whose initial values nobody can judge.
    ``seed`` is that of the canonical weights; ``timeout`` is in seconds, None for no limit.
    """

    arch: str
    input: tuple[int, int, int] | None = None
    framework: str | None = None
    expect: Mapping[str, str] = field(default_factory=dict)
    trained: bool = False
    seed: int = 0
    timeout: float | None = 600.0


def port(
    arch: str,
    *,
    input: tuple[int, int, int] | None = None,
    framework: str | None = None,
    expect: Mapping[str, str] | None = None,
    trained: bool = False,
    seed: int = 0,
    timeout: float | None = 600.0,
) -> Callable[[Factory], Factory]:
    """Hold what the decorated factory makes against a published network, one test a check.

    The factory stays what it was and can be called.  Options are those of :class:`Ported`.
    """
    if not isinstance(arch, str):
        raise TypeError('name the architecture: @port("…"), with a name from conformance list')
    options = Ported(arch, input, framework, dict(expect or {}), trained, seed, timeout)

    def decorate(factory: Factory) -> Factory:
        @wraps(factory, updated=())
        def made(*arguments: Any, **named: Any) -> Any:
            return factory(*arguments, **named)

        made.__dict__["conformance"] = options
        return made  # type: ignore[return-value]

    return decorate
