"""The grounds behind the passes of a loop: areas of one size, each with its title."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from inspector.figure.box_shapes import text_run
from inspector.layout.problem import Placement, Problem
from inspector.scene.scene import Band, Box, Rectangle
from inspector.scene.transform import bounds
from inspector.styles.plan import MAIN_SIZE, CircuitPlan, LoopPass, Plan, StyledText

_MARGIN = 6.0
_TITLE = 24.0
_BETWEEN = 4.0
"""Distance of two grounds."""


def grounds_of(plan: Plan, placement: Placement, problem: Problem) -> tuple[Box, ...]:
    """The grounds of the passes; none if these are not in columns."""
    passes = plan.passes if isinstance(plan, CircuitPlan) else ()
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
