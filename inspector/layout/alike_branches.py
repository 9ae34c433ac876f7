"""Align branches of the same shape, such as the gates of an LSTM cell: all begin at the same rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from inspector.layout.problem import TIE, Placement, Problem, Route

_START = f"{TIE}start"
_LEAST, _MANY = 3, 3
"""Minimum boxes of a branch, and minimum branches of a shape, of which smaller ones count."""
_Shape: TypeAlias = "tuple[int, tuple[_Shape, ...]]"
"""Of a branch: what hangs on its last box, and the shapes of the branches that lead there."""


def with_alike_branches(problem: Problem) -> Problem:
    """The problem with ties that pull the first boxes of alike branches to one rank; as it is without such."""
    firsts = list(_first_boxes(problem))
    if not firsts:
        return problem
    ties = tuple(Route(f"{TIE}{box}", _START, box, level=True) for box in firsts)
    return replace(problem, sizes={**problem.sizes, _START: (1.0, 1.0)}, routes=(*problem.routes, *ties))


def without_ties(placement: Placement) -> Placement:
    """The placement without what held branches together."""
    boxes = {box: area for box, area in placement.boxes.items() if box != _START}
    wires = {wire: points for wire, points in placement.wires.items() if not wire.startswith(TIE)}
    return replace(placement, boxes=boxes, wires=wires)


def _first_boxes(problem: Problem) -> Iterator[str]:
    """The boxes at which the branches of the shape with the most boxes begin."""
    before: dict[str, list[str]] = {box: [] for box in problem.sizes if box not in problem.hanging}
    leaving: dict[str, int] = defaultdict(int)
    for route in problem.routes:
        before[route.target].append(route.source)
        leaving[route.source] += 1
    shapes = _shapes(problem, before, leaving)
    alike: dict[_Shape, list[str]] = defaultdict(list)
    for box, shape in shapes.items():
        alike[shape].append(box)
    counted = {shape: _count(shape) for shape in alike}
    found = [
        shape
        for shape, boxes in alike.items()
        if len(boxes) > 1 and (counted[shape] >= _LEAST or (counted[shape] > 1 and len(boxes) >= _MANY))
    ]
    best = max(found, key=lambda shape: len(alike[shape]) * counted[shape], default=None)
    waiting = [] if best is None else list(reversed(alike[best]))
    while waiting:
        box = waiting.pop()
        waiting += reversed(before[box])
        if not before[box]:
            yield box


def _shapes(problem: Problem, before: dict[str, list[str]], leaving: dict[str, int]) -> dict[str, _Shape]:
    """Box → its branch, for boxes before which each box leads to one other."""
    from graphlib import TopologicalSorter

    hanging: dict[str, int] = defaultdict(int)
    for host in problem.hanging.values():
        hanging[host] += 1
    found: dict[str, _Shape] = {}
    for box in TopologicalSorter(before).static_order():
        if all(other in found and leaving[other] == 1 for other in before[box]):
            found[box] = hanging[box], tuple(sorted(found[other] for other in before[box]))
    return found


def _count(shape: _Shape) -> int:
    """The number of boxes of a branch."""
    return 1 + sum(map(_count, shape[1]))
