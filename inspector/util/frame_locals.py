"""The frames of running code, and their variables."""

from __future__ import annotations

import ast
import ctypes
import dis
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, TypeAlias, cast

_OWNERS_OF_LOCALS = 3
"""What sys.getrefcount says of a function's dictionary of locals that the user does not hold: the frame, a
variable of ours, and its own argument."""


def frames_outwards(frame: FrameType | None) -> Iterator[FrameType]:
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
        elif waiting and instruction.opname.startswith("STORE_") and isinstance(instruction.argval, (str, tuple)):
            names = (instruction.argval,) if isinstance(instruction.argval, str) else instruction.argval
            stores = min(waiting, instruction.opname.count("STORE_"))  # STORE_FAST_STORE_FAST from Python 3.13 on
            found.update(names[:stores])
            waiting -= stores
        elif instruction.opname not in ("CACHE", "EXTENDED_ARG", "NOP"):
            waiting = 0
    return frozenset(found)


Span: TypeAlias = tuple["int | None", "int | None", "int | None", "int | None"]
"""First line, last line, first column, last column, as `code.co_positions()` has them: columns in bytes."""


def span_at(code: CodeType, instruction: int, spans: list[Span] | None = None) -> Span:
    """Where in its file the expression stands that an instruction of a code object belongs to.

    instruction: its offset in bytes, as `frame.f_lasti` has it; -1 for the head of the function.
    spans: those of the code, if they are known.
    """
    if sys.version_info < (3, 11):
        return _span_by_bytecode(code, instruction)
    found = spans_of(code) if spans is None else spans
    index = max(instruction, 0) // 2  # an instruction and each of its caches is two bytes
    return found[index] if index < len(found) else (None, None, None, None)


def spans_of(code: CodeType) -> list[Span]:
    """The span of each instruction of a code object; empty on Python 3.10, which does not keep them."""
    return list(code.co_positions()) if sys.version_info >= (3, 11) else []


@dataclass(frozen=True)
class _Instruction:
    """What `executing` asks of a frame."""

    f_code: CodeType
    f_lasti: int
    f_lineno: int
    f_globals: dict[str, Any]


def _span_by_bytecode(code: CodeType, instruction: int) -> Span:
    """On Python 3.10: the one node of the syntax tree that compiles to this instruction; else the line alone."""
    if instruction < 0:
        return code.co_firstlineno, None, None, None
    import executing  # only there: Python itself tells from 3.11 on

    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    if line is None:
        return None, None, None, None
    try:
        place = cast(FrameType, _Instruction(code, instruction, line, {}))
        found = executing.Source.executing(place)
        node: Any = found.node or _augmented_assignment(found.statements, code, instruction)
    except Exception:  # there is no source text, or it is not that of the code
        node = None
    if node is None:
        return line, None, None, None
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _augmented_assignment(statements: Any, code: CodeType, instruction: int) -> ast.AugAssign | None:
    """`total += 1`, which `executing` does not tell, where it is the only one on its line."""
    if not dis.opname[code.co_code[instruction]].startswith("INPLACE_"):
        return None
    found = [statement for statement in statements or () if isinstance(statement, ast.AugAssign)]
    return found[0] if len(found) == 1 else None


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
