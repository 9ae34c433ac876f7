"""Geometry of arrowheads: where the line ends and the head begins.

Each writer draws its own heads, because slide programs lose SVG markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist

from fontTools.misc.bezierTools import calcCubicParameters, splitCubicAtT  # type: ignore[import-untyped]

Point = tuple[float, float]

LENGTH = 12.0  # of a head, in points
HALF_WIDTH = 6.0
OVERLAP = 2.0  # length of the line inside the head, so that there is no gap between them
LARGEST_SHARE = 0.6  # of a short wire
_STEPS = 1 << 30
"""Resolution of the parameter at which a curve is cut: errors stay below the two decimals of a file."""


def with_head(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """A cubic Bezier spline shortened for its head, and the three corners of the head, tip first.

    points: the start, then three points a segment. The head points along the last stretch of the curve, its
    tip at the end. A wire of length zero is returned unchanged, with an empty list for the head.
    Raises ValueError unless there are 3k + 1 points.
    """
    if len(points) < 4 or len(points) % 3 != 1:
        raise ValueError(f"a spline must have 4, 7, 10, … points, got {len(points)}")
    tip = points[-1]
    reach = max([dist(point, tip) for point in points[::3]])
    if reach == 0:
        return list(points), []
    scale = min(1.0, LARGEST_SHARE * reach / LENGTH)
    base = _cut(points, LENGTH * scale)[-1]
    return _cut(points, (LENGTH - OVERLAP) * scale), _corners(base, tip, HALF_WIDTH * scale)


def _corners(base: Point, tip: Point, half_width: float) -> list[Point]:
    along = dist(base, tip)
    across = ((base[1] - tip[1]) / along * half_width, (tip[0] - base[0]) / along * half_width)
    return [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]


def _cut(points: Sequence[Point], gap: float) -> list[Point]:
    """The spline up to the last place that is `gap` points away from its end."""
    tip = points[-1]
    start = len(points) - 4
    while start and dist(points[start], tip) < gap:
        start -= 3
    segment = points[start : start + 4]

    share = _share(segment, tip, gap)
    return [*points[:start], *splitCubicAtT(*segment, share)[0]]


def _share(segment: Sequence[Point], tip: Point, gap: float) -> float:
    """The parameter of the last place of a segment that is `gap` points away from the tip, in whole `_STEPS`.

    Bisection, with the polynomial written out: a large figure has thousands of wires, and a call for each of the
    30 steps of each would be half of the time that its SVG takes.
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = calcCubicParameters(*segment)
    dx, dy, nearest = dx - tip[0], dy - tip[1], gap * gap
    low, high = 0, _STEPS
    while low < high:
        middle = (low + high) >> 1
        t = middle / _STEPS
        x, y = ((ax * t + bx) * t + cx) * t + dx, ((ay * t + by) * t + cy) * t + dy
        if x * x + y * y < nearest:
            high = middle
        else:
            low = middle + 1
    return (low - 1) / _STEPS
