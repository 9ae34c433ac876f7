"""Atomic file writes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from inspector.util.os_errors import with_path


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` as `write_bytes_atomically` does.

    A lone surrogate (of a file name that is not UTF-8) becomes \\udc80, its escape in JSON.
    """
    write_bytes_atomically(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, then rename it. Removes the temporary file on failure.

    Raises OSError with the name of `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise with_path(error, path) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(temporary: Path) -> None:
    """Ignores errors, since the first error is reported."""
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
