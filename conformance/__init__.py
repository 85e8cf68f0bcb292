"""Do they agree?  Traces of live models, aligned, judged and compared."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.pytest.decorator import port

__all__ = ["port"]


def __getattr__(name: str) -> Any:
    """The decorator, imported when it is asked for: a command begins without it."""
    if name != "port":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from conformance.pytest.decorator import port

    return port
