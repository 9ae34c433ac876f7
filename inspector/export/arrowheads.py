"""Geometry of arrow heads: where the line ends and the head begins.

Each writer draws its own heads, because markers are lost on the way into slide programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, hypot

Point = tuple[float, float]

LENGTH = 12.0  # of a head, in points
HALF_WIDTH = 6.0
OVERLAP = 2.0  # how far the line runs into the head, so that no gap shows between them
LARGEST_SHARE = 0.6  # of a short wire
_STEPS = 12
_CLOSE = 1e-7


def with_head(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """A cubic Bezier spline that makes room for its head, and the three corners of the head, tip first.

    points: the start, then three points a segment. The head points along the last stretch of the curve, its
    tip at the end. A wire without length is returned as it is, with no head (an empty list).
    Raises ValueError unless there are 3k + 1 points.
    """
    if len(points) < 4 or len(points) % 3 != 1:
        raise ValueError(f"a spline must have 4, 7, 10, … points, got {len(points)}")
    tip = points[-1]
    reach = max([dist(point, tip) for point in points[::3]])
    if reach == 0:
        return list(points), []
    scale = min(1.0, LARGEST_SHARE * reach / LENGTH)
    start, share = _cut(points, LENGTH * scale)
    base = _at(points[start : start + 4], share)[:2]
    start, share = _cut(points, (LENGTH - OVERLAP) * scale)
    line = [*points[:start], *_until(points[start : start + 4], share)]
    return line, _corners(base, tip, HALF_WIDTH * scale)


def _corners(base: Point, tip: Point, half_width: float) -> list[Point]:
    along = hypot(tip[0] - base[0], tip[1] - base[1])
    across = ((base[1] - tip[1]) / along * half_width, (tip[0] - base[0]) / along * half_width)
    return [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]


def _cut(points: Sequence[Point], gap: float) -> tuple[int, float]:
    """The last place on a spline that is `gap` points away from its end: where its segment begins in `points`, and
    its parameter on that."""
    tip = points[-1]
    last = len(points) - 4
    start = last
    while start and dist(points[start], tip) < gap:
        start -= 3
    segment = points[start : start + 4]
    share = _from_the_end(segment, tip, gap) if start == last else None
    return start, _halved(segment, tip, gap) if share is None else share


def _from_the_end(segment: Sequence[Point], tip: Point, gap: float) -> float | None:
    """The parameter at which the last segment is `gap` from its end, by Newton's steps from there; None where they
    do not lead to it."""
    reach = 3 * dist(segment[2], tip)  # how fast the curve arrives
    rest = gap / reach if reach else 1.0
    for _ in range(_STEPS):
        if not 0 < rest < 1:
            return None
        x, y, across, along = _at(segment, 1 - rest)
        away = hypot(x - tip[0], y - tip[1])
        if abs(away - gap) < _CLOSE:
            return 1 - rest
        slope = ((tip[0] - x) * across + (tip[1] - y) * along) / away if away else 0.0
        if slope <= 0:
            return None
        rest += (gap - away) / slope
    return None


def _at(segment: Sequence[Point], share: float) -> tuple[float, float, float, float]:
    """The place on a Bezier segment at a parameter, and its derivative there."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = segment
    left = 1 - share
    a, b, c, d = left * left * left, 3 * left * left * share, 3 * left * share * share, share * share * share
    e, f, g = 3 * left * left, 6 * left * share, 3 * share * share
    return (
        a * x0 + b * x1 + c * x2 + d * x3,
        a * y0 + b * y1 + c * y2 + d * y3,
        e * (x1 - x0) + f * (x2 - x1) + g * (x3 - x2),
        e * (y1 - y0) + f * (y2 - y1) + g * (y3 - y2),
    )


def _halved(segment: Sequence[Point], tip: Point, gap: float) -> float:
    """The same parameter of any segment, by halving what is left."""
    low, high = 0.0, 1.0
    for _ in range(40):  # far below the two decimals that are written
        middle = (low + high) / 2
        x, y, _, _ = _at(segment, middle)
        if hypot(x - tip[0], y - tip[1]) >= gap:
            low = middle
        else:
            high = middle
    return low


def _until(segment: Sequence[Point], share: float) -> list[Point]:
    """The part of one Bezier segment from its start to the parameter `share` (de Casteljau)."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = segment
    x01, y01 = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
    x12, y12 = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
    x23, y23 = x2 + (x3 - x2) * share, y2 + (y3 - y2) * share
    x012, y012 = x01 + (x12 - x01) * share, y01 + (y12 - y01) * share
    x123, y123 = x12 + (x23 - x12) * share, y12 + (y23 - y12) * share
    return [(x0, y0), (x01, y01), (x012, y012), (x012 + (x123 - x012) * share, y012 + (y123 - y012) * share)]
