"""Place the chips of a circuit: small boxes that hang on a gate, above or below the line of gates.

The gates are placed without them. A chip then moves away from its gate until it is clear of everything else, so
that it takes no room in the line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from inspector.layout.problem import Placement, Problem, Size
from inspector.scene.scene import Rectangle
from inspector.scene.splines import pieces, straight

_NEAREST = 31.0
"""Distance from a gate to its chip, with room for an arrowhead."""
_FARTHEST = 260.0
_STEP = 4.0
_SIDEWAYS = (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1.0, -1.0, 1.3, -1.3)
"""Shifts along the line to try, as shares of the chip's width."""
_DETOUR = 1.5
"""Cost of a point sideways, in points of distance."""
_CLEARANCE = 7.0
_NARROW, _MORE = 2.0, 31.0
"""The width that stands for a chip, and what its height takes in addition."""
_LINK = 3.0
"""Half the width that a link keeps clear."""


def without_chips(problem: Problem, roomy: Collection[str], kept: Collection[str]) -> Problem:
    """The problem without its chips.

    roomy: chips for whose height there is room in the block of their gate. kept: those that stay in that block.
    """
    hanging = {box: host for box, host in problem.hanging.items() if box in roomy or box in kept}
    sizes = {box: size for box, size in problem.sizes.items() if box in hanging or box not in problem.hanging}
    sizes |= {box: (_NARROW, problem.sizes[box][1] + _MORE) for box in roomy if box not in kept}
    return replace(problem, sizes=sizes, hanging=hanging)


def with_chips(placement: Placement, problem: Problem, kept: Collection[str]) -> tuple[Placement, list[str]]:
    """The placement with its other chips, and those that have no clear place. For horizontal problems.

    kept: the chips that are placed already.
    """
    boxes = {box: area for box, area in placement.boxes.items() if box in kept or box not in problem.hanging}
    placement = replace(placement, boxes=boxes)
    obstacles = list(_obstacles(placement))
    hung: dict[str, list[str]] = {}
    for chip, host in problem.hanging.items():
        hung.setdefault(host, []).append(chip)
    gates = [area for box, area in placement.boxes.items() if box not in problem.hanging]
    middle = sum(area.center[1] for area in gates) / len(gates)
    places: dict[str, Rectangle] = {}
    failed: list[str] = []
    for host in sorted(hung, key=lambda host: placement.boxes[host].x):
        gate = placement.boxes[host]
        upper = gate.center[1] <= middle + _STEP
        for number, chip in enumerate(hung[host]):
            if chip in placement.boxes:
                continue
            others = [area for area in obstacles if area != gate]
            place = _place(gate, problem.sizes[chip], upper == (number % 2 == 0), others)
            if place is None:
                failed.append(chip)
                continue
            places[chip] = place
            obstacles += [place, *_link(gate, place)]
    return replace(placement, boxes={**placement.boxes, **places}), failed


def _obstacles(placement: Placement) -> Iterator[Rectangle]:
    """All boxes, texts and wires; a wire as short pieces."""
    yield from placement.boxes.values()
    yield from (area for area in (*placement.labels.values(), *placement.below.values()) if area.width)
    for points in placement.wires.values():
        yield from pieces(points, 1.0)


def _place(gate: Rectangle, size: Size, upper: bool, obstacles: Sequence[Rectangle]) -> Rectangle | None:
    """The clear place with the least cost, above the gate or below it."""
    wide, high = size[0] * (0.5 + max(_SIDEWAYS)) + _CLEARANCE, _FARTHEST + size[1] + _CLEARANCE
    x, _ = gate.center
    near = Rectangle(x - wide, gate.y - high, 2 * wide, gate.height + 2 * high)
    obstacles = [area for area in obstacles if area.overlaps(near)]
    best: tuple[float, Rectangle] | None = None
    for above in (upper, not upper):
        for share in _SIDEWAYS:
            found = _nearest(gate, size, above, share * size[0], obstacles)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is not None:
            return best[1]
    return None


def _nearest(
    gate: Rectangle, size: Size, above: bool, shift: float, obstacles: Sequence[Rectangle]
) -> tuple[float, Rectangle] | None:
    """The nearest clear place in one direction, and its cost."""
    x = gate.center[0] + shift - size[0] / 2
    column = Rectangle(x, gate.y, *size).grown(_CLEARANCE)
    beside = [(area.y, area.bottom) for area in obstacles if column.x < area.right and area.x < column.right]
    distance = _NEAREST
    while distance <= _FARTHEST:
        y = gate.y - distance - size[1] if above else gate.bottom + distance
        area = Rectangle(x, y, *size)
        taken = area.grown(_CLEARANCE)
        top, bottom = taken.y, taken.bottom
        if not any(upper < bottom and top < lower for upper, lower in beside):
            if any(piece.overlaps(other) for piece in _link(gate, area) for other in obstacles):
                return None  # farther away it is not clear, either
            return distance + _DETOUR * abs(shift), area
        distance += _STEP
    return None


def _link(gate: Rectangle, chip: Rectangle) -> list[Rectangle]:
    """The room of the link between a gate and its chip."""
    above = chip.y < gate.y
    start = chip.center[0], chip.bottom if above else chip.y
    end = gate.center[0], gate.y if above else gate.bottom
    return list(pieces(straight(start, end), _LINK))
