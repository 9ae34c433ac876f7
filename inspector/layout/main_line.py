"""The main line of a circuit: the longest way through it, which should be straight."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.layout.problem import Problem

if TYPE_CHECKING:
    import networkx


def with_main_line(problem: Problem, starts: Collection[str] = (), ends: Collection[str] = ()) -> Problem:
    """The problem with the wires of its longest way marked as level.

    starts, ends: boxes between which the way runs, if there is one.
    """
    import networkx

    flow: networkx.DiGraph[str] = networkx.DiGraph()
    flow.add_nodes_from(problem.sizes.keys() - problem.hanging.keys())
    flow.add_edges_from((route.source, route.target) for route in problem.routes)
    way = _longest(flow, starts, ends) or networkx.dag_longest_path(flow)
    hops = set(pairwise(way))
    routes = [replace(route, level=(route.source, route.target) in hops) for route in problem.routes]
    return replace(problem, routes=tuple(routes))


def _longest(flow: networkx.DiGraph[str], starts: Collection[str], ends: Collection[str]) -> list[str]:
    """The longest way from one of the starts to one of the ends; empty if there is none."""
    import networkx

    ways: dict[str, list[str]] = {}
    for box in networkx.topological_sort(flow):
        before = [ways[other] for other in flow.predecessors(box) if ways.get(other)]
        ways[box] = [*max(before, key=len), box] if before else [box] if box in starts else []
    return max((ways[end] for end in sorted(ends) if ends), key=len, default=[])
