"""The batch axis is followed: what mixes images or loses their axis is named."""

import pytest

from conformance.trace import batch
from conformance.trace.port import UntraceableModel, checked
from conformance.trace.tape import Tape

pytestmark = pytest.mark.bare


class Port:
    """A port whose tape is written by a function of the tape, the image and the batch."""

    def __init__(self, write):
        self.write = write

    def trace(self, size, training=False, batch=None):
        tape, count = Tape(), batch or 1
        image = tape.input((count, *size), "NHWC")
        tape.outputs = (self.write(tape, image, count),)
        return tape


def dense(tape, x):
    """A classifier of the mean over the map."""
    pooled = tape.reduce(x, "mean", (1, 2))
    return tape.dot(pooled, tape.parameter("kernel", (3, 10)), (1, 0))


def head(t, x, n):
    return dense(t, x)


def flattened(t, x, n):
    flat = t.reshape(x, (n * 16, 3))
    kernel = t.parameter("kernel", (3, 5))
    return t.reshape(t.dot(flat, kernel, (1, 0)), (n, 80))


def channels_first(t, x, n):
    turned = t.transpose(x, (0, 3, 1, 2))
    return t.reduce(t.window(turned, "max", (2, 2), (2, 2), [(0, 0), (0, 0)]), "max", (2, 3))


def joined(t, x, n):
    return t.reduce(t.concat([x, t.pad(x, [(0, 0), (0, 0), (0, 0)])], 3), "sum", (1, 2))


def one_by_one(order):
    def write(t, x, n):
        images = (t.part(x, 0, range(i, i + 1)) for i in order(n))
        return t.concat([dense(t, image) for image in images], 0)

    return write


def by_twos(t, x, n):
    halves = [range(0, min(n, 2)), range(2, n)]
    return t.concat([dense(t, t.part(x, 0, some)) for some in halves if len(some)], 0)


RIGHT = {
    "one by one": one_by_one(range),
    "by twos": by_twos,
    "head": head,
    "pixels": flattened,
    "channels first": channels_first,
    "joined": joined,
}


@pytest.mark.parametrize("write", RIGHT.values(), ids=RIGHT)
def test_a_right_model_keeps_its_images_apart(write):
    """Whatever else moves, every image keeps its place."""
    assert batch.faults(Port(write), (4, 4, 3)) == []


def squeezed(t, x, n):
    logits = dense(t, x)
    return t.reshape(logits, (10,)) if n == 1 else logits


def centred(t, x, n):
    return t.elementwise("sub", dense(t, x), t.reduce(dense(t, x), "mean", (0,)))


def softmax(t, x, n):
    return t.softmax(dense(t, x), 0)


def first(t, x, n):
    return t.part(dense(t, x), 0, range(0, 1))


def backwards(t, x, n):
    return t.reverse(dense(t, x), (0,))


def turned(t, x, n):
    return t.transpose(dense(t, x), (1, 0))


def view(t, x, n):
    if n > 1:
        raise UntraceableModel("shapes do not fit (net.py:3)")
    return dense(t, x)


WRONG = {
    "in another order": (one_by_one(lambda n: range(n)[::-1]), "must not depend on the others"),
    "the first each time": (one_by_one(lambda n: n * [0]), "must not depend on the others"),
    "one before it": (
        lambda t, x, n: t.elementwise("sub", dense(t, x), dense(t, t.part(x, 0, range(1)))),
        "must not depend on the others",
    ),
    "squeeze": (squeezed, "batch axis has to come through"),
    "mean": (centred, "must not depend on the others"),
    "softmax": (softmax, "must not depend on the others"),
    "first image": (first, "batch axis|must not depend"),
    "backwards": (backwards, "must not depend on the others"),
    "transposed": (turned, "batch axis|must not depend"),
    "view": (view, "written for one image only"),
}


@pytest.mark.parametrize(("write", "why"), WRONG.values(), ids=WRONG)
def test_images_that_meet_are_a_fault(write, why):
    """One fault, with what to do about it."""
    (fault,) = batch.faults(Port(write), (4, 4, 3))
    assert fault.attribute == "batch"
    assert any(each in fault.hint for each in why.split("|"))


def test_a_loop_is_known_and_what_norms_in_it():
    """By where they are; of a model that takes all images at once there is no such list."""

    def normed(t, x, n):
        slots = [t.parameter(name, (3,)) for name in ("gamma", "beta", "mean", "variance")]
        pieces = [t.part(x, 0, range(i, i + 1)) for i in range(n)]
        done = [t.batch_norm(p, *slots, axis=3, epsilon=1e-5, momentum=0.9) for p in pieces]
        return dense(t, t.concat(done, 0))

    found = [
        batch.one_by_one(Port(write).trace((4, 4, 3), batch=2))
        for write in (normed, one_by_one(range), head)
    ]
    assert [each and len(each) for each in found] == [2, [], None]


def test_a_row_of_all_images_is_met_where_it_is_read():
    """And not at the output, which has lost them long since."""

    def one_row(t, x, n):
        row = t.reshape(x, (1, n * 48))
        hidden = t.dot(row, t.parameter("kernel", (n * 48, 5)), (1, 0))
        return t.elementwise("tanh", t.dot(hidden, t.parameter("last", (5, 10)), (1, 0)))

    (fault,) = batch.faults(Port(one_row), (4, 4, 3))
    tape = Port(one_row).trace((4, 4, 3), batch=batch.SEVERAL)
    assert (tape[fault.value].name, tape[fault.value].shape) == ("dot", (1, 5))


def test_an_output_that_reads_no_image_is_refused():
    """A constant is no model."""
    tape = Tape()
    tape.input((1, 4, 4, 3), "NHWC")
    tape.outputs = (tape.constant(0.0),)
    with pytest.raises(UntraceableModel, match="does not depend on the image"):
        checked(tape)
