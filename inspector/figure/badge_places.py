"""Places for the badges of gates: beside the gate where no text, wire, other box or other badge is."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TypeAlias

from inspector.figure.link_ends import link_ends
from inspector.layout.problem import Placement, Problem
from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import pieces, straight
from inspector.styles.plan import Plan, PlannedBox

_REACHES = (15.0, 12.0)
"""Half the side of a badge, with room for a figure that is scaled down, and without."""
_RADIUS = 17.0
"""Half the side of a badge that is in the way of another, with room for a figure that is scaled down."""
_WIRE = 1.0
_NEAR = 60.0
"""Distance up to which something can be in the way."""
_BEYOND, _BESIDE, _LEAST = 6.5, 9.0, 16.0
"""Distance of the middle of a badge from the top and the side of its gate, and the least half height of a gate."""
_LISTING = 11.0
"""The distance from the top of a gate that lists its leaves, whose texts reach closer to its border."""
_PLACES = (
    *((0.72, -1.0), (0.0, -1.0), (0.0, 1.0), (-1.0, -0.72)),
    *((-1.0, 0.72), (0.72, 1.0), (-0.72, -1.0), (-0.72, 1.0)),
    *((1.0, -0.72), (1.0, 0.72), (0.0, -1.6), (0.0, 1.6)),
)
"""From the middle of a gate, as shares of half its sides; at 1 the badge lies beyond the side. Best first."""
_BADGE_SHIFT = (1.0, 0.0)  # offset of a badge's centre from the corner of its box
_PILL_SHIFT = (6.0, 1.0)
_CIRCLE_SHIFT = (13.0, -4.0)  # along and across the flow; clear of entering wires
_UPRIGHT_CIRCLE_SHIFT = (1.0, 1.0)  # the same where wires enter from above; clear of wide texts
_BOX_SHIFT = (8.0, -2.0)  # the same for a box that several wires enter

_Sides: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of a rectangle: many are compared."""


def badge_places(plans: Sequence[Plan], placement: Placement, problem: Problem) -> dict[str, Point]:
    """Gate → the middle of its badge, for gates that have one at some moment."""
    hosts = set(problem.hanging.values())
    badged = {
        box.id: box
        for plan in plans
        for box in plan.boxes
        if box.badge and (box.shape in ("gate", "chip") or (box.shape == "circle" and box.id in hosts))
    }
    if not badged:
        return {}
    obstacles = [*_obstacles(placement, problem), *_usual_badges(plans, placement, problem, badged)]
    found: dict[str, Point] = {}
    ordered = sorted(badged, key=lambda one: _clear_places(badged[one], placement.boxes[one], obstacles))
    for _ in range(2):  # one that found no clear place may have another one moved
        for identifier in ordered:
            box = badged[identifier]
            others = [("", _covered_by(center)) for other, center in found.items() if other != identifier]
            sides = [_sides(area) for _, area in others]
            if identifier not in found or _covered(found[identifier], min(_REACHES), sides):
                found[identifier] = _place(box, placement.boxes[identifier], [*obstacles, *others])
    return found


def usual_place(box: PlannedBox, area: Rectangle, horizontal: bool) -> Point:
    """The middle of a badge at the corner of its box, where nothing is looked for."""
    if box.shape == "circle":
        dx, dy = _CIRCLE_SHIFT if horizontal else _UPRIGHT_CIRCLE_SHIFT
    elif box.shape == "box" and horizontal:
        dx, dy = _BOX_SHIFT
    else:
        dx, dy = _PILL_SHIFT if box.shape == "pill" else _BADGE_SHIFT
    return area.x + dx, area.y + dy


def _usual_badges(
    plans: Sequence[Plan], placement: Placement, problem: Problem, badged: Container[str]
) -> Iterator[tuple[str, Rectangle]]:
    """The areas of the badges that stand at the corners of their boxes. badged: the boxes of the others."""
    corner = {box.id: box for plan in plans for box in plan.boxes if box.badge and box.id not in badged}
    for identifier, box in corner.items():
        yield "", _covered_by(usual_place(box, placement.boxes[identifier], problem.horizontal))


def _covered_by(center: Point) -> Rectangle:
    return Rectangle(center[0] - _RADIUS, center[1] - _RADIUS, 2 * _RADIUS, 2 * _RADIUS)


def _place(box: PlannedBox, area: Rectangle, obstacles: Sequence[tuple[str, Rectangle]]) -> Point:
    """The first clear place, or the one with the least in its way."""
    sides = _in_the_way(box, area, obstacles)
    covered: list[tuple[float, Point]] = []
    for reach in _REACHES:
        covered = []
        for center in _centers(box, area):
            share = _covered(center, reach, sides)
            if not share:
                return center
            covered.append((share, center))
    return min(covered, key=lambda pair: pair[0])[1]


def _clear_places(box: PlannedBox, area: Rectangle, obstacles: Sequence[tuple[str, Rectangle]]) -> int:
    """The number of places at a box with nothing in the way; those of boxes with few are looked for first."""
    sides = _in_the_way(box, area, obstacles)
    return sum(not _covered(center, min(_REACHES), sides) for center in _centers(box, area))


def _in_the_way(
    box: PlannedBox, area: Rectangle, obstacles: Sequence[tuple[str, Rectangle]]
) -> list[_Sides]:
    near = area.grown(_NEAR)
    return [_sides(other) for owner, other in obstacles if owner != box.id and near.overlaps(other)]


def _centers(box: PlannedBox, area: Rectangle) -> Iterator[Point]:
    lists = any(words.face != "bold" for words in box.texts)
    beyond = _LISTING if lists else _BEYOND
    x, y = area.center
    high = max(area.height / 2, _LEAST) + beyond
    for across, down in _PLACES:
        yield x + across * (area.width / 2 + (_BESIDE if abs(across) == 1.0 else 0.0)), y + down * high


def _covered(center: Point, reach: float, obstacles: Sequence[_Sides]) -> float:
    """How much a badge at a place would cover."""
    left, top, right, bottom = _sides(Rectangle(center[0] - reach, center[1] - reach, 2 * reach, 2 * reach))
    total = 0.0
    for from_x, from_y, to_x, to_y in obstacles:
        if from_x < right and left < to_x and from_y < bottom and top < to_y:
            total += (min(right, to_x) - max(left, from_x)) * (min(bottom, to_y) - max(top, from_y))
    return total


def _sides(area: Rectangle) -> _Sides:
    return area.x, area.y, area.right, area.bottom


def _obstacles(placement: Placement, problem: Problem) -> Iterator[tuple[str, Rectangle]]:
    """(box or empty, area) of everything that a badge must not cover."""
    yield from placement.boxes.items()
    for rooms in (placement.labels, placement.below):
        yield from (("", area) for area in rooms.values() if area.width)
    boxes, horizontal = placement.boxes, problem.horizontal
    hanging = problem.hanging.items()
    links = [straight(*link_ends(boxes[chip], boxes[host], horizontal)) for chip, host in hanging]
    for points in (*placement.wires.values(), *links):
        yield from (("", piece) for piece in pieces(points, _WIRE))
