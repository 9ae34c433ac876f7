"""Source locations in user code, where they are known."""

from __future__ import annotations

from inspector.graph.row_types import Place


def file_and_line(place: Place) -> tuple[str, int] | None:
    """The file and the line; None where there is no line, or it is not known."""
    return None if place is None or "unknown" in place else (place["file"], place["line"])


def line_of(place: Place) -> int | None:
    """The number of the line; None where there is none, or it is not known."""
    return None if place is None or "unknown" in place else place["line"]
