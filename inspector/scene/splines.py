"""Cubic Bezier splines: a start, then three points per segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from inspector.scene.scene import Point, Rectangle

Curve = tuple[Point, ...]

SAMPLES = 16
"""Number of points of a segment that are tested against obstacles."""


def straight(start: Point, end: Point) -> Curve:
    """A straight line as one segment."""
    dx, dy = (end[0] - start[0]) / 3, (end[1] - start[1]) / 3
    return (start, (start[0] + dx, start[1] + dy), (start[0] + 2 * dx, start[1] + 2 * dy), end)


def s_curve(start: Point, end: Point, *, horizontal: bool) -> Curve:
    """An S-curve with horizontal ends, or with vertical ends."""
    if horizontal:
        middle = (start[0] + end[0]) / 2
        return (start, (middle, start[1]), (middle, end[1]), end)
    middle = (start[1] + end[1]) / 2
    return (start, (start[0], middle), (end[0], middle), end)


def joined(curves: Sequence[Curve]) -> Curve:
    """One spline from consecutive splines; those of length zero are left out."""
    first, *others = [curve for curve in curves if curve[0] != curve[-1]] or [curves[0]]
    return (*first, *(point for curve in others for point in curve[1:]))


def sampled(points: Sequence[Point], count: int = SAMPLES) -> Iterator[Point]:
    """Points on a spline: its start, then `count` points per segment."""
    yield points[0]
    for first in range(0, len(points) - 1, 3):
        (x, y), (near_x, near_y), (far_x, far_y), (to_x, to_y) = points[first : first + 4]
        for start, near, far, end in _weights(count):
            yield (
                start * x + 3 * (near * near_x + far * far_x) + end * to_x,
                start * y + 3 * (near * near_y + far * far_y) + end * to_y,
            )


@cache
def _weights(count: int) -> tuple[tuple[float, float, float, float], ...]:
    """The weights of the four points of a segment, at `count` places along it."""
    shares = [(step / count, 1 - step / count) for step in range(1, count + 1)]
    return tuple((rest * rest * rest, rest * rest * t, rest * (t * t), t * t * t) for t, rest in shares)


def pieces(points: Sequence[Point], margin: float, count: int = 8) -> Iterator[Rectangle]:
    """The areas of short pieces of a spline, with a margin; a level or upright segment is one piece."""
    for first in range(0, len(points) - 1, 3):
        segment = points[first : first + 4]
        xs, ys = [x for x, _ in segment], [y for _, y in segment]
        flat = max(xs) - min(xs) < margin or max(ys) - min(ys) < margin
        run = list(sampled(segment, 1 if flat else count))
        for (x, y), (to_x, to_y) in pairwise(run):
            yield Rectangle(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y)).grown(margin)


def is_clear(curve: Curve, obstacles: Sequence[Rectangle]) -> bool:
    """Whether a curve stays outside of all rectangles."""
    xs, ys = [point[0] for point in curve], [point[1] for point in curve]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    near = [
        area
        for area in obstacles
        if area.x < right and left < area.right and area.y < bottom and top < area.bottom
    ]
    return not near or not any(
        area.x < x < area.right and area.y < y < area.bottom for x, y in sampled(curve) for area in near
    )
