"""report.json of a script that runs on: it is written again, for what happened since, with the same calls."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from inspector.report.json_file import is_large, save, to_json
from inspector.report.model import BackwardCall, Report
from inspector.util.atomic_write import write_bytes_atomically

_CALLS, _NEXT = b'\n "backward_calls": ', b',\n "parameters": '
"""Where the calls begin and end in the text. Nothing else is there after a line break and one space."""


class RewrittenFile:
    """A report.json that is written several times.

    Its graphs take most of the time to write it, so the text of calls that it has already is copied.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._calls: list[BackwardCall] = []
        self._written: tuple[int, int, int] | None = None
        """What the file system says of the file that was written."""

    def write(self, report: Report) -> None:
        """Write what `save` writes. The graphs of calls that were written before must not have changed.

        Raises OSError.
        """
        calls = self._text_of(report.calls)
        if calls is None:
            save(report, self._path)
        else:
            others = to_json(replace(report, calls=[])).encode("utf-8", errors="backslashreplace")
            write_bytes_atomically(self._path, others.replace(_CALLS + b"[]", _CALLS + calls, 1))
        self._calls, self._written = list(report.calls), self._identity()

    def _text_of(self, calls: list[BackwardCall]) -> bytes | None:
        """The text of the calls in the file; None if it has others, or another process has written it since."""
        if len(calls) != len(self._calls) or any(map(is_large, calls)):
            return None
        if any(call is not known for call, known in zip(calls, self._calls, strict=True)):
            return None
        if self._written is None or self._identity() != self._written:
            return None
        _, found, rest = self._path.read_bytes().partition(_CALLS)
        text, end, _ = rest.partition(_NEXT)
        return text if found and end else None

    def _identity(self) -> tuple[int, int, int] | None:
        """Which file is at the path, and its last change; None if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
