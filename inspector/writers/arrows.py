"""Where a wire's line ends and its arrow head begins. Format-independent: every writer draws heads itself,
since markers are lost on the way into slide programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import dist, hypot

Point = tuple[float, float]

LENGTH = 12.0  # of a head, in points
HALF_WIDTH = 6.0
OVERLAP = 2.0  # how far the line runs into the head, so that no gap shows between them
LARGEST_SHARE = 0.6  # of a short wire


def with_head(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """A cubic Bezier spline that makes room for its head, and the three corners of the head, tip first.

    points: the start, then three points a segment. The head points along the last stretch of the curve, its
    tip at the end. A wire without length is returned as it is, with no head (an empty list).
    Raises ValueError unless there are 3k + 1 points.
    """
    if len(points) < 4 or len(points) % 3 != 1:
        raise ValueError(f"a spline has 4, 7, 10, … points, not {len(points)}")
    tip = points[-1]
    reach = max(dist(point, tip) for point in points[::3])
    if reach == 0:
        return list(points), []
    scale = min(1.0, LARGEST_SHARE * reach / LENGTH)
    base = _shortened(points, LENGTH * scale)[-1]
    line = _shortened(points, (LENGTH - OVERLAP) * scale)
    return line, _corners(base, tip, HALF_WIDTH * scale)


def _corners(base: Point, tip: Point, half_width: float) -> list[Point]:
    along = hypot(tip[0] - base[0], tip[1] - base[1])
    across = ((base[1] - tip[1]) / along * half_width, (tip[0] - base[0]) / along * half_width)
    return [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]


def _shortened(points: Sequence[Point], gap: float) -> list[Point]:
    """The spline up to the last place that is `gap` points away from its end."""
    tip = points[-1]
    last = max(first for first in range(0, len(points) - 1, 3) if dist(points[first], tip) >= gap)
    segment = points[last : last + 4]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = segment
    low, high = 0.0, 1.0
    for _ in range(40):  # halvings: far below the two decimals that are written
        middle = (low + high) / 2
        left = 1 - middle
        a, b, c, d = left * left * left, 3 * left * left * middle, 3 * left * middle * middle, middle**3
        x, y = a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3
        if hypot(x - tip[0], y - tip[1]) >= gap:
            low = middle
        else:
            high = middle
    return [*points[:last], *_until(segment, low)]


def _until(segment: Sequence[Point], share: float) -> list[Point]:
    """The part of one Bezier segment from its start to the parameter `share` (de Casteljau)."""
    kept = [segment[0]]
    row = list(segment)
    while len(row) > 1:
        row = [
            (first[0] + (second[0] - first[0]) * share, first[1] + (second[1] - first[1]) * share)
            for first, second in pairwise(row)
        ]
        kept.append(row[0])
    return kept
