"""Source locations in user code, if known."""

from __future__ import annotations

from inspector.graph.row_types import Place


def file_and_line(place: Place) -> tuple[str, int] | None:
    """The file and the line; None if there is no line or it is unknown."""
    return None if place is None or "unknown" in place else (place["file"], place["line"])


def line_of(place: Place) -> int | None:
    """The line number; None if there is no line or it is unknown."""
    return None if place is None or "unknown" in place else place["line"]
