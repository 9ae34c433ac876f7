"""Write to stderr. stdout belongs to the script.

Python sets `sys.stderr` to None if the command was started without one (`2>&-`); print and rich then write to
stdout. The next file the script opens becomes file descriptor 2, so nothing is written to that number either.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO

_PREFIX = "inspect: "


class Discarded(io.TextIOBase):
    """A text stream that discards its input."""

    def write(self, text: str) -> int:
        return len(text)


def stderr(*, silent: bool = False) -> TextIO:
    """The current `sys.stderr`; a stream that discards its input if there is none, or if it is to be silent."""
    return sys.stderr if sys.stderr is not None and not silent else Discarded()  # type: ignore[return-value]


def say(line: str, stream: TextIO | None = None) -> None:
    """Print `inspect: LINE` on `stream`, by default stderr. If the stream is closed or full, the line is lost."""
    with contextlib.suppress(Exception):
        stream = stream if stream is not None else stderr()
        with without_bars(stream):
            print(f"{_PREFIX}{line}", file=stream)


def has_bars() -> bool:
    """Whether the script has a tqdm bar on the screen."""
    return bool(getattr(_tqdm(), "_instances", ()))


def _tqdm() -> Any:
    """The class of bars, if the script has imported it."""
    return getattr(sys.modules.get("tqdm"), "tqdm", None)


def without_bars(stream: TextIO) -> contextlib.AbstractContextManager[Any]:
    """The bars of the script leave the terminal for a block, and come back below what is printed."""
    if not has_bars() or not stream.isatty():
        return contextlib.nullcontext()
    cleared: contextlib.AbstractContextManager[Any] = _tqdm().external_write_mode(file=stream)
    return cleared


def discard(stream: TextIO) -> None:
    """Discard the buffer of a stream that cannot be written. Python flushes it again at exit, and would print a
    traceback or change the exit status."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
