"""The grounds behind the passes of a loop, areas of one size, each with its title; and behind groups of boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from inspector.figure.box_shapes import text_run
from inspector.layout.problem import Placement, Problem
from inspector.scene.scene import Band, Box, Rectangle
from inspector.scene.transform import bounds
from inspector.styles.plan import MAIN_SIZE, CircuitPlan, GroupedPlan, LoopPass, Plan, StyledText

_MARGIN = 6.0
_TITLE = 24.0
_AROUND = 8.0
"""Distance between a group and the edge of its ground."""
_BETWEEN = 4.0
"""Distance of two grounds."""


def grounds_of(plan: Plan, placement: Placement, problem: Problem) -> tuple[Box, ...]:
    """The grounds of a plan, in the order in which they are drawn."""
    if isinstance(plan, GroupedPlan):
        return tuple(_of_groups(plan, placement, problem))
    return _of_passes(plan.passes, placement, problem) if isinstance(plan, CircuitPlan) else ()


def _of_groups(plan: GroupedPlan, placement: Placement, problem: Problem) -> Iterator[Box]:
    """The ground of each group; none if another box lies on it."""
    for number, group in enumerate(plan.groups, 1):
        own = {*group, *(hung for hung, host in problem.hanging.items() if host in group)}
        inner = [route.id for route in problem.routes if {route.source, route.target} <= own]
        texts = [placement.labels[wire] for wire in inner if wire in placement.labels]
        area = bounds([*(placement.boxes[box] for box in own), *(room for room in texts if room.width)])
        ground = area.grown(_AROUND)
        if not any(ground.overlaps(other) for box, other in placement.boxes.items() if box not in own):
            yield Box(f"group-{number}", ground, "plain", bands=(Band(ground, "function"),))


def _of_passes(passes: Sequence[LoopPass], placement: Placement, problem: Problem) -> tuple[Box, ...]:
    """The grounds of the passes; none if these are not in columns."""
    lines = [_area(one, placement, problem, with_chips=False) for one in passes]
    areas = [_area(one, placement, problem, with_chips=True) for one in passes]
    if len(areas) < 2 or not _are_columns(lines):
        return ()
    top, bottom = min(area.y for area in areas) - _TITLE, max(area.bottom for area in areas) + _MARGIN
    found = []
    for number, (one, area) in enumerate(zip(passes, areas, strict=True)):
        left, right = area.x - _MARGIN, area.right + _MARGIN
        if number:
            left = max(left, (lines[number - 1].right + lines[number].x + _BETWEEN) / 2)
        if number + 1 < len(areas):
            right = min(right, (lines[number].right + lines[number + 1].x - _BETWEEN) / 2)
        ground = Rectangle(left, top, right - left, bottom - top)
        title = text_run(
            StyledText(one.title, "quiet", "medium", MAIN_SIZE), left + 8.0, top + _TITLE / 2, "start"
        )
        band = Band(ground, "function")
        found.append(Box(f"pass-{number + 1}", ground, "plain", bands=(band,), texts=(title,)))
    return tuple(found)


def _area(one: LoopPass, placement: Placement, problem: Problem, *, with_chips: bool) -> Rectangle:
    """The boxes of a pass, the texts of the wires that leave them, and what hangs on them."""
    hosts = {host for host in one.hosts if host}
    boxes = [placement.boxes[host] for host in hosts]
    boxes += [placement.boxes[chip] for chip, host in problem.hanging.items() if with_chips and host in hosts]
    leaving = [route.id for route in problem.routes if route.source in hosts]
    texts = [rooms[wire] for rooms in (placement.labels, placement.below) for wire in leaving if wire in rooms]
    return bounds([*boxes, *(room for room in texts if room.width)])


def _are_columns(areas: Sequence[Rectangle]) -> bool:
    return all(one.right <= other.x for one, other in pairwise(areas))
