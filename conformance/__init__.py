"""Do they agree?  Traces of live models, aligned, judged and compared."""

from conformance.pytest.decorator import port

__all__ = ["port"]
