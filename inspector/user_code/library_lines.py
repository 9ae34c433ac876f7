"""Lines of libraries: where a trainer or a model called torch, below the user's line that led there."""

from __future__ import annotations

from types import FrameType

from inspector.graph.row_types import LibraryLine, Source
from inspector.torch_api.frames import DISPATCHERS, TORCH
from inspector.user_code.paths import UserFiles, column_of


def is_librarys(path: str, files: UserFiles) -> bool:
    """Whether `path` (a `co_filename`) belongs to a library other than torch and the standard library."""
    return not path.startswith(TORCH) and files.is_library(path)


def users_frame(frame: FrameType | None, files: UserFiles) -> FrameType | None:
    """The innermost frame of user code, from `frame` up. Modes and tensor classes of the script only pass on what
    is called elsewhere."""
    while frame is not None:
        code = frame.f_code
        if files.is_users(code.co_filename) and code.co_name not in DISPATCHERS:
            break
        frame = frame.f_back
    return frame


def source_of(frame: FrameType, inner: FrameType | None, files: UserFiles) -> Source:
    """The current statement of a frame, with the line of a library that it led to, if any.

    frame: of the user. inner: the innermost frame to consider, called by `frame` directly or indirectly.
    """
    column = column_of(frame)
    path, line = frame.f_code.co_filename, frame.f_lineno
    statement = files.statement_at(path, line, column)
    source: Source = {"file": files.display_path(path), "line": line, "code": statement}
    while inner is not None and inner is not frame:
        if is_librarys(inner.f_code.co_filename, files):
            source["library"] = _line_of(inner, files)
            break
        inner = inner.f_back
    return source


def _line_of(frame: FrameType, files: UserFiles) -> LibraryLine:
    path, line = frame.f_code.co_filename, frame.f_lineno
    code = files.statement_at(path, line, column_of(frame))
    return {"file": files.display_path(path), "line": line, "code": code}
