"""The frames of running code, and their variables."""

from __future__ import annotations

import ast
import ctypes
import dis
import functools
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, TypeAlias, cast

from msgspec import Struct

_OWNERS_OF_LOCALS = 3
"""sys.getrefcount of a function's dictionary of locals without references from user code: the frame, the
inspector's variable, and the argument."""


def frames_outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


@functools.lru_cache(maxsize=256)
def loop_variables(code: CodeType) -> frozenset[str]:
    """The variables that a `for` loop of this code assigns. After the loop they still hold the last item."""
    found: set[str] = set()
    waiting = 0  # number of targets still to be assigned
    for instruction in dis.get_instructions(code):
        if instruction.opname == "FOR_ITER":
            waiting = 1
        elif waiting and instruction.opname == "UNPACK_SEQUENCE":
            waiting += instruction.argval - 1
        elif waiting and instruction.opname == "UNPACK_EX":  # targets before and after the starred one
            waiting += (instruction.argval & 0xFF) + (instruction.argval >> 8)
        elif waiting and instruction.opname.startswith("STORE_") and isinstance(instruction.argval, (str, tuple)):
            names = (instruction.argval,) if isinstance(instruction.argval, str) else instruction.argval
            stores = min(waiting, instruction.opname.count("STORE_"))  # STORE_FAST_STORE_FAST since Python 3.13
            found.update(names[:stores])
            waiting -= stores
        elif instruction.opname not in ("CACHE", "EXTENDED_ARG", "NOP"):
            waiting = 0
    return frozenset(found)


Span: TypeAlias = tuple["int | None", "int | None", "int | None", "int | None"]
"""First line, last line, first column, last column, as `code.co_positions()` has them: columns in bytes."""


def span_at(code: CodeType, instruction: int, spans: list[Span] | None = None) -> Span:
    """The position in the source of the expression that an instruction of a code object belongs to.

    instruction: its offset in bytes, as `frame.f_lasti` has it; -1 for the head of the function.
    spans: the result of `spans_of(code)`, if available.
    """
    if sys.version_info < (3, 11):
        return _span_by_bytecode(code, instruction)
    found = spans_of(code) if spans is None else spans
    index = max(instruction, 0) // 2  # an instruction and each of its caches is two bytes
    return found[index] if index < len(found) else (None, None, None, None)


def spans_of(code: CodeType) -> list[Span]:
    """The span of each instruction of a code object; empty on Python 3.10, which does not keep them."""
    return list(code.co_positions()) if sys.version_info >= (3, 11) else []


class _Instruction(Struct, frozen=True):
    """The attributes of a frame that `executing` uses."""

    f_code: CodeType
    f_lasti: int
    f_lineno: int
    f_globals: dict[str, Any]


def _span_by_bytecode(code: CodeType, instruction: int) -> Span:
    """For Python 3.10: the position of the syntax tree node that compiles to this instruction, or else only the
    line."""
    if instruction < 0:
        return code.co_firstlineno, None, None, None
    import executing  # Python 3.11 has the positions itself

    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    if line is None:
        return None, None, None, None
    try:
        place = cast(FrameType, _Instruction(code, instruction, line, {}))
        found = executing.Source.executing(place)
        node: Any = found.node or _augmented_assignment(found.statements, code, instruction)
    except Exception:  # no source text, or it has changed
        node = None
    if node is None:
        return line, None, None, None
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _augmented_assignment(statements: Any, code: CodeType, instruction: int) -> ast.AugAssign | None:
    """`total += 1`, which `executing` does not find, if it is the only augmented assignment on its line."""
    if not dis.opname[code.co_code[instruction]].startswith("INPLACE_"):
        return None
    found = [statement for statement in statements or () if isinstance(statement, ast.AugAssign)]
    return found[0] if len(found) == 1 else None


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a running function, as a new dictionary.

    Up to Python 3.12, reading `f_locals` creates a dictionary that lives as long as the frame and would keep
    deleted variables alive; so it is cleared, unless the user called locals() and holds it. It would also be
    filled again when the frame is next traced, and written back into the variables; writing it back now, while
    both are equal, prevents that.
    """
    variables = frame.f_locals
    found = dict(variables)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
        if sys.getrefcount(variables) == _OWNERS_OF_LOCALS:
            variables.clear()
    return found
