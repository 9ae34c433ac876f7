"""Place a circuit: gates in a line, chips above and below it, and the passes of a loop in equal columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from inspector.layout.alike_branches import with_alike_branches, without_ties
from inspector.layout.chips import with_chips, without_chips
from inspector.layout.columns import place_in_columns
from inspector.layout.entries import with_entries
from inspector.layout.layered import place
from inspector.layout.main_line import with_main_line
from inspector.layout.problem import Placement, Problem, Size
from inspector.scene.transform import bounds, points_bounds

Passes = Sequence[Sequence[str]]
PlaceGates = Callable[[Problem, Passes], Placement]
_MOST_TRIES = 6
_ROW_GAP = 26.0


def place_circuit(problem: Problem, passes: Passes = (), *, even: bool = True) -> Placement:
    """The positions of all boxes, the routes of all wires and the areas of their texts.

    passes: the boxes of each pass of a loop, by their role in it. even: whether these are equally wide. Chips
    without a clear place become parts of the blocks of their gates. Raises LayoutFailed if the engine gives no
    usable result.
    """
    rows, gates = _rows(problem), partial(_gates, even=even)
    if len(rows) > 1 and problem.horizontal:
        return _stacked([_row(row, passes, gates) for row in rows])
    return _row(problem, passes, gates)


def _row(problem: Problem, passes: Passes, place_gates: PlaceGates) -> Placement:
    """The placement of a connected part."""
    roomy: set[str] = set()
    kept: set[str] = set()
    for _ in range(_MOST_TRIES if problem.horizontal else 0):
        gates = place_gates(without_chips(problem, roomy, kept), passes)
        placed, failed = with_chips(gates, problem, kept, passes)
        if not failed:
            return placed
        if _is_too_large(gates, problem.spacing.room):  # not drawn: chips without a place lie on their gates
            unplaced = {chip: placed.boxes[problem.hanging[chip]] for chip in failed}
            return replace(placed, boxes={**placed.boxes, **unplaced})
        alike = {other for chip in failed for other in _alike(problem, passes, chip)}
        kept |= alike & roomy
        roomy |= {chip for other in alike for chip in _chips_of(problem, problem.hanging[other])}
    return place(problem)


def _is_too_large(placement: Placement, room: Size | None) -> bool:
    area = placement.area
    return room is not None and (area.width > room[0] or area.height > room[1])


def _rows(problem: Problem) -> list[Problem]:
    """The connected parts, in the order of their first boxes."""
    import networkx

    links: networkx.Graph[str] = networkx.Graph()
    links.add_nodes_from(problem.sizes)
    links.add_edges_from((route.source, route.target) for route in problem.routes)
    links.add_edges_from(problem.hanging.items())
    return [_only(problem, part) for part in networkx.connected_components(links)]


def _only(problem: Problem, part: set[str]) -> Problem:
    return replace(
        problem,
        sizes={box: size for box, size in problem.sizes.items() if box in part},
        hanging={box: host for box, host in problem.hanging.items() if box in part},
        texts=problem.texts & part,
        routes=tuple(route for route in problem.routes if route.source in part),
    )


def _stacked(rows: Sequence[Placement]) -> Placement:
    """The rows one below the other."""
    whole, bottom = Placement({}, {}, {}, {}), 0.0
    for row in rows:
        areas = [*row.boxes.values(), *row.labels.values(), *row.below.values()]
        area = bounds([*areas, *map(points_bounds, row.wires.values())])
        moved = row.moved(-area.x, bottom - area.y)
        bottom += area.height + _ROW_GAP
        whole.boxes.update(moved.boxes)
        whole.wires.update(moved.wires)
        whole.labels.update(moved.labels)
        whole.below.update(moved.below)
    return whole


def _gates(problem: Problem, passes: Passes, *, even: bool) -> Placement:
    in_columns = passes and problem.direction == "LR"
    placed = place_in_columns(problem, passes, place, even=even) if in_columns else None
    if placed is None:
        aligned = with_alike_branches(with_main_line(problem)) if problem.direction == "LR" else None
        placed = without_ties(place(aligned or with_main_line(problem)))
    return with_entries(placed, problem)


def _alike(problem: Problem, passes: Passes, chip: str) -> list[str]:
    """The chip, and its counterparts in the other passes."""
    host = problem.hanging[chip]
    role = next((roles.index(host) for roles in passes if host in roles), None)
    if role is None:
        return [chip]
    place = _chips_of(problem, host).index(chip)
    rows = [_chips_of(problem, roles[role]) for roles in passes]
    return [row[place] for row in rows if place < len(row)]


def _chips_of(problem: Problem, host: str) -> list[str]:
    return [chip for chip, owner in problem.hanging.items() if owner == host]
