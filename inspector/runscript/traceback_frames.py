"""Remove the inspector's frames from the tracebacks of the user's exceptions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, TracebackType

from inspector.util.stand_in_frames import STAND_INS, is_stand_in

OUTERMOST = "sys"
"""The file name of the frame below the user's outermost one.

Plain python reports a warning whose ``stacklevel`` is beyond the script at "sys", line 1. Under the inspector the
warning reaches this frame, and is reported in the same way.
"""

# Only frames between the user's code and python or torch: an exception of the inspector that the user's call
# of the library raises keeps its frames.
_OVERRIDES = f"torch{os.sep}overrides.py"
_PACKAGE = Path(__file__).parent.parent
_HIDDEN = (*(str(_PACKAGE / part) + os.sep for part in ("runscript", "recording", "torch_api")), STAND_INS)


def hide_our_frames(error: BaseException) -> None:
    """Remove the inspector's frames from the traceback of `error` and of every exception that is printed with
    it."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        shown = waiting.pop()
        if shown is None or id(shown) in seen:
            continue
        seen.add(id(shown))
        # Not by assignment, which fails for an exception that is a frozen dataclass.
        BaseException.with_traceback(shown, _without_ours(shown.__traceback__))
        waiting += [shown.__cause__, shown.__context__]
        if sys.version_info >= (3, 11) and isinstance(shown, BaseExceptionGroup):  # noqa: F821  ruff takes 3.10
            waiting += shown.exceptions


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    entries: list[TracebackType] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if len(entries) > 1 and _is_detour(entries[-1].tb_frame.f_code) and entries[-2].tb_frame.f_code is code:
            del entries[-2:]
        if not _is_ours(code.co_filename) and not is_stand_in(code):
            entries.append(traceback)
        traceback = traceback.tb_next
    following = None
    for entry in reversed(entries):
        if entry.tb_next is not following:
            entry.tb_next = following
        following = entry
    return following


def _is_detour(code: CodeType) -> bool:
    """Whether a frame of torch exists only because the inspector's mode is active.

    A function written in Python then calls `handle_torch_function`, which calls it again through the mode. With a
    mode or a subclass of the user, their frame would be in between.
    """
    return code.co_name == "handle_torch_function" and code.co_filename.endswith(_OVERRIDES)


def _is_ours(filename: str) -> bool:
    return filename == OUTERMOST or filename.startswith(_HIDDEN)
