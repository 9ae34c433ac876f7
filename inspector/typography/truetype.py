"""The tables of a TrueType file that figures need: which characters, how wide, which outlines.

fontTools reads any font, but takes longer for the four bundled ones than the rest of a figure takes. This reads
what those contain: a character map of format 4, short offsets, outlines of points and of other glyphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from struct import Struct, unpack_from

Point = tuple[float, float]
Segment = tuple[Point, ...]
"""The end of a line, or the control point and the end of a quadratic curve."""
Outline = tuple[tuple[Point, tuple[Segment, ...]], ...]
"""Contours: the start of each, and its segments, in units of the font, y upwards."""

_ON_CURVE, _SHORT_X, _SHORT_Y, _REPEATED, _SAME_X, _SAME_Y = 1, 2, 4, 8, 16, 32
_WORDS, _ONE_SCALE, _MORE, _TWO_SCALES, _MATRIX = 1, 8, 32, 64, 128
_COMPONENT = Struct(">HH")
_SHARE = 1 << 14  # a scale is in parts of this

_FlaggedPoint = tuple[Point, bool]


class TrueType:
    """A font file. Characters are asked for by their glyph, which is a number."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        (count,) = unpack_from(">H", self._data, 4)
        records = (unpack_from(">4sLLL", self._data, 12 + 16 * number) for number in range(count))
        self._tables = {name.decode("ascii"): start for name, _, start, _ in records}

    @cached_property
    def units(self) -> int:
        """Units in an em."""
        return int(self._at("H", "head", 18)[0])

    @cached_property
    def cap_height(self) -> int:
        """The height of capitals, in units."""
        return int(self._at("h", "OS/2", 88)[0])

    @cached_property
    def glyphs(self) -> Mapping[str, int]:
        """Character → glyph, in the order of the characters."""
        start = self._tables["cmap"]
        (count,) = self._at("H", "cmap", 2)
        subtables = (self._at("HHL", "cmap", 4 + 8 * number) for number in range(count))
        offset = next(offset for platform, encoding, offset in subtables if (platform, encoding) == (3, 1))
        return dict(self._characters(start + offset))

    @cached_property
    def advances(self) -> Sequence[int]:
        """The advance width of each glyph, in units."""
        (given,) = self._at("H", "hhea", 34)
        (count,) = self._at("H", "maxp", 4)
        widths = self._at("Hh" * given, "hmtx", 0)[::2]
        return (*widths, *widths[-1:] * (count - given))

    def bounds(self, glyph: int) -> tuple[int, int] | None:
        """The left and the right end of an outline, in units; None if there is no outline."""
        start = self._start_of(glyph)
        if start is None:
            return None
        _, left, _, right, _ = unpack_from(">5h", self._data, start)
        return left, right

    def outline(self, glyph: int) -> Outline:
        """The contours of a glyph."""
        return tuple(map(_segments, self._contours(glyph)))

    def _at(self, format: str, table: str, offset: int) -> tuple[int, ...]:
        return unpack_from(f">{format}", self._data, self._tables[table] + offset)

    def _characters(self, start: int) -> Iterator[tuple[str, int]]:
        """The runs of a character map of format 4: each adds a number to its codes, or looks them up."""
        (doubled,) = unpack_from(">H", self._data, start + 6)
        count = doubled // 2
        ends, firsts, deltas, offsets = (
            unpack_from(f">{count}H", self._data, start + at)
            for at in (14, 16 + doubled, 16 + 2 * doubled, 16 + 3 * doubled)
        )
        for run, (first, end, delta, offset) in enumerate(zip(firsts, ends, deltas, offsets, strict=True)):
            glyphs: Sequence[int] = range(first, end + 1)
            if offset:
                place = start + 16 + 3 * doubled + 2 * run + offset
                glyphs = unpack_from(f">{end + 1 - first}H", self._data, place)
            for code, glyph in enumerate(glyphs, first):
                if code != 0xFFFF and (glyph or not offset):
                    yield chr(code), (glyph + delta) & 0xFFFF

    def _start_of(self, glyph: int) -> int | None:
        start, end = self._at("HH", "loca", 2 * glyph)
        return None if start == end else self._tables["glyf"] + 2 * start

    def _contours(self, glyph: int) -> Iterator[list[_FlaggedPoint]]:
        start = self._start_of(glyph)
        if start is None:
            return
        (count,) = unpack_from(">h", self._data, start)
        if count < 0:
            yield from self._components(start + 10)
        else:
            yield from self._own_contours(count, start + 10)

    def _own_contours(self, count: int, start: int) -> Iterator[list[_FlaggedPoint]]:
        ends = unpack_from(f">{count}H", self._data, start)
        (hints,) = unpack_from(">H", self._data, start + 2 * count)
        place = start + 2 * count + 2 + hints
        flags: list[int] = []
        while len(flags) <= ends[-1]:
            flag = self._data[place]
            place += 1
            times = 1
            if flag & _REPEATED:
                times += self._data[place]
                place += 1
            flags += [flag] * times
        across, place = self._coordinates(flags, _SHORT_X, _SAME_X, place)
        up, _ = self._coordinates(flags, _SHORT_Y, _SAME_Y, place)
        points: list[_FlaggedPoint] = [
            ((x, y), bool(flag & _ON_CURVE)) for x, y, flag in zip(across, up, flags, strict=True)
        ]
        for first, last in pairwise((-1, *ends)):
            yield points[first + 1 : last + 1]

    def _coordinates(self, flags: Sequence[int], short: int, same: int, place: int) -> tuple[list[int], int]:
        """The coordinates of all points along one axis, which are stored as differences, and where they end."""
        here, found = 0, []
        for flag in flags:
            if flag & short:
                here += self._data[place] if flag & same else -self._data[place]
                place += 1
            elif not flag & same:
                here += unpack_from(">h", self._data, place)[0]
                place += 2
            found.append(here)
        return found, place

    def _components(self, place: int) -> Iterator[list[_FlaggedPoint]]:
        """The contours of the glyphs of which a glyph is made, each moved, and scaled where it says so."""
        flags = _MORE
        while flags & _MORE:
            flags, glyph = _COMPONENT.unpack_from(self._data, place)
            format = ">hh" if flags & _WORDS else ">bb"
            right, up = unpack_from(format, self._data, place + 4)
            place += 8 if flags & _WORDS else 6
            scales = 4 if flags & _MATRIX else 2 if flags & _TWO_SCALES else 1 if flags & _ONE_SCALE else 0
            shares = [value / _SHARE for value in unpack_from(f">{scales}h", self._data, place)]
            place += 2 * scales
            matrix = shares if scales == 4 else (shares[0], 0, 0, shares[-1]) if scales else (1, 0, 0, 1)
            xx, xy, yx, yy = matrix
            for contour in self._contours(glyph):
                yield [
                    ((xx * x + yx * y + right, xy * x + yy * y + up), on_curve) for (x, y), on_curve in contour
                ]


def _segments(contour: list[_FlaggedPoint]) -> tuple[Point, tuple[Segment, ...]]:
    """The start of a contour and its segments. Between two control points, a point on the curve is implied; the
    last line is left out, since closing the path draws it."""
    first = next((place for place, (_, on_curve) in enumerate(contour) if on_curve), None)
    if first is None:
        start = _middle(contour[-1][0], contour[0][0])
        turned = [*contour, (start, True)]
    else:
        start = contour[first][0]
        turned = contour[first + 1 :] + contour[: first + 1]
    segments: list[Segment] = []
    control: Point | None = None
    for point, on_curve in turned:
        if control is not None:
            segments.append((control, point if on_curve else _middle(control, point)))
        elif on_curve:
            segments.append((point,))
        control = None if on_curve else point
    if len(segments[-1]) == 1:
        segments.pop()
    return start, tuple(segments)


def _middle(point: Point, other: Point) -> Point:
    return 0.5 * (point[0] + other[0]), 0.5 * (point[1] + other[1])
