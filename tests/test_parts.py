"""Work in parts: every part once, the caller's way with errors, and one thread of the BLAS."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from conformance.chunks import each

pytestmark = pytest.mark.bare


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_every_part_is_done_once(count):
    """Nothing is left out, nothing done twice."""
    done: list[int] = []
    each(done.append, range(count))
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("count", [1, 8])
def test_an_error_is_not_lost(count):
    """What goes wrong in one part goes wrong for the caller."""
    with pytest.raises(ZeroDivisionError):
        each(lambda part: 1 // part, range(count))


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(("handling", "raises"), [("ignore", False), ("raise", True)])
def test_floating_point_errors_are_treated_as_the_caller_says(count, handling, raises):
    """``np.errstate`` reaches into the threads."""
    zero = np.zeros(1)
    with np.errstate(all=handling):
        if raises:
            with pytest.raises(FloatingPointError):
                each(lambda _: zero / zero, range(count))
        else:
            each(lambda _: zero / zero, range(count))


def test_the_blas_keeps_to_one_thread_meanwhile():
    """And has those it had before, after, whichever thread asks, of several not the first."""

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    def asked() -> tuple[list[int], set[int], list[int]]:
        meanwhile: list[int] = []
        before = threads()
        each(lambda _: meanwhile.extend(threads()), range(4))
        return before, set(meanwhile), threads()

    with ThreadPoolExecutor(1) as other:
        for before, meanwhile, after in (asked(), other.submit(asked).result()):
            assert meanwhile == {1}
            assert after == before
