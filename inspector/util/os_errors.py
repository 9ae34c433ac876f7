"""Describe errors of the operating system in one line."""

from __future__ import annotations

import os
from pathlib import Path


def reason(error: OSError) -> str:
    """Why: `No space left on device`. An OSError of a library may have no text of the system's."""
    return error.strerror or str(error) or type(error).__name__


def with_path(error: OSError, path: Path) -> OSError:
    """The same error, about `path`. A failed write (unlike a failed open) names no file, and a temporary one is
    not the one that the user knows."""
    return OSError(error.errno, reason(error), os.fspath(path))  # python makes it the fitting subclass
