"""Places for the badges of gates: beside the gate where no text, wire or other box is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from inspector.layout.problem import Placement, Problem
from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import sampled, straight
from inspector.styles.plan import Plan, PlannedBox

_REACH = 15.0
"""Half the side of a badge: it keeps its size when a figure is scaled down."""
_WIRE = 1.0
_BEYOND, _LEAST = 6.5, 16.0
"""Distance of the middle of a badge from the side of its gate, and the least half height of a gate."""
_PLACES = (
    *((0.72, -1.0), (0.0, -1.0), (0.0, 1.0), (-1.0, -0.72)),
    *((-1.0, 0.72), (0.72, 1.0), (-0.72, -1.0), (-0.72, 1.0)),
    *((1.0, -0.72), (1.0, 0.72), (0.0, -1.6), (0.0, 1.6)),
)
"""From the middle of a gate, as shares of half its sides; at 1 the badge lies beyond the side. Best first."""


def badge_places(plans: Sequence[Plan], placement: Placement, problem: Problem) -> dict[str, Point]:
    """Gate → the middle of its badge, for gates that have one at some moment."""
    badged = {box.id: box for plan in plans for box in plan.boxes if box.badge and box.shape in ("gate", "chip")}
    if not badged:
        return {}
    obstacles = list(_obstacles(placement, problem))
    return {identifier: _place(box, placement.boxes[box.id], obstacles) for identifier, box in badged.items()}


def _place(box: PlannedBox, area: Rectangle, obstacles: Sequence[tuple[str, Rectangle]]) -> Point:
    """The first clear place, or the one with the least in its way."""
    x, y = area.center
    best: tuple[float, Point] | None = None
    for across, down in _PLACES:
        wide, high = area.width / 2 + _BEYOND, max(area.height / 2, _LEAST) + _BEYOND
        center = x + across * (wide if abs(across) == 1.0 else wide - _BEYOND), y + down * high
        badge = Rectangle(center[0] - _REACH, center[1] - _REACH, 2 * _REACH, 2 * _REACH)
        covered = sum(_common(badge, other) for owner, other in obstacles if owner != box.id)
        if not covered:
            return center
        if best is None or covered < best[0]:
            best = covered, center
    assert best is not None
    return best[1]


def _common(one: Rectangle, other: Rectangle) -> float:
    """The area that two rectangles share."""
    width = min(one.right, other.right) - max(one.x, other.x)
    height = min(one.bottom, other.bottom) - max(one.y, other.y)
    return width * height if width > 0 and height > 0 else 0.0


def _obstacles(placement: Placement, problem: Problem) -> Iterator[tuple[str, Rectangle]]:
    """(box or empty, area) of everything that a badge must not cover."""
    yield from placement.boxes.items()
    for rooms in (placement.labels, placement.below):
        yield from (("", area) for area in rooms.values() if area.width)
    ends = [(placement.boxes[chip].center, placement.boxes[host].center) for chip, host in problem.hanging.items()]
    links = [straight(*pair) for pair in ends]
    for points in (*placement.wires.values(), *links):
        for (x, y), (to_x, to_y) in pairwise(sampled(points, 8)):
            yield "", Rectangle(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y)).grown(_WIRE)
