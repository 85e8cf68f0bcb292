"""Do they agree?  Traces of live models, aligned, judged and compared."""

from conformance.porting.ported import port

__all__ = ["port"]
