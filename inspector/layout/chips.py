"""Place the chips of a circuit: small boxes that hang on a gate, above or below the line of gates.

The gates are placed without them. A chip then moves away from its gate until it is clear of everything else, so
that it takes no room in the line. Where no wire leads to a gate, a tall chip stands before it, where its line
begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import product

from msgspec.structs import replace

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
_OTHER_SIDE = 20.0
"""Cost of the other side of the line than that whose turn it is."""
_HIGHER = 0.5
"""Cost of a point by which the figure becomes higher."""
_CLEARANCE = 7.0
_NARROW, _MORE = 2.0, 31.0
"""The width that stands for a chip, and what its height takes in addition."""
_TALL = 56.0
"""Minimum height of a chip that stands before its gate: more than two lines."""
_IN_A_COLUMN = 3
"""Minimum number of gates in a column that have one of their chips before them, also a short one."""
_BADGE = 16.0
"""Additional room in the line for the badge of a gate that has something on all sides."""
_LINK = 3.0
"""Half the width that a link keeps clear."""


def without_chips(problem: Problem, roomy: Collection[str], kept: Collection[str]) -> Problem:
    """The problem without its chips.

    roomy: chips for whose height there is room in the block of their gate. kept: those that stay in that block.
    """
    hanging = {box: host for box, host in problem.hanging.items() if box in roomy or box in kept}
    sizes = {box: size for box, size in problem.sizes.items() if box in hanging or box not in problem.hanging}
    sizes |= {box: (_NARROW, problem.sizes[box][1] + _MORE) for box in roomy if box not in kept}
    for gate, chip in _crowded(problem).items():
        if chip not in hanging:
            hanging[chip], sizes[chip] = gate, (problem.sizes[gate][0] + _BADGE, 1.0)
    return replace(problem, sizes=sizes, hanging=hanging)


def _crowded(problem: Problem) -> dict[str, str]:
    """Round gates with wires before and after them and chips above and below them, each with one of its chips."""
    chips = Counter(problem.hanging.values())
    entered = {route.target for route in problem.routes}
    return {
        host: chip
        for chip, host in problem.hanging.items()
        if chips[host] > 1 and host in entered and problem.shapes.get(host) == "gate"
    }


def with_chips(
    placement: Placement, problem: Problem, kept: Collection[str], passes: Sequence[Collection[str]]
) -> tuple[Placement, list[str]]:
    """The placement with its other chips, and those that have no clear place. For horizontal problems.

    kept: the chips that are placed already. passes: the boxes of each pass of a loop.
    """
    boxes = {box: area for box, area in placement.boxes.items() if box in kept or box not in problem.hanging}
    placement = replace(placement, boxes=boxes)
    obstacles = list(_obstacles(placement))
    hung: dict[str, list[str]] = {}
    for chip, host in problem.hanging.items():
        hung.setdefault(host, []).append(chip)
    gates = [area for box, area in placement.boxes.items() if box not in problem.hanging]
    middle = sum(area.center[1] for area in gates) / len(gates)
    places = _places_before(hung, placement, problem, passes)
    for chip, place in places.items():
        obstacles += [place, *_link_before(placement.boxes[problem.hanging[chip]], place)]
    failed: list[str] = []
    free = _free(problem, passes) - {problem.hanging[chip] for chip in places}
    for host in sorted(hung, key=lambda host: placement.boxes[host].x):
        gate = placement.boxes[host]
        upper = gate.center[1] <= middle + _STEP
        rest = [chip for chip in hung[host] if chip not in places]
        for number, chip in enumerate(rest):
            if chip in placement.boxes:
                continue
            others = [area for area in obstacles if area != gate]
            found = _place(gate, problem.sizes[chip], upper == (number % 2 == 0), others)
            if host in free and (found is None or abs(found.center[0] - gate.center[0]) > _LINK):
                before = _before(gate, problem.sizes[chip], others, _NEAREST)
                found, free = before or found, free - {host} if before else free
            if found is None:
                failed.append(chip)
                continue
            places[chip] = found
            links = _link_before if found.right < gate.x and found.center[1] == gate.center[1] else _link
            obstacles += [found, *links(gate, found)]
    return replace(placement, boxes={**placement.boxes, **places}), failed


def _places_before(
    hung: dict[str, list[str]], placement: Placement, problem: Problem, passes: Sequence[Collection[str]]
) -> dict[str, Rectangle]:
    """The places of chips before their gates: of the least tall chip of each gate to which no wire leads, if it is
    tall, or if other such gates stand above or below it."""
    places: dict[str, Rectangle] = {}
    free = _free(problem, passes)
    obstacles = list(_obstacles(placement))
    columns = Counter(round(placement.boxes[host].center[0]) for host in hung if host in free)
    for host, chips in hung.items():
        gate, tall = placement.boxes[host], [chip for chip in chips if problem.sizes[chip][1] >= _TALL]
        if columns[round(gate.center[0])] >= _IN_A_COLUMN:
            tall = chips
        if host not in free or not tall or any(chip in placement.boxes for chip in chips):
            continue
        chip = min(tall, key=lambda chip: problem.sizes[chip][1])
        others = [area for area in (*obstacles, *places.values()) if area != gate]
        place = _before(gate, problem.sizes[chip], others)
        if place is not None:
            places[chip] = place
    return places


def _free(problem: Problem, passes: Sequence[Collection[str]]) -> set[str]:
    """The gates that may have a chip before them: no wire leads there, nor in another pass."""
    if problem.direction != "LR":
        return set()
    reached = {route.target for route in problem.routes} | {host for one_pass in passes for host in one_pass}
    return set(problem.hanging.values()) - reached


def _before(
    gate: Rectangle, size: Size, obstacles: Sequence[Rectangle], farthest: float = _FARTHEST
) -> Rectangle | None:
    """The nearest clear place left of a gate."""
    distance = _NEAREST
    while distance <= farthest:
        area = Rectangle(gate.x - distance - size[0], gate.center[1] - size[1] / 2, *size)
        taken = [area.grown(_CLEARANCE), *_link_before(gate, area)]
        if not any(piece.overlaps(other) for piece in taken for other in obstacles):
            return area
        distance += _STEP
    return None


def _link_before(gate: Rectangle, chip: Rectangle) -> list[Rectangle]:
    return list(pieces(straight((chip.right, chip.center[1]), (gate.x, gate.center[1])), _LINK))


def _obstacles(placement: Placement) -> Iterator[Rectangle]:
    """All boxes, texts and wires; a wire as short pieces."""
    yield from placement.boxes.values()
    yield from (area for area in (*placement.labels.values(), *placement.below.values()) if area.width)
    for points in placement.wires.values():
        yield from pieces(points, 1.0)


def _place(gate: Rectangle, size: Size, upper: bool, obstacles: Sequence[Rectangle]) -> Rectangle | None:
    """The clear place with the least cost, above the gate or below it: near, straight, and within the height that
    the figure has already."""
    top = min((area.y for area in obstacles), default=gate.y)
    bottom = max((area.bottom for area in obstacles), default=gate.bottom)
    wide, high = size[0] * (0.5 + max(_SIDEWAYS)) + _CLEARANCE, _FARTHEST + size[1] + _CLEARANCE
    x, _ = gate.center
    near = Rectangle(x - wide, gate.y - high, 2 * wide, gate.height + 2 * high)
    obstacles = [area for area in obstacles if area.overlaps(near)]
    best: tuple[float, Rectangle] | None = None
    for above, share in product((upper, not upper), _SIDEWAYS):
        found = _nearest(gate, size, above, share * size[0], obstacles)
        if found is None:
            continue
        higher = max(top - found[1].y, 0.0) + max(found[1].bottom - bottom, 0.0)
        cost = found[0] + _HIGHER * higher + (_OTHER_SIDE if above != upper else 0.0)
        if best is None or cost < best[0]:
            best = cost, found[1]
    return None if best is None else best[1]


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
