"""Lines of a plot as splines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from inspector.scene.scene import Point, WeightedWire


def spline_through(identifier: str, points: Sequence[Point], ink: str, stroke: float) -> WeightedWire:
    """A line through points, as a wire."""
    spline = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        dx, dy = (x1 - x0) / 3, (y1 - y0) / 3
        spline += [(x0 + dx, y0 + dy), (x1 - dx, y1 - dy), (x1, y1)]
    return WeightedWire(identifier, "plot", "plot", tuple(spline), ink, arrow=False, width=stroke)
