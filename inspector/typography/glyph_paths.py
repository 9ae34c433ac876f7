"""Text as glyph outlines, which look the same everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

from fontTools.pens.basePen import BasePen  # type: ignore[import-untyped]

from inspector.typography.decimal import decimal
from inspector.typography.fonts import advances, characters, open_font
from inspector.typography.metrics import covers
from inspector.typography.sanitize import sanitize

Point = tuple[float, float]
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
    return f"M{_join((x, y))}{commands}" if commands else ""


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
            pieces.append(f"m{_join((x - here[0], y - here[1]))}")
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
    glyphs = _glyph_set(face)
    pen = _RelativePathPen(glyphs, open_font(face)["head"].unitsPerEm, size)
    glyphs[characters(face)[character]].draw(pen)
    return tuple(pen.contours)


class _RelativePathPen(BasePen):  # type: ignore[misc]
    """Collects contours as relative SVG commands. fontTools' SVGPathPen writes absolute ones only."""

    def __init__(self, glyphs: Any, units: int, size: float) -> None:
        super().__init__(glyphs)
        self.contours: list[Contour] = []
        self._units, self._size = units, size

    def _moveTo(self, start: Point) -> None:
        self._start = self._em(start)
        self._here, self._letter, self._commands = (0.0, 0.0), "", ""

    def _lineTo(self, end: Point) -> None:
        self._add("l", end)

    def _qCurveToOne(self, control: Point, end: Point) -> None:
        self._add("q", control, end)

    def _closePath(self) -> None:
        x, y = self._start
        self.contours.append((x * self._size, -y * self._size, self._commands))

    def _em(self, point: Point) -> Point:
        return point[0] / self._units, point[1] / self._units

    def _add(self, letter: str, *points: Point) -> None:
        """One command. Each is relative to the rounded end of the last one, so that errors do not add up."""
        ems = map(self._em, points)
        (x, y), size = self._start, self._size
        ends = [(round((right - x) * size, 2), round((y - up) * size, 2)) for right, up in ems]
        numbers = _join(part for end in ends for part in (end[0] - self._here[0], end[1] - self._here[1]))
        separator = letter if letter != self._letter else "" if numbers.startswith("-") else " "
        self._commands += separator + numbers
        self._letter, self._here = letter, ends[-1]


def _join(numbers: Iterable[float]) -> str:
    """Numbers in path data: a space only where no minus sign separates them, no zero before the point."""
    text = ""
    for number in numbers:
        part = decimal(number).replace("0.", ".", 1) if abs(number) < 1 else decimal(number)
        text += part if not text or part.startswith("-") else f" {part}"
    return text


@cache
def _ink_centre(face: str, character: str) -> float:
    """The horizontal centre of a glyph's outline, in ems from its origin."""
    glyph = open_font(face)["glyf"][characters(face)[character]]
    units = open_font(face)["head"].unitsPerEm
    return (glyph.xMin + glyph.xMax) / 2 / units if glyph.numberOfContours else 0.0


@cache
def _glyph_set(face: str) -> Any:
    return open_font(face).getGlyphSet()
