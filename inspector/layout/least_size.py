"""Bounds of a layout before it is computed: how long it is at least, and how much it covers at least."""

from __future__ import annotations

import networkx

from inspector.layout.problem import Problem


def least_length(problem: Problem) -> float:
    """A lower bound of the length along the flow, in points: of the longest way with its texts.

    problem: in one row.
    """
    along = 0 if problem.horizontal else 1
    flow: networkx.DiGraph[str] = networkx.DiGraph()
    flow.add_nodes_from(problem.sizes.keys() - problem.hanging.keys())
    for route in problem.routes:
        text = max(route.label[along], route.below[along])
        gaps = problem.spacing.rank * (2 if text else 1)
        longest = flow.get_edge_data(route.source, route.target, {"weight": 0.0})["weight"]
        flow.add_edge(route.source, route.target, weight=max(longest, text + gaps))
    reached: dict[str, float] = {}
    for box in networkx.topological_sort(flow):
        before = (reached[other] + edge["weight"] for other, _, edge in flow.in_edges(box, data=True))
        reached[box] = max(before, default=0.0) + problem.sizes[box][along]
    return max(reached.values(), default=0.0)


def covered_area(problem: Problem) -> float:
    """The area of all boxes and texts, in square points, none of which overlap."""
    texts = (room for route in problem.routes for room in (route.label, route.below))
    return sum(width * height for width, height in (*problem.sizes.values(), *texts))
