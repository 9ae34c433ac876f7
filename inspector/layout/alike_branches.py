"""Align branches of the same shape, such as the gates of an LSTM cell, so that all begin at the same rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter

from msgspec.structs import replace

from inspector.layout.problem import TIE, Placement, Problem, Route

_START = f"{TIE}start"
_LEAST, _MANY = 3, 3
"""Minimum boxes of a branch, and minimum branches of a shape, of which smaller ones count."""


class _Shapes:
    """The shapes of branches, as numbers: a branch is as deep as the figure, too deep for a nested tuple."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, tuple[int, ...]], int] = {}
        self.sizes: list[int] = []
        """Shape → number of boxes of a branch."""

    def of(self, hanging: int, before: list[int]) -> int:
        """hanging: how many boxes hang on the last box. before: the shapes of the branches that lead there."""
        key = hanging, tuple(sorted(before))
        if key not in self._numbers:
            self._numbers[key] = len(self.sizes)
            self.sizes.append(1 + sum(self.sizes[shape] for shape in before))
        return self._numbers[key]


def with_alike_branches(problem: Problem) -> Problem:
    """The problem with ties that pull the first boxes of equal branches to one rank; the same without any."""
    firsts = list(_first_boxes(problem))
    if not firsts:
        return problem
    ties = tuple(Route(f"{TIE}{box}", _START, box, level=True) for box in firsts)
    return replace(problem, sizes={**problem.sizes, _START: (1.0, 1.0)}, routes=(*problem.routes, *ties))


def without_ties(placement: Placement) -> Placement:
    """The placement without the ties of `with_alike_branches` and the box that they start from."""
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
    shapes = _Shapes()
    alike: dict[int, list[str]] = defaultdict(list)
    for box, shape in _branches(problem, before, leaving, shapes).items():
        alike[shape].append(box)
    sizes = shapes.sizes
    found = [
        shape
        for shape, boxes in alike.items()
        if len(boxes) > 1 and (sizes[shape] >= _LEAST or (sizes[shape] > 1 and len(boxes) >= _MANY))
    ]
    best = max(found, key=lambda shape: len(alike[shape]) * sizes[shape], default=None)
    waiting = [] if best is None else list(reversed(alike[best]))
    while waiting:
        box = waiting.pop()
        waiting += reversed(before[box])
        if not before[box]:
            yield box


def _branches(
    problem: Problem, before: dict[str, list[str]], leaving: dict[str, int], shapes: _Shapes
) -> dict[str, int]:
    """Box → the shape of its branch, for boxes before which each box leads to one other."""
    hanging: dict[str, int] = defaultdict(int)
    for host in problem.hanging.values():
        hanging[host] += 1
    found: dict[str, int] = {}
    for box in TopologicalSorter(before).static_order():
        if all(other in found and leaving[other] == 1 for other in before[box]):
            found[box] = shapes.of(hanging[box], [found[other] for other in before[box]])
    return found
