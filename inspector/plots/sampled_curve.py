"""Sample the root as a function of one leaf, around the leaf's value in the script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from inspector.scene.scene import Point

SAMPLES = 241
"""Number of samples; odd, so that the point itself is one of them."""

_LEAST_REACH = 2.0
_REACH = 1.5
_WILD = 10.0
"""Largest distance from the point, in multiples of the median, before the window is halved."""
_HALVINGS = 6
_EDGE_STEPS = 20
_TAILS = 6.0
_MARGIN = 0.06


class AxisWindow(Struct, frozen=True):
    """The part of the plane that is shown."""

    left: float
    right: float
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.high - self.low


class Curve(Struct, frozen=True):
    """Lines through the samples within a window; several if the function has gaps or jumps."""

    window: AxisWindow
    lines: tuple[tuple[Point, ...], ...]


def sample(function: Callable[[float], float], at: float) -> Curve:
    """The curve of a function around a point, in a window small enough to show its shape there."""
    reach = max(_LEAST_REACH, _REACH * abs(at))
    points = _points(function, at, reach)
    for _ in range(_HALVINGS):
        if not _is_wild(points, function(at)):
            break
        reach /= 2
        points = _points(function, at, reach)
    low, high = _range([y for _, y in points if math.isfinite(y)] or [0.0])
    window = AxisWindow(at - reach, at + reach, low, high)
    return Curve(window, tuple(_clipped(_pieces(function, points), window)))


def clip_line(start: Point, end: Point, window: AxisWindow) -> tuple[Point, Point] | None:
    """The part of a straight line between low and high, or None."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        return (start, end) if window.low <= y0 <= window.high else None
    bounds = sorted(((window.low - y0) / (y1 - y0), (window.high - y0) / (y1 - y0)))
    first, last = max(0.0, bounds[0]), min(1.0, bounds[1])
    if first >= last:
        return None

    def point(share: float) -> Point:
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

    return point(first), point(last)


def _points(function: Callable[[float], float], at: float, reach: float) -> list[Point]:
    half = SAMPLES // 2
    places = [at + reach * step / half for step in range(-half, half + 1)]
    return [(x, function(x)) for x in places]


def _is_wild(points: Sequence[Point], here: float) -> bool:
    """Whether the values at the ends are much larger than those near the point (exp, a pole)."""
    distances = sorted(abs(y - here) for _, y in points if math.isfinite(y))
    return bool(distances) and distances[-1] > _WILD * max(distances[len(distances) // 2], 1e-12)


def _range(values: list[float]) -> tuple[float, float]:
    """Low and high of the window, without the tails of a curve that grows fast."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    inner = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    if high - low > _TAILS * (inner[1] - inner[0]) > 0:
        low, high = inner
    if high - low <= 1e-9 * max(1.0, abs(high)):
        low, high = low - 1, high + 1  # a constant
    margin = _MARGIN * (high - low)
    return low - margin, high + margin


def _pieces(function: Callable[[float], float], points: Sequence[Point]) -> list[list[Point]]:
    """Runs of finite points, each extended to the edge of the function's domain."""
    pieces: list[list[Point]] = [[]]
    for one, other in pairwise(points):
        if math.isfinite(one[1]):
            pieces[-1].append(one)
        if math.isfinite(one[1]) == math.isfinite(other[1]):
            continue
        edge = _edge(function, one, other)
        if math.isfinite(one[1]):
            pieces[-1].append(edge)
            pieces.append([])
        else:
            pieces[-1] = [edge]
    if math.isfinite(points[-1][1]):
        pieces[-1].append(points[-1])
    return [piece for piece in pieces if len(piece) > 1]


def _edge(function: Callable[[float], float], one: Point, other: Point) -> Point:
    """The last point of the domain between a defined and an undefined one."""
    inside, outside = (one, other) if math.isfinite(one[1]) else (other, one)
    for _ in range(_EDGE_STEPS):
        middle = (inside[0] + outside[0]) / 2
        value = function(middle)
        if math.isfinite(value):
            inside = (middle, value)
        else:
            outside = (middle, value)
    return inside


def _clipped(pieces: Sequence[Sequence[Point]], window: AxisWindow) -> list[tuple[Point, ...]]:
    """The pieces within the window, split where they leave it (a pole jumps from one side to the other)."""
    lines: list[list[Point]] = []
    for piece in pieces:
        lines.append([])
        for one, other in pairwise(piece):
            jumps = min(one[1], other[1]) < window.low and max(one[1], other[1]) > window.high
            part = None if jumps else clip_line(one, other, window)
            if part is None or (lines[-1] and lines[-1][-1] != part[0]):
                lines.append([])
            if part is not None:
                lines[-1] += part if not lines[-1] else part[1:]
    return [tuple(line) for line in lines if len(line) > 1]
