"""A thread for Keras: in one precision, with nothing left over, and a deep stack."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from unittest import mock

import keras
from keras.src.backend.common import dtypes

from conformance.trace.port import Execution

#: Calls inside one another, and bytes of stack for them, that suffice for thousands of layers.
DEPTH, STACK = 100_000, 1 << 29

Result = TypeVar("Result")


def in_precision(how: Execution, work: Callable[[], Result]) -> Result:
    """Do some work of Keras in the precision of an execution, in a thread of its own."""
    # Outside TensorFlow the promotion of types has float32 for its widest.
    widest = mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64")
    before = keras.config.floatx()
    keras.config.set_floatx(how.dtype)
    try:
        with widest:
            return in_a_thread(work)
    finally:
        keras.config.set_floatx(before)


def in_a_thread(work: Callable[[], Result]) -> Result:
    """Do some work of Keras in a new thread, and with a deep stack.

    Keras keeps made-up names, the policy and unfinished variables for each thread: a new
    thread finds none, so that names count from one in every trace, and leaves none behind
    that would be allocated later.
    """
    before = sys.getrecursionlimit(), threading.stack_size()
    # Keras walks a functional model by recursion, a call or two for each layer of its depth.
    sys.setrecursionlimit(max(before[0], DEPTH))
    threading.stack_size(STACK)
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work).result()
    finally:
        sys.setrecursionlimit(before[0])
        threading.stack_size(before[1])
