"""Text sizes in points, from the tables of the bundled fonts.

A width is the sum of the advances, without kerning and ligatures, which the bundled fonts do not contain; so
outlines, embedded and real text have the same width. A character missing in a font (Chinese, Arabic, an emoji)
counts as one em; a writer of outlines writes such a run as real text (`covers`).
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

from inspector.typography.fonts import advances, open_font
from inspector.typography.sanitize import sanitize

MISSING = 1.0  # ems; a glyph of an unknown font is rarely wider
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def width(text: str, size: float, face: str = "regular") -> float:
    """The width of one line of `text` at `size` points, in points. Raises ValueError for an unknown face."""
    return size * _ems(text, face)


@lru_cache(maxsize=16_384)
def _ems(text: str, face: str) -> float:
    """The sum of the advances. Cached, because a large figure repeats few names."""
    table = advances(face)
    return sum(table.get(character, MISSING) for character in sanitize(text))


@lru_cache(maxsize=16_384)
def covers(text: str, face: str = "regular") -> bool:
    """Whether the face has a glyph for every character of `text`."""
    return advances(face).keys() >= set(sanitize(text))


@lru_cache(maxsize=16_384)
def shorten(text: str, room: float, size: float, face: str = "regular") -> str:
    """`text` if it fits into `room` points, else the longest beginning that fits, and an ellipsis.

    Returns "" if not even the ellipsis fits.
    """
    text, fitting = sanitize(text), room - width(ELLIPSIS, size, face)
    if width(text, size, face) <= room or fitting < 0:
        return text if width(text, size, face) <= room else ""
    # The longest beginning that fits. Accents have no width, so none is separated from its letter.
    longer = bisect_right(range(1, len(text) + 1), fitting, key=lambda length: width(text[:length], size, face))
    return text[:longer].rstrip() + ELLIPSIS


@lru_cache(maxsize=16_384)
def shorten_name(text: str, room: float, size: float, face: str = "regular") -> str:
    """`text` if it fits into `room` points, else an ellipsis and the longest end that fits.

    The end of a parameter's name distinguishes it from others: `…stack.4.weight`. Returns "" if not even the
    ellipsis fits.
    """
    text, fitting = sanitize(text), room - width(ELLIPSIS, size, face)
    if width(text, size, face) <= room or fitting < 0:
        return text if width(text, size, face) <= room else ""
    starts = (start for start in range(len(text)) if not unicodedata.combining(text[start]))  # with its accent
    start = next((start for start in starts if width(text[start:], size, face) <= fitting), len(text))
    return ELLIPSIS + text[start:].lstrip()


@lru_cache(maxsize=256)
def cap_height(size: float, face: str = "regular") -> float:
    """The height of capitals and digits, in points. Text is centred vertically on half of it."""
    font = open_font(face)
    return size * font.cap_height / font.units
