"""Source locations in user code, if known."""

from __future__ import annotations

from typing import Any

from inspector.graph.row_types import Place


def file_and_line(place: Place) -> tuple[str, int] | None:
    """The file and the line; None if there is no line or it is unknown."""
    return None if place is None or "unknown" in place else (place["file"], place["line"])


def exact_place(place: Any) -> tuple[object, ...] | None:
    """What identifies a location: file and line, and those in a library that it led to; None if it is unknown.

    place: a `Place`, or the location of a finding.
    """
    if place is None or "unknown" in place:
        return None
    library = place.get("library", {})
    return place["file"], place["line"], library.get("file"), library.get("line")


def line_of(place: Place) -> int | None:
    """The line number; None if there is no line or it is unknown."""
    return None if place is None or "unknown" in place else place["line"]
