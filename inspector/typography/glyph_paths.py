"""Text as glyph outlines, which look the same everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from inspector.typography.decimal import decimal
from inspector.typography.fonts import advances, open_font
from inspector.typography.metrics import covers
from inspector.typography.sanitize import sanitize

if TYPE_CHECKING:
    from inspector.typography.font_file import Outline, Point, Segment

Contour = tuple[float, float, str]
"""Start of a contour (x and y from the glyph's origin, y downwards) and its relative path commands."""


def glyph_path(text: str, size: float, face: str = "regular", x: float = 0.0, y: float = 0.0) -> str:
    """One line of `text` as SVG path data, rounded to two decimals.

    size: points; x, y: start of the baseline, in points, y downwards.
    Raises ValueError for characters that the face lacks: check `covers` first.
    """
    first, commands = outline(sanitize(text), size, face)
    return path_at(x + first[0], y + first[1], commands)


def path_at(x: float, y: float, commands: str) -> str:
    """The path data of an outline whose first contour starts at this place."""
    return f"M{_join(x, y)}{commands}" if commands else ""


@lru_cache(maxsize=2_048)
def outline(text: str, size: float, face: str) -> tuple[Point, str]:
    """Start of the first contour, relative to the baseline, and the path from there in relative commands.

    The commands do not depend on the position, and a large figure repeats few names: hence the cache. Raises
    ValueError for characters that the face lacks.
    """
    if not covers(text, face):
        lacking = sorted(set(text) - advances(face).keys())
        raise ValueError(f"the face {face!r} has no glyph for {', '.join(map(repr, lacking))}")
    first: Point | None = None
    here = (0.0, 0.0)
    pieces: list[str] = []
    for x, y, commands in _text_contours(text, size, face):
        if first is None:
            first = x, y
        else:
            pieces.append(f"m{_join(x - here[0], y - here[1])}")
        pieces.append(f"{commands}z")
        here = x, y  # `z` returns the pen to the start of the contour
    return first or here, "".join(pieces)


def _text_contours(text: str, size: float, face: str) -> Iterator[Contour]:
    """The contours of all glyphs, starts rounded to two decimals."""
    pen = last = 0.0
    for character in text:
        mark = unicodedata.combining(character) != 0
        # An accent is centred over the letter before it; the fonts have no table of positions.
        origin = (last + pen) / 2 - _ink_centre(face, character) * size if mark else pen
        for x, y, commands in _glyph_contours(face, character, size):
            yield round(origin + x, 2), round(y, 2), commands
        if not mark:
            last, pen = pen, pen + advances(face)[character] * size


@lru_cache(maxsize=4096)
def _glyph_contours(face: str, character: str, size: float) -> tuple[Contour, ...]:
    units = open_font(face).units
    return tuple(
        (start[0] / units * size, -(start[1] / units) * size, _commands(start, segments, units, size))
        for start, segments in _glyph_outline(face, character)
    )


@lru_cache(maxsize=4096)
def _glyph_outline(face: str, character: str) -> Outline:
    font = open_font(face)
    return font.outline(font.glyphs[character])


def _commands(start: Point, segments: tuple[Segment, ...], units: int, size: float) -> str:
    """Segments as relative commands. Each is relative to the rounded end of the last one, so that errors do not
    add up."""
    left, low = start[0] / units, start[1] / units
    right = down = 0  # in hundredths of a point
    last, text = "", ""
    for segment in segments:
        ends = [
            (_hundredths((x / units - left) * size), _hundredths((low - y / units) * size)) for x, y in segment
        ]
        numbers = ""
        for x, y in ends:
            across, along = _number(x - right), _number(y - down)
            numbers += across if not numbers or across[0] == "-" else f" {across}"
            numbers += along if along[0] == "-" else f" {along}"
        letter = _LETTERS[len(segment)]
        text += (letter if letter != last else "" if numbers[0] == "-" else " ") + numbers
        last, (right, down) = letter, ends[-1]
    return text


_LETTERS = ("", "l", "q")


def _hundredths(length: float) -> int:
    """`round(length, 2)` in hundredths. That takes three times as long, and only decides between two of them."""
    scaled = length * 100
    nearest = round(scaled)
    return nearest if abs(scaled - nearest) < 0.499 else round(round(length, 2) * 100)


def _join(x: float, y: float) -> str:
    """A point in path data: a space only where no minus sign separates its numbers."""
    across, down = _number(round(x * 100)), _number(round(y * 100))
    return across + down if down[0] == "-" else f"{across} {down}"


@lru_cache(maxsize=16_384)
def _number(hundredths: int) -> str:
    """A number in path data, without a zero before the point."""
    text = decimal(hundredths / 100)
    return text.replace("0.", ".", 1) if abs(hundredths) < 100 else text


@cache
def _ink_centre(face: str, character: str) -> float:
    """The horizontal centre of a glyph's outline, in ems from its origin."""
    font = open_font(face)
    bounds = font.bounds(font.glyphs[character])
    return sum(bounds) / 2 / font.units if bounds is not None else 0.0
