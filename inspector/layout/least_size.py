"""Bounds of a layout before it is computed: how long it is at least, and how much it covers at least."""

from __future__ import annotations

from graphlib import TopologicalSorter

from inspector.layout.problem import Problem


def least_length(problem: Problem) -> float:
    """A lower bound of the length along the flow, in points: of the longest way with its texts.

    problem: in one row.
    """
    along = 0 if problem.horizontal else 1
    gaps_before: dict[str, dict[str, float]] = {box: {} for box in problem.sizes.keys() - problem.hanging.keys()}
    for route in problem.routes:
        text = max(route.label[along], route.below[along])
        gaps = problem.spacing.rank * (2 if text else 1)
        before = gaps_before.setdefault(route.target, {})
        before[route.source] = max(before.get(route.source, 0.0), text + gaps)
    reached: dict[str, float] = {}
    for box in TopologicalSorter(gaps_before).static_order():
        ends = (reached[other] + gap for other, gap in gaps_before.get(box, {}).items())
        reached[box] = max(ends, default=0.0) + problem.sizes[box][along]
    return max(reached.values(), default=0.0)


def covered_area(problem: Problem) -> float:
    """The area of all boxes and texts, in square points, none of which overlap."""
    texts = (room for route in problem.routes for room in (route.label, route.below))
    return sum(width * height for width, height in (*problem.sizes.values(), *texts))
