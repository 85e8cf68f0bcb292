"""What a plain run finds of a port of a small network."""

from conformance import reference
from conformance.judge.finding import Part
from conformance.judge.port import forward, plain
from conformance.judge.port.subject import subject
from conformance.trace.port import Port

TABLE = reference.find("LeNet-5-table")


def plainly(port: Port) -> Part:
    """Of a LeNet-5 as its table has it, run first as the gate runs it."""
    asked = subject(port, TABLE, None, 0, lambda *said: None)
    found = forward.check(asked, []).parity
    assert found is not None
    return plain.check(asked, found)
