"""Geometry of arrowheads: where the line ends and the head begins.

Each writer draws its own heads, because slide programs lose SVG markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist

import numpy

Point = tuple[float, float]
Headed = tuple[list[Point], list[Point]]
"""A line, and the corners of its head."""

LENGTH = 12.0  # of a head, in points
HALF_WIDTH = 6.0
OVERLAP = 2.0  # length of the line inside the head, so that there is no gap between them
LARGEST_SHARE = 0.6  # of a short wire
_PARTS = 8
_STEPS = _PARTS**10
"""Resolution of the parameter at which a curve is cut: errors stay below the two decimals of a file."""
_WITHIN = numpy.arange(1, _PARTS + 1)


def with_head(points: Sequence[Point]) -> Headed:
    """`with_heads` of one wire."""
    return with_heads([points])[0]


def with_heads(splines: Sequence[Sequence[Point]]) -> list[Headed]:
    """Cubic Bezier splines shortened for their heads, and the three corners of each head, tip first.

    splines: for each wire its start, then three points a segment. A head points along the last stretch of the
    curve, its tip at the end. A wire of length zero is returned unchanged, with an empty list for the head.
    Raises ValueError unless each has 3k + 1 points.
    """
    scales = list(map(_scale, splines))
    wanted = [
        (points, gap * scale)
        for points, scale in zip(splines, scales, strict=True)
        for gap in ((LENGTH, LENGTH - OVERLAP) if scale else ())
    ]
    cuts = iter(_cut(wanted))
    found: list[Headed] = []
    for points, scale in zip(splines, scales, strict=True):
        if not scale:
            found.append((list(points), []))
            continue
        base, line = next(cuts)[-1], next(cuts)
        found.append((line, _corners(base, points[-1], HALF_WIDTH * scale)))
    return found


def _scale(points: Sequence[Point]) -> float:
    """The size of a wire's head as a share of the usual one; 0 for a wire of length zero."""
    if len(points) < 4 or len(points) % 3 != 1:
        raise ValueError(f"a spline must have 4, 7, 10, … points, got {len(points)}")
    tip = points[-1]
    return min(1.0, LARGEST_SHARE * max([dist(point, tip) for point in points[::3]]) / LENGTH)


def _corners(base: Point, tip: Point, half_width: float) -> list[Point]:
    along = dist(base, tip)
    across = ((base[1] - tip[1]) / along * half_width, (tip[0] - base[0]) / along * half_width)
    return [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]


def _cut(wanted: Sequence[tuple[Sequence[Point], float]]) -> list[list[Point]]:
    """Each spline up to the last place that is so many points away from its end."""
    starts = [_last_start(points, gap) for points, gap in wanted]
    segments = [points[start : start + 4] for (points, _), start in zip(wanted, starts, strict=True)]
    shares = _shares(segments, [points[-1] for points, _ in wanted], [gap for _, gap in wanted])
    return [
        [*points[: start + 1], *[(x, y) for x, y in cut]]
        for (points, _), start, cut in zip(wanted, starts, _beginnings(segments, shares), strict=True)
    ]


def _beginnings(segments: Sequence[Sequence[Point]], shares: Sequence[float]) -> list[list[list[float]]]:
    """The last three points of the first part of each segment, which ends at this parameter; all at once, as in
    `_shares`. The order of the operations is that of fontTools."""
    start, second, third, end = numpy.array(segments, dtype=float).reshape(-1, 4, 2).transpose(1, 0, 2)
    share = numpy.array(shares, dtype=float)[:, None]
    c = (second - start) * 3.0
    b = (third - second) * 3.0 - c
    a = end - start - c - b
    squared = share * share
    a, b, c = a * (share * squared), b * squared, c * share
    near = c / 3.0 + start
    points: list[list[list[float]]] = (
        numpy.stack((near, (b + c) / 3.0 + near, a + start + c + b)).transpose(1, 0, 2).tolist()
    )
    return points


def _last_start(points: Sequence[Point], gap: float) -> int:
    """The start of the last segment that begins at least `gap` points away from the end."""
    start = len(points) - 4
    while start and dist(points[start], points[-1]) < gap:
        start -= 3
    return start


def _shares(segments: Sequence[Sequence[Point]], tips: Sequence[Point], gaps: Sequence[float]) -> list[float]:
    """The parameter of the last place of each segment that is so far away from the tip, in whole `_STEPS`.

    All segments at once, eight parts a round: a large figure has thousands of wires, and in Python each of
    them would take longer than the rest of its SVG. Points are complex numbers.
    """
    points = numpy.array(segments, dtype=float).reshape(-1, 4, 2).view(complex)
    start, second, third, end = points.transpose(1, 0, 2)
    c = (second - start) * 3.0
    b = (third - second) * 3.0 - c
    a = end - start - c - b
    d = start - numpy.array(tips, dtype=float).reshape(-1, 2).view(complex)
    nearest = numpy.array(gaps, dtype=float)[:, None] ** 2
    far, width = numpy.zeros((len(points), 1), dtype=numpy.int64), _STEPS
    while width > 1:
        width //= _PARTS
        t = (far + _WITHIN * width) / _STEPS
        away = ((a * t + b) * t + c) * t + d
        is_near = away.real**2 + away.imag**2 < nearest
        is_near[:, -1] = True  # the end of the part that is divided
        far += is_near.argmax(1)[:, None] * width
    shares: list[float] = (far[:, 0] / _STEPS).tolist()
    return shares
