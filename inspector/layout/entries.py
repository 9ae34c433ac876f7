"""Wires that enter a gate from above or from below instead of from the side, as one draws them by hand."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from inspector.layout.problem import Placement, Problem, Route
from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import Curve, is_clear, joined, straight

_BEND = 12.0
"""Radius of the bend."""
_LEAST = 24.0
"""Minimum distance between the wire and the gate across the flow, for the bend and an arrowhead."""
_CLEARANCE = 4.0


def with_entries(placement: Placement, problem: Problem) -> Placement:
    """The placement with wires from other lanes led to the bottom or the top of their gates, where that is clear.

    For horizontal problems.
    """
    arriving: dict[str, list[Route]] = {}
    for route in problem.routes:
        if problem.shapes.get(route.target) in ("gate", "chip") and route.id in placement.wires:
            arriving.setdefault(route.target, []).append(route)
    wires = dict(placement.wires)
    for routes in arriving.values():
        taken: set[bool] = set()
        for route in routes if len(routes) > 1 else ():
            course = _course(route, placement, wires)
            if course is not None and course[0] not in taken:
                taken.add(course[0])
                wires[route.id] = course[1]
    return replace(placement, wires=wires)


def _course(route: Route, placement: Placement, wires: dict[str, Curve]) -> tuple[bool, Curve] | None:
    """Whether a wire may enter from above, and its new course; None if it may not."""
    gate, points = placement.boxes[route.target], placement.wires[route.id]
    turn = _last_level(points)
    if turn is None or route.level:
        return None
    start = points[turn]
    x, above = gate.center[0], start[1] < gate.y
    edge = gate.y if above else gate.bottom
    if abs(start[1] - edge) < _LEAST or start[0] > x - _BEND:
        return None
    toward = 1.0 if above else -1.0
    corner = (x - _BEND, start[1]), (x, start[1]), (x, start[1]), (x, start[1] + toward * _BEND)
    added = [straight(start, corner[0]), corner, straight(corner[-1], (x, edge))]
    obstacles = _obstacles(route, placement, wires)
    if not all(is_clear(piece, obstacles) for piece in added):
        return None
    return above, joined([points[: turn + 1], *added] if turn else added)


def _last_level(points: Sequence[Point]) -> int | None:
    """Index of the last end of a segment at the level where the wire ran before it turned to its gate."""
    ends = range(0, len(points), 3)
    for index in reversed(ends[:-1]):
        if abs(points[index][1] - points[-1][1]) > 1.0:
            return index
    return None


def _obstacles(route: Route, placement: Placement, wires: dict[str, Curve]) -> list[Rectangle]:
    areas = [area for box, area in placement.boxes.items() if box not in (route.source, route.target)]
    areas += [area for area in (*placement.labels.values(), *placement.below.values()) if area.width]
    grown = [area.grown(_CLEARANCE) for area in areas]
    own = [placement.labels.get(route.id), placement.below.get(route.id)]
    rest = [area for area, bare in zip(grown, areas, strict=True) if bare not in own]
    rest += [area for area in own if area is not None and area.width]
    for wire, points in wires.items():
        if wire != route.id:
            for first in range(0, len(points) - 1, 3):
                (x, y), (to_x, to_y) = points[first], points[first + 3]
                rest.append(Rectangle(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y)).grown(1.0))
    return rest
