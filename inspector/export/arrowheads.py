"""Geometry of arrowheads: where the line ends and the head begins.

Each writer draws its own heads, because slide programs lose SVG markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy

Point = tuple[float, float]
_Array: TypeAlias = Any
"""Of numpy: a row for each wire, or each point."""
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
    if not splines:
        return []
    counts = numpy.array(list(map(len, splines)))
    if (unfit := counts[(counts < 4) | (counts % 3 != 1)]).size:
        raise ValueError(f"a spline must have 4, 7, 10, … points, got {unfit[0]}")
    points = numpy.fromiter(chain.from_iterable(chain.from_iterable(splines)), float).reshape(-1, 2)
    ends = counts.cumsum()
    tips = points[ends - 1]
    scales = _scales(points, counts, tips)
    headed = scales.nonzero()[0]
    ends, tips, sizes = ends[headed], tips[headed], scales[headed]
    bases = _cut(points, ends, counts[headed], LENGTH * sizes)[1][:, 2]
    starts, cuts = _cut(points, ends, counts[headed], (LENGTH - OVERLAP) * sizes)
    heads = _corners(bases, tips, HALF_WIDTH * sizes)
    found: list[Headed] = [(list(line), []) for line in splines]
    parts = [column.tolist() for column in (headed, starts, cuts, heads)]
    for wire, start, cut, head in zip(*parts, strict=True):
        found[wire] = [*splines[wire][: start + 1], *map(_point, cut)], list(map(_point, head))
    return found


def _point(pair: Sequence[float]) -> Point:
    return pair[0], pair[1]


def _scales(points: _Array, counts: _Array, tips: _Array) -> _Array:
    """The size of each wire's head as a share of the usual one; 0 for a wire of length zero."""
    away = numpy.hypot(*(points - tips.repeat(counts, axis=0)).T)
    first = counts.cumsum() - counts
    within = numpy.arange(len(points)) - first.repeat(counts)
    away[within % 3 != 0] = 0.0  # only the ends of segments count
    return numpy.minimum(1.0, LARGEST_SHARE * numpy.maximum.reduceat(away, first) / LENGTH)


def _corners(bases: _Array, tips: _Array, half_widths: _Array) -> _Array:
    """The corners of each head, tip first."""
    along = bases - tips
    across = along[:, ::-1] * [1.0, -1.0] * (half_widths / numpy.hypot(*along.T))[:, None]
    return numpy.stack((tips, bases + across, bases - across), axis=1)


def _cut(points: _Array, ends: _Array, counts: _Array, gaps: _Array) -> tuple[_Array, _Array]:
    """Where each spline has its last place that is so many points away from its end: the start of the segment, as
    an index in the spline, and the last three points of its first part."""
    tips, starts = points[ends - 1], ends - 4
    first = ends - counts
    while True:  # back to the last segment that begins far enough away
        is_near = (numpy.hypot(*(points[starts] - tips).T) < gaps) & (starts > first)
        if not is_near.any():
            break
        starts = starts - 3 * is_near
    segments = points[starts[:, None] + numpy.arange(4)]
    return starts - first, _beginnings(segments, _shares(segments, tips, gaps))


def _beginnings(segments: _Array, shares: _Array) -> _Array:
    """The last three points of the first part of each segment, which ends at this parameter. The order of the
    operations is that of fontTools."""
    start, second, third, end = segments.transpose(1, 0, 2)
    share = shares[:, None]
    c = (second - start) * 3.0
    b = (third - second) * 3.0 - c
    a = end - start - c - b
    squared = share * share
    a, b, c = a * (share * squared), b * squared, c * share
    near = c / 3.0 + start
    return numpy.stack((near, (b + c) / 3.0 + near, a + start + c + b), axis=1)


def _shares(segments: _Array, tips: _Array, gaps: _Array) -> _Array:
    """The parameter of the last place of each segment that is so far away from the tip, in whole `_STEPS`.

    All segments at once, eight parts a round: a large figure has thousands of wires, and in Python each of
    them would take longer than the rest of its SVG. Points are complex numbers.
    """
    start, second, third, end = segments.view(complex).transpose(1, 0, 2)
    c = (second - start) * 3.0
    b = (third - second) * 3.0 - c
    a = end - start - c - b
    d = start - tips.view(complex)
    nearest = gaps[:, None] ** 2
    far, width = numpy.zeros((len(segments), 1), dtype=numpy.int64), _STEPS
    while width > 1:
        width //= _PARTS
        t = (far + _WITHIN * width) / _STEPS
        away = ((a * t + b) * t + c) * t + d
        is_near = away.real**2 + away.imag**2 < nearest
        is_near[:, -1] = True  # the end of the part that is divided
        far += is_near.argmax(1)[:, None] * width
    return far[:, 0] / _STEPS
