"""Text sizes in points, from the tables of the bundled fonts.

A width is the sum of the advances, without kerning and ligatures, which the bundled fonts do not contain; so
outlines, embedded and real text have the same width. A character missing in a font (Chinese, Arabic, an emoji)
counts as one em; a writer of outlines sets a run that contains one as real text (`covers`).
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

from inspector.typography.fonts import advances, open_font
from inspector.typography.sanitize import sanitize

MISSING = 1.0  # ems: what is drawn by a font we do not know is rarely wider
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def width(text: str, size: float, face: str = "regular") -> float:
    """The width of one line of `text`, in points, set in `size` points. ValueError: no such face."""
    return size * _ems(text, face)


@lru_cache(maxsize=16_384)
def _ems(text: str, face: str) -> float:
    """The advances of a text: a large figure has the same few names everywhere."""
    table = advances(face)
    return sum(table.get(character, MISSING) for character in sanitize(text))


@lru_cache(maxsize=16_384)
def covers(text: str, face: str = "regular") -> bool:
    """Whether the face has a glyph for every character of `text`."""
    return advances(face).keys() >= set(sanitize(text))


@lru_cache(maxsize=16_384)
def shorten(text: str, room: float, size: float, face: str = "regular") -> str:
    """`text` if it fits into `room` points, else as much of its beginning as does, and an ellipsis.

    Gives "" where not even the ellipsis fits.
    """
    text, fitting = sanitize(text), room - width(ELLIPSIS, size, face)
    if width(text, size, face) <= room or fitting < 0:
        return text if width(text, size, face) <= room else ""
    # The longest beginning that fits. Accents have no width, so none is separated from its letter.
    longer = bisect_right(range(1, len(text) + 1), fitting, key=lambda length: width(text[:length], size, face))
    return text[:longer].rstrip() + ELLIPSIS


@lru_cache(maxsize=16_384)
def shorten_name(text: str, room: float, size: float, face: str = "regular") -> str:
    """`text` if it fits into `room` points, else an ellipsis and as much of its end as does.

    The end of a parameter's name tells it from its neighbours: `…stack.4.weight`. Gives "" where not even the
    ellipsis fits.
    """
    text, fitting = sanitize(text), room - width(ELLIPSIS, size, face)
    if width(text, size, face) <= room or fitting < 0:
        return text if width(text, size, face) <= room else ""
    starts = (start for start in range(len(text)) if not unicodedata.combining(text[start]))  # with its letter
    start = next((start for start in starts if width(text[start:], size, face) <= fitting), len(text))
    return ELLIPSIS + text[start:].lstrip()


@lru_cache(maxsize=256)
def cap_height(size: float, face: str = "regular") -> float:
    """The height of a capital or a digit, in points: a line is centred on half of it."""
    font = open_font(face)
    height: float = size * font["OS/2"].sCapHeight / font["head"].unitsPerEm
    return height
