"""Recognise code objects and frames of user code."""

from __future__ import annotations

from types import CodeType, FrameType

from inspector.torch_api.frames import DISPATCHERS
from inspector.user_code.library_lines import is_librarys
from inspector.user_code.paths import UserFiles
from inspector.user_code.source_expressions import LibraryPlace, Place
from inspector.util.stand_in_frames import is_stand_in


class UserFrames:
    """Tells user code from library code, and remembers the answer for each code object."""

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._known: dict[int, tuple[CodeType, bool]] = {}

    def is_users(self, code: CodeType) -> bool:
        """Whether a code object belongs to the user."""
        known = self._known.get(id(code))
        if known is None:
            users = self._files.is_users(code.co_filename) and code.co_name not in DISPATCHERS
            users = users and not is_stand_in(code)
            known = self._known[id(code)] = (code, users)
        return known[1]

    def innermost(self, frame: FrameType | None) -> FrameType | None:
        """The innermost frame of user code, from `frame` up."""
        while frame is not None and not self.is_users(frame.f_code):
            frame = frame.f_back
        return frame

    def function_place(self, code: CodeType, user: FrameType | None) -> Place:
        """The line where a function begins; for one in a library, with the place in a user's frame that led
        there."""
        head = (code, -1)
        if user is None or not is_librarys(code.co_filename, self._files):
            return head
        return LibraryPlace(user.f_code, user.f_lasti, head)

    def place(self, inner: FrameType | None, user: FrameType | None) -> Place | None:
        """The place in a user's frame, with the place in a library that it led to; None without a user's frame.

        inner: the frame that called an operation, from which `user` was found.
        """
        if user is None:
            return None
        while inner is not None and inner is not user:
            if is_librarys(inner.f_code.co_filename, self._files):
                return LibraryPlace(user.f_code, user.f_lasti, (inner.f_code, inner.f_lasti))
            inner = inner.f_back
        return user.f_code, user.f_lasti
