"""The output folder: created on first use, and cleared of the previous run's files."""

from __future__ import annotations

import os
from pathlib import Path

from inspector.util.atomic_write import write_text_atomically
from inspector.util.os_errors import reason

_NEWEST, _PREVIOUS = "report", "previous"
_ENDS = (".json", ".full.json.gz", ".torchviz.json", ".timeline.json")


def open_folder(folder: Path) -> None:
    """Create the folder with its own `.gitignore`, and keep the last run's report as previous.json.

    Raises OSError if it cannot be created or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_text_atomically(ignore, "*\n")
    if not (folder / f"{_NEWEST}{_ENDS[0]}").exists():
        return
    for end in _ENDS:  # a report and its companion files are moved together
        report, previous = folder / f"{_NEWEST}{end}", folder / f"{_PREVIOUS}{end}"
        if report.exists():
            report.replace(previous)
        else:
            previous.unlink(missing_ok=True)


def display_path(path: Path) -> str:
    """A path for display, relative to the working directory if that is shorter."""
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):  # another drive, or a working directory that is gone
        return str(path)
    return relative if len(relative) < len(str(path)) else str(path)


def cannot_write(error: OSError, otherwise: Path) -> str:
    """`cannot write inspect-out/backward-1.svg: No space left on device`.

    otherwise: the path to name if the error has none.
    """
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else otherwise
    return f"cannot write {display_path(path)}: {reason(error)}"
