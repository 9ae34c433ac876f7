"""Place a label beside a point where no line crosses it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from inspector.scene.scene import Point, Rectangle, TextRun
from inspector.typography import width

_LEADING = 1.25
_PADDING = 3.0
_CLEARANCE = 6.0
_FIRST = 16.0
"""Minimum distance of a label from the point."""
_TRIES = (14, 18)
_SPACING = 4.0


class Label(Struct, frozen=True):
    """Lines of text, not placed yet."""

    lines: tuple[TextRun, ...]

    @property
    def size(self) -> tuple[float, float]:
        wide = max(width(run.text, run.size, run.face) for run in self.lines)
        return wide + 2 * _PADDING, sum(run.size * _LEADING for run in self.lines) + 2 * _PADDING


class PlacedLabel(Struct, frozen=True):
    """A label at its position."""

    area: Rectangle
    texts: tuple[TextRun, ...]


def place_label(label: Label, point: Point, room: Rectangle, lines: Sequence[Sequence[Point]]) -> PlacedLabel:
    """The free position in `room` nearest to the point; if none is free, the one that covers the least."""
    dots = list(_dots(lines))
    wide, high = label.size
    best: tuple[tuple[int, float], Rectangle] | None = None
    for area in _places(room, wide, high):
        covered = sum(_near(dot, area) for dot in dots)
        rank = (covered, max(_FIRST, _distance(point, area)))
        if best is None or rank < best[0]:
            best = (rank, area)
    area = best[1] if best is not None else Rectangle(room.x, room.y, wide, high)
    texts, y = [], area.y + _PADDING
    for run in label.lines:
        texts.append(replace(run, x=area.x + _PADDING, y=y + run.size))
        y += run.size * _LEADING
    return PlacedLabel(area, tuple(texts))


def _places(room: Rectangle, wide: float, high: float) -> Iterator[Rectangle]:
    """A grid of positions within the room."""
    columns, rows = _TRIES
    across, down = room.width - wide - 2 * _CLEARANCE, room.height - high - 2 * _CLEARANCE
    if across < 0 or down < 0:
        return
    for row in range(rows + 1):
        for column in range(columns + 1):
            x = room.x + _CLEARANCE + across * column / columns
            yield Rectangle(x, room.y + _CLEARANCE + down * row / rows, wide, high)


def _dots(lines: Sequence[Sequence[Point]]) -> Iterator[Point]:
    """Points along the lines, closer together than any label is wide."""
    for line in lines:
        for (x0, y0), (x1, y1) in pairwise(line):
            count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / _SPACING))
            for step in range(count + 1):
                yield x0 + (x1 - x0) * step / count, y0 + (y1 - y0) * step / count


def _near(point: Point, area: Rectangle) -> bool:
    return (
        area.x - _CLEARANCE < point[0] < area.right + _CLEARANCE
        and area.y - _CLEARANCE < point[1] < area.bottom + _CLEARANCE
    )


def _distance(point: Point, area: Rectangle) -> float:
    dx = max(area.x - point[0], 0.0, point[0] - area.right)
    dy = max(area.y - point[1], 0.0, point[1] - area.bottom)
    return math.hypot(dx, dy)
