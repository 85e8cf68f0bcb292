"""Situations that a command gets into: the command line, its exit code, and what it says.

A row may have files of its own (``files``; ``@`` a link, ``|`` a named pipe), something to be done
to a folder of evidence first (``damage``), or a shell that closes or fills a stream (``shell``, in
which ``conformance`` stands for the command).  ``needs`` is a framework; with ``warm`` it is
imported once for all such rows.  ``never`` is what must not be said.  Every row but those of a
shell is also held to one line on standard error where the code is 2, and to no traceback and no
control character.
"""

from tests.situations.commands import BUILDS, ENDS, FILES, USAGE
from tests.situations.evidence import EVIDENCE
from tests.situations.models import MODES, TORCH
from tests.situations.row import PORTS
from tests.situations.streams import STREAMS, WHOLE
from tests.situations.unfinished import UNFINISHED

__all__ = ["PORTS", "SITUATIONS"]

SITUATIONS = [
    *USAGE,
    *BUILDS,
    *ENDS,
    *FILES,
    *EVIDENCE,
    *STREAMS,
    *TORCH,
    *MODES,
    *UNFINISHED,
    *WHOLE,
]
