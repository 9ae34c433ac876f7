"""Text as glyph outlines, which look the same everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from inspector.typography.decimal import decimal
from inspector.typography.fonts import advances, characters, open_font
from inspector.typography.metrics import covers
from inspector.typography.sanitize import sanitize

Point = tuple[float, float]


class Contour(NamedTuple):
    """A closed curve in ems, y upwards. A segment is a line's end, or a quadratic's control point and end."""

    start: Point
    segments: tuple[tuple[Point, ...], ...]


def glyph_path(text: str, size: float, face: str = "regular", x: float = 0.0, y: float = 0.0) -> str:
    """One line of `text` as SVG path data, rounded to two decimals.

    size: points; x, y: where the baseline begins, in points, y downwards.
    Raises ValueError for characters that the face lacks: ask `covers` first.
    """
    first, commands = _drawn(sanitize(text), size, face)
    return f"M{_joined((x + first[0], y + first[1]))}{commands}" if commands else ""


@lru_cache(maxsize=2_048)
def _drawn(text: str, size: float, face: str) -> tuple[Point, str]:
    """Where the outline of a text begins, from the start of its baseline, and all that follows in relative
    commands: the same wherever the text stands, and a large figure has the same few names everywhere."""
    if not covers(text, face):
        lacking = sorted(set(text) - advances(face).keys())
        raise ValueError(f"the face {face!r} has no glyph for {', '.join(map(repr, lacking))}")
    first: Point | None = None
    here = (0.0, 0.0)
    pieces: list[str] = []
    for x, y, commands in _contours_of(text, size, face):
        if first is None:
            first = x, y
        else:
            pieces.append(f"m{_joined((x - here[0], y - here[1]))}")
        pieces.append(f"{commands}z")
        here = x, y  # where `z` leaves the pen
    return first or here, "".join(pieces)


def _contours_of(text: str, size: float, face: str) -> Iterator[tuple[float, float, str]]:
    """Every contour of a text: where it begins, rounded, and its commands."""
    pen = last = 0.0
    for character in text:
        mark = unicodedata.combining(character) != 0
        # An accent goes over the middle of the letter before it; the fonts bring no table that says so.
        origin = (last + pen) / 2 - _middle(face, character) * size if mark else pen
        for x, y, commands in _glyph(face, character, size):
            yield round(origin + x, 2), round(y, 2), commands
        if not mark:
            last, pen = pen, pen + advances(face)[character] * size


@lru_cache(maxsize=4096)
def _glyph(face: str, character: str, size: float) -> tuple[tuple[float, float, str], ...]:
    """The contours of a glyph: where each begins, from the glyph's origin, and its relative commands."""
    return tuple(
        (contour.start[0] * size, -contour.start[1] * size, _commands(contour, size))
        for contour in _contours(face, character)
    )


def _commands(contour: Contour, size: float) -> str:
    """The segments of a contour as relative commands, each measured from the rounded end of the last one."""
    pieces: list[str] = []
    letter = ""
    here = (0.0, 0.0)
    for segment in contour.segments:
        points = [
            (round((x - contour.start[0]) * size, 2), round((contour.start[1] - y) * size, 2)) for x, y in segment
        ]
        numbers = _joined(part for x, y in points for part in (x - here[0], y - here[1]))
        command = "lq"[len(points) - 1]
        if command != letter:
            pieces.append(command)
        elif not numbers.startswith("-"):
            pieces.append(" ")
        pieces.append(numbers)
        letter, here = command, points[-1]
    return "".join(pieces)


def _joined(numbers: Iterable[float]) -> str:
    """Numbers in path data: a space only where no minus sign parts them, no zero before the point."""
    text = ""
    for number in numbers:
        part = decimal(number).replace("0.", ".", 1) if abs(number) < 1 else decimal(number)
        text += part if not text or part.startswith("-") else f" {part}"
    return text


@cache
def _middle(face: str, character: str) -> float:
    """The middle of a glyph's ink, in ems from its origin."""
    across = [
        point[0]
        for contour in _contours(face, character)
        for point in (contour.start, *(segment[-1] for segment in contour.segments))
    ]
    return (min(across) + max(across)) / 2 if across else 0.0


@cache
def _contours(face: str, character: str) -> tuple[Contour, ...]:
    """The outline of one glyph."""
    from fontTools.pens.recordingPen import DecomposingRecordingPen  # type: ignore[import-untyped]

    font: Any = open_font(face)
    glyphs = font.getGlyphSet()
    pen = DecomposingRecordingPen(glyphs)
    glyphs[characters(face)[character]].draw(pen)
    units = font["head"].unitsPerEm
    contours: list[Contour] = []
    begun: list[list[tuple[float, float] | None]] = []
    for operation, arguments in pen.value:
        if operation == "closePath":
            contours.append(_contour(begun, units))
            begun = []
        else:  # moveTo, lineTo or qCurveTo: TrueType outlines hold no other
            begun.append(list(arguments))
    return tuple(contours)


def _contour(steps: list[list[tuple[float, float] | None]], units: int) -> Contour:
    """One contour from the points of its steps: a step of several is a run of controls and its end."""
    if steps[0][-1] is None:  # controls all the way round, and the curve passes between them
        steps = _opened([point for point in steps[0] if point is not None])
    ems = [[(x / units, y / units) for x, y in filter(None, step)] for step in steps]
    segments: list[tuple[Point, ...]] = []
    for step in ems[1:]:
        *controls, end = step
        for control, following in pairwise(controls):
            segments.append((control, _between(control, following)))
        segments.append((controls[-1], end) if controls else (end,))
    if segments and segments[-1] == (ems[0][0],):
        segments.pop()  # `z` draws the last straight line
    return Contour(ems[0][0], tuple(segments))


def _opened(controls: list[Point]) -> list[list[Point | None]]:
    """A contour that has no point on the curve, begun at the one between its last and its first control."""
    start = _between(controls[-1], controls[0])
    return [[start], [*controls, start]]


def _between(first: Point, second: Point) -> Point:
    return ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
