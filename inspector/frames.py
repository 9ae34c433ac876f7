"""The frames of running code, and their variables."""

from __future__ import annotations

import ctypes
import dis
import functools
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

_OWNERS_OF_LOCALS = 3
"""What sys.getrefcount says of a function's dictionary of locals that the user does not hold: the frame, a
variable of ours, and its own argument."""


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and all that wait for it, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


@functools.lru_cache(maxsize=256)
def loop_variables(code: CodeType) -> frozenset[str]:
    """The variables that a `for` of this code assigns. After it each holds the last item, by chance."""
    found: set[str] = set()
    waiting = 0  # how many targets are still to be assigned
    for instruction in dis.get_instructions(code):
        if instruction.opname == "FOR_ITER":
            waiting = 1
        elif waiting and instruction.opname == "UNPACK_SEQUENCE":
            waiting += instruction.argval - 1
        elif waiting and instruction.opname == "UNPACK_EX":  # so many before the starred one and behind
            waiting += (instruction.argval & 0xFF) + (instruction.argval >> 8)
        elif waiting and instruction.opname.startswith("STORE_") and isinstance(instruction.argval, str):
            found.add(instruction.argval)
            waiting -= 1
        elif instruction.opname not in ("CACHE", "EXTENDED_ARG", "NOP"):
            waiting = 0
    return frozenset(found)


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a function that is running: a dictionary of the caller's own.

    Up to Python 3.12 reading `f_locals` makes a dictionary that lives as long as the frame, in which what the
    function deletes later would live on; it is emptied, unless the user called locals() and holds it too. It also
    has the interpreter fill that dictionary again when the frame is next traced, and write it back into the
    variables: that is ended by writing back now, when both are the same.
    """
    variables = frame.f_locals
    found = dict(variables)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
        if sys.getrefcount(variables) == _OWNERS_OF_LOCALS:
            variables.clear()
    return found
