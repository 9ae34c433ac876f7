"""What figures need of a font file, read by fontTools: which characters, how wide, which outlines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from fontTools.pens.basePen import BasePen  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

Point = tuple[float, float]
Segment = tuple[Point, ...]
"""The end of a line, or the control point and the end of a quadratic curve."""
Outline = tuple[tuple[Point, tuple[Segment, ...]], ...]
"""Contours: the start of each, and its segments, in units of the font, y upwards."""


class FontFile:
    """A TrueType file. Characters are asked for by the name of their glyph."""

    def __init__(self, path: Path) -> None:
        self._font = TTFont(path, lazy=True, recalcTimestamp=False)

    @cached_property
    def units(self) -> int:
        """Units in an em."""
        return int(self._font["head"].unitsPerEm)

    @cached_property
    def cap_height(self) -> int:
        """The height of capitals, in units."""
        return int(self._font["OS/2"].sCapHeight)

    @cached_property
    def glyphs(self) -> Mapping[str, str]:
        """Character → glyph, in the order of the characters."""
        return {chr(code): glyph for code, glyph in self._font.getBestCmap().items()}

    @cached_property
    def advances(self) -> Mapping[str, int]:
        """Glyph → advance width, in units."""
        return {glyph: width for glyph, (width, _) in self._font["hmtx"].metrics.items()}

    def bounds(self, glyph: str) -> tuple[int, int] | None:
        """The left and the right end of an outline, in units; None if there is no outline."""
        outline = self._font["glyf"][glyph]
        return (outline.xMin, outline.xMax) if outline.numberOfContours else None

    def outline(self, glyph: str) -> Outline:
        """The contours of a glyph."""
        pen = _SegmentsPen(self._glyph_set)
        self._glyph_set[glyph].draw(pen)
        return tuple((start, tuple(segments)) for start, segments in pen.contours)

    @cached_property
    def _glyph_set(self) -> Any:
        return self._font.getGlyphSet()


class _SegmentsPen(BasePen):  # type: ignore[misc]
    """Collects the segments of contours."""

    def __init__(self, glyphs: Any) -> None:
        super().__init__(glyphs)
        self.contours: list[tuple[Point, list[Segment]]] = []

    def _moveTo(self, start: Point) -> None:
        self.contours.append((start, []))

    def _lineTo(self, end: Point) -> None:
        self.contours[-1][1].append((end,))

    def _qCurveToOne(self, control: Point, end: Point) -> None:
        self.contours[-1][1].append((control, end))
