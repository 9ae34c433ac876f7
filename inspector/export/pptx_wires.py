"""Wires as PowerPoint connectors, attached at both ends; a winding wire is several connectors with joints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import dist, hypot
from typing import Any, NamedTuple

from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import is_clear, s_curve, sampled, straight

_STRAIGHT = 1.0
"""Points by which a straight wire may deviate from the line between its ends."""
_CLEAR = 6.0
"""Margin around obstacles, in points: programs draw an S a little differently, and attach it to the middle of a
side."""
_TIGHT = 40.0
"""Length of an S below which LibreOffice draws loops, since its connectors have straight ends."""
_QUARTER = 5_400_000  # 90 degrees in PowerPoint's unit, 1/60,000 of a degree


class Bend(NamedTuple):
    """The shape of a connector: its PowerPoint preset, its box, and the rotation and flips of the box."""

    preset: str
    area: Rectangle
    turn: int = 0
    flip_across: bool = False
    flip_down: bool = False


class Piece(NamedTuple):
    """A connector of a wire, with its start and end."""

    bend: Bend
    start: Point
    end: Point


def pieces_of(points: Sequence[Point], obstacles: Sequence[Rectangle] = ()) -> list[Piece]:
    """The connectors of a wire, in order: a single one if possible, else one per bend.

    obstacles: texts, and boxes other than the wire's own.
    """
    whole = bend_of(points, obstacles)
    if whole is not None:
        return [Piece(whole, points[0], points[-1])]
    stretches: list[tuple[Point, ...]] = []
    for at in range(0, len(points) - 1, 3):
        stretches += _stretches(points[at : at + 4])
    return [_piece(stretch) for stretch in _merged(stretches)]


def _stretches(segment: Sequence[Point]) -> list[tuple[Point, ...]]:
    """A segment of a spline as a straight line (two points) or an S (four points); a corner or a tight S is split
    into lines."""
    start, first, last, end = segment
    if _strays(segment, straight(start, end)) < _STRAIGHT:
        return [(start, end)]
    level = _leaves_level(start, first)
    if level == _leaves_level(end, last):
        if abs(end[0] - start[0] if level else end[1] - start[1]) < _TIGHT:
            return list(pairwise(sampled(segment, 3)))
        return [tuple(segment)]
    corner = (end[0], start[1]) if level else (start[0], end[1])
    return [(start, corner), (corner, end)]


def _merged(stretches: Sequence[tuple[Point, ...]]) -> list[tuple[Point, ...]]:
    """The stretches without those of length zero, and with consecutive collinear lines joined."""
    merged: list[tuple[Point, ...]] = []
    for stretch in stretches:
        if dist(stretch[0], stretch[-1]) < _STRAIGHT:
            continue
        if merged and len(merged[-1]) == len(stretch) == 2 and _in_line(merged[-1][0], *stretch):
            merged[-1] = (merged[-1][0], stretch[1])
        else:
            merged.append(stretch)
    return merged


def _in_line(start: Point, middle: Point, end: Point) -> bool:
    return dist(start, middle) + dist(middle, end) - dist(start, end) < _STRAIGHT / 10


def _piece(stretch: tuple[Point, ...]) -> Piece:
    start, end = stretch[0], stretch[-1]
    if len(stretch) == 2:
        return Piece(_level("straightConnector1", start, end), start, end)
    level = _leaves_level(start, stretch[1])
    return Piece(_level("curvedConnector3", start, end) if level else _upright(start, end), start, end)


def side_towards(start: Point, piece: Piece) -> int:
    """The side of a joint at which a connector is attached: the side of the connector's other end.

    start: the end at the joint.
    """
    end = piece.end if start == piece.start else piece.start
    across, down = end[0] - start[0], end[1] - start[1]
    level = abs(across) >= abs(down) if piece.bend.preset == "straightConnector1" else not piece.bend.turn
    if level:
        return 3 if across > 0 else 1
    return 2 if down > 0 else 0


def bend_of(points: Sequence[Point], obstacles: Sequence[Rectangle] = ()) -> Bend | None:
    """The connector for a wire: straight, or PowerPoint's S; None if that would cross an obstacle.

    obstacles: texts, and boxes other than the wire's own.
    """
    start, end = points[0], points[-1]
    if is_straight(points):
        return _level("straightConnector1", start, end)
    level = _leaves_level(start, points[1])
    obstacles = [area.grown(_CLEAR) for area in obstacles]
    if level != _leaves_level(end, points[-2]) or not is_clear(s_curve(start, end, horizontal=level), obstacles):
        return None
    return _level("curvedConnector3", start, end) if level else _upright(start, end)


def is_straight(points: Sequence[Point]) -> bool:
    """Whether a wire is nearly the straight line between its ends."""
    return _strays(points, straight(points[0], points[-1])) < _STRAIGHT


def side_of(area: Rectangle, point: Point) -> int:
    """The side of a box nearest to a point, by PowerPoint's numbers: 0 top, 1 left, 2 bottom, 3 right."""
    x, y = area.center
    middles = ((x, area.y), (area.x, y), (x, area.bottom), (area.right, y))
    sides = (point[1] - area.y, point[0] - area.x, point[1] - area.bottom, point[0] - area.right)
    return min(range(len(sides)), key=lambda side: (round(abs(sides[side]), 1), dist(middles[side], point)))


def apply(bend: Bend, properties: Any) -> None:
    """Rotate and flip a shape. properties: its a:xfrm element."""
    if bend.turn:
        properties.set("rot", str(bend.turn))
    for attribute, flipped in (("flipH", bend.flip_across), ("flipV", bend.flip_down)):
        if flipped:
            properties.set(attribute, "1")


def _level(preset: str, start: Point, end: Point) -> Bend:
    """A connector without rotation: PowerPoint draws it from the upper left, with horizontal ends."""
    area = _between(start, end)
    return Bend(preset, area, flip_across=end[0] < start[0], flip_down=end[1] < start[1])


def _upright(start: Point, end: Point) -> Bend:
    """A connector rotated by 90 degrees, with vertical ends. Its box is the one before the rotation."""
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
    """The largest distance of a wire from a curve between the same ends."""
    places = list(sampled(curve, 64))
    return max(min(hypot(x - px, y - py) for px, py in places) for x, y in sampled(points))
