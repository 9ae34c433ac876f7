"""Wires as PowerPoint's own connectors, glued to the boxes at both ends; as freeforms where they wind."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, hypot
from typing import Any, NamedTuple

from inspector.layout.curves import is_clear, sampled, straight, swung
from inspector.scene.scene import Point, Rectangle

_STRAIGHT = 1.0
"""Points that a wire may stray from the straight line between its ends."""
_CLEAR = 6.0
"""Points around what a wire avoids: programs draw an S a little differently, and glue to the middle of a side."""
_QUARTER = 5_400_000  # of a turn, in PowerPoint's 60,000ths of a degree


class Bend(NamedTuple):
    """How a connector runs: PowerPoint's name for it, its box, and how that is turned and flipped."""

    preset: str
    area: Rectangle
    turn: int = 0
    flip_across: bool = False
    flip_down: bool = False


def bend_of(points: Sequence[Point], obstacles: Sequence[Rectangle] = ()) -> Bend | None:
    """The connector for a wire: straight, or PowerPoint's S; None where that would run over what the wire avoids.

    obstacles: texts and boxes that are not the wire's own.
    """
    start, end = points[0], points[-1]
    if _strays(points, straight(start, end)) < _STRAIGHT:
        return _level("straightConnector1", start, end)
    level = _leaves_level(start, points[1])
    obstacles = [_widened(area) for area in obstacles]
    if level != _leaves_level(end, points[-2]) or not is_clear(swung(start, end, horizontal=level), obstacles):
        return None
    return _level("curvedConnector3", start, end) if level else _upright(start, end)


def _widened(area: Rectangle) -> Rectangle:
    return Rectangle(area.x - _CLEAR, area.y - _CLEAR, area.width + 2 * _CLEAR, area.height + 2 * _CLEAR)


def side_of(area: Rectangle, point: Point) -> int:
    """The number of the side of a box in whose middle PowerPoint glues: 0 top, 1 left, 2 bottom, 3 right."""
    x, y = area.center
    middles = ((x, area.y), (area.x, y), (x, area.bottom), (area.right, y))
    sides = (point[1] - area.y, point[0] - area.x, point[1] - area.bottom, point[0] - area.right)
    return min(range(len(sides)), key=lambda side: (round(abs(sides[side]), 1), dist(middles[side], point)))


def apply(bend: Bend, properties: Any) -> None:
    """Turn and flip a shape: `properties` is its a:xfrm."""
    if bend.turn:
        properties.set("rot", str(bend.turn))
    for attribute, flipped in (("flipH", bend.flip_across), ("flipV", bend.flip_down)):
        if flipped:
            properties.set(attribute, "1")


def _level(preset: str, start: Point, end: Point) -> Bend:
    """A connector as PowerPoint draws it unturned: from the upper left, leaving level."""
    area = _between(start, end)
    return Bend(preset, area, flip_across=end[0] < start[0], flip_down=end[1] < start[1])


def _upright(start: Point, end: Point) -> Bend:
    """The same turned by a quarter, so that it leaves and arrives upright. Its box is that before the turn."""
    area = _between(start, end)
    (x, y), wide, high = area.center, area.height, area.width
    unturned = Rectangle(x - wide / 2, y - high / 2, wide, high)
    down, right = end[1] > start[1], end[0] > start[0]
    return Bend("curvedConnector3", unturned, _QUARTER if down else 3 * _QUARTER, flip_down=down == right)


def _between(start: Point, end: Point) -> Rectangle:
    x, y = min(start[0], end[0]), min(start[1], end[1])
    return Rectangle(x, y, abs(end[0] - start[0]), abs(end[1] - start[1]))


def _leaves_level(end: Point, control: Point) -> bool:
    return abs(control[0] - end[0]) >= abs(control[1] - end[1])


def _strays(points: Sequence[Point], curve: Sequence[Point]) -> float:
    """How far a wire comes away from a curve between the same ends."""
    places = list(sampled(curve, 64))
    return max(min(hypot(x - px, y - py) for px, py in places) for x, y in sampled(points))
