"""Describe errors of the operating system in one line."""

from __future__ import annotations

import os
from pathlib import Path


def reason(error: OSError) -> str:
    """The reason: `No space left on device`. An OSError raised by a library may have no system message."""
    return error.strerror or str(error) or type(error).__name__


def with_path(error: OSError, path: Path) -> OSError:
    """The same error with the name of `path`. A failed write (unlike a failed open) has no file name, and users do
    not know the temporary file."""
    return OSError(error.errno, reason(error), os.fspath(path))  # becomes the right subclass
