"""Atomic file writes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from inspector.util.os_errors import with_path


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` as `write_bytes_atomically` does.

    A lone surrogate (a file name that is no UTF-8) becomes \\udc80, which is its escape in JSON.
    """
    write_bytes_atomically(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, and move it there. Leaves nothing behind where it fails.

    Raises OSError, which names `path`.
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
    """Ignores errors of its own, since the first error is the one to report."""
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
