"""Replacement for characters missing in the bundled fonts, in formats that cannot use the reader's fonts."""

from __future__ import annotations

from inspector.typography.fonts import advances
from inspector.typography.sanitize import sanitize

SQUARE = "\N{WHITE SQUARE}"


def with_fallback_glyphs(text: str, face: str = "regular") -> str:
    """The sanitized text, with a square for every character that the face lacks, so that the gap is visible."""
    known = advances(face)
    return "".join(character if character in known else SQUARE for character in sanitize(text))
