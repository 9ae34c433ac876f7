"""Call a function from a frame that looks like another one.

A warning names the frame that calls a function written in C, or a frame some `stacklevel`s up from it. Where the
inspector calls a function in place of the script or of torch, its own frame would be named, and the script's
filters by module and line would miss the warning. A stand-in has the file, line, name and global variables of the
frame that it stands for.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, FunctionType
from typing import Any

LEVELS = 4
"""Number of frames to stand in for, for a function written in Python. The largest `stacklevel` of torch is 5."""


def _stand_in(_inspectors_call: Any, arguments: Any, options: Any) -> Any:
    return _inspectors_call(*arguments, **options)


_CODE = _stand_in.__code__
_HOOKED, _MODULE_FILE = "inner", f"nn{os.sep}modules{os.sep}module.py"
"""The function that `nn.Module` calls if a module has hooks. Without the inspector's, it usually does not."""
_MARK = _CODE.co_varnames[0]


def is_stand_in(code: CodeType) -> bool:
    """Whether a frame with this code stands in for another one."""
    return code.co_varnames[:1] == (_MARK,)


def call_as(
    frame: FrameType | None,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: Mapping[str, Any],
    levels: int = LEVELS,
) -> Any:
    """Call a function as if `frame` called it.

    levels: the number of frames to stand in for: `frame` and those that called it.
    """
    while levels > 0 and frame is not None:
        code = frame.f_code
        known = _looks.get((id(code), frame.f_lasti))
        if known is None:
            known = _looks[id(code), frame.f_lasti] = code, _look_of(frame)
        if (look := known[1]) is not None:
            function, arguments, options = FunctionType(look, frame.f_globals), (function, arguments, options), {}
            levels -= 1
        frame = frame.f_back
    return function(*arguments, **options)


_looks: dict[tuple[int, int], tuple[CodeType, CodeType | None]] = {}
"""By code and instruction: the code, which keeps its id, and that of its stand-in. Finding the line of an
instruction takes longer than all else."""

_MOST_LOOKS = 4096


def _look_of(frame: FrameType) -> CodeType | None:
    """The code of the stand-in for a frame; None for one that is left out."""
    if len(_looks) >= _MOST_LOOKS:
        _looks.clear()
    code = frame.f_code
    if code.co_name == _HOOKED and code.co_filename.endswith(_MODULE_FILE):
        return None
    return _code_like(code.co_filename, frame.f_lineno, code.co_name)


def without_stand_ins(frame: FrameType | None) -> FrameType | None:
    """The innermost frame, from `frame` up, that is not a stand-in."""
    while frame is not None and _is_between(frame.f_code):
        frame = frame.f_back
    return frame


def hide_call(error: BaseException) -> None:
    """Remove `call_as`, its stand-ins and the frame that called it from the traceback of an exception that this
    frame has caught."""
    traceback = error.__traceback__
    while traceback is not None and (traceback := traceback.tb_next) is not None:
        if not _is_between(traceback.tb_frame.f_code):
            break
    BaseException.with_traceback(error, traceback)  # an assignment fails for a frozen dataclass


def _is_between(code: CodeType) -> bool:
    return code is _CALL_AS or is_stand_in(code)


_CALL_AS = call_as.__code__
STAND_INS = _CALL_AS.co_filename
"""The file of the frame that calls the first stand-in."""


@functools.lru_cache(maxsize=4096)
def _code_like(file: str, line: int | None, name: str) -> CodeType:
    code = _CODE.replace(co_filename=file, co_firstlineno=(line or 1) - 1, co_name=name)
    return code.replace(co_qualname=name) if sys.version_info >= (3, 11) else code
