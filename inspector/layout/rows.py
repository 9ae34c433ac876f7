"""A long figure in rows, as a text is: cut at wires that all gradients pass, the parts one below the other.

From the end of a row its wire runs back to the start of the next one. Of an upright figure the rows are columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

from inspector.layout.curves import Curve, joined, straight
from inspector.layout.problem import Placement, Problem, Route, Size
from inspector.layout.station import Flow
from inspector.scene.scene import Point, Rectangle

_GAP = 20.0
"""Between a row and the wire that runs back below it, and between that and the next row."""
_TURN = 12.0
"""How far that wire reaches beyond the rows."""
_STUB: Size = (4.0, 4.0)
"""The end of a row, where its wire leaves it."""
_EXIT, _ENTRY, _TIE = "exit ", "entry ", "tie "
_MOST_CUTS = 24

Place = Callable[[Problem], Placement]


def place_rows(problem: Problem, place: Place) -> Placement:
    """`place(problem)` in as many rows as its spacing says; in one, where too few wires can be cut.

    What `place` raises is raised.
    """
    count = problem.spacing.rows
    problem = replace(problem, spacing=replace(problem.spacing, rows=1))
    whole = place(problem)
    cuts = _best_cuts(problem, whole, count)
    if not cuts:
        return whole
    backwards = problem.direction in ("RL", "BT")
    parts = _parts(problem, cuts)
    placed = [place(part) for part in parts]
    if backwards:  # the eye begins where the flow ends
        cuts, placed = cuts[::-1], placed[::-1]
    return _stacked(problem, placed, cuts, backwards)


# ---- where to cut -----------------------------------------------------------------------------------------


def _best_cuts(problem: Problem, whole: Placement, count: int) -> list[Route]:
    """The wires, in the order of the flow, at which the figure falls into rows as short as can be."""
    flow = Flow(problem.horizontal)
    spans = {box: _span(area, flow) for box, area in whole.boxes.items()}
    hosts = {box for box in problem.sizes if box not in problem.hanging}
    sides = {route: _far_side(problem, route) & hosts for route in problem.routes}
    options = [route for route in problem.routes if sides[route]][:_MOST_CUTS]

    def longest(cuts: Iterable[Route]) -> float:
        stretches = [behind - beyond for behind, beyond in pairwise([hosts, *(sides[cut] for cut in cuts), set()])]
        return max(_length([spans[box] for box in boxes]) for boxes in stretches)

    ways = [cuts for cuts in permutations(options, count - 1) if _nested([hosts, *(sides[cut] for cut in cuts)])]
    return list(min(ways, key=longest, default=()))


def _span(area: Rectangle, flow: Flow) -> tuple[float, float]:
    """Where along the flow a box begins and ends."""
    return flow.turned((area.x, area.y))[0], flow.turned((area.right, area.bottom))[0]


def _length(spans: Sequence[tuple[float, float]]) -> float:
    return max(end for _, end in spans) - min(start for start, _ in spans)


def _nested(sides: Sequence[set[str]]) -> bool:
    """Whether each of these sets holds the next one and more: a row of one box alone is none."""
    return all(one > other and len(one - other) > 1 for one, other in pairwise([*sides, set()]))


def _far_side(problem: Problem, cut: Route) -> set[str]:
    """The boxes that only this wire ties to its source; none where another way leads to its target."""
    near: dict[str, set[str]] = defaultdict(set)
    for route in problem.routes:
        if route is not cut:
            near[route.source].add(route.target)
            near[route.target].add(route.source)
    found, waiting = {cut.target}, [cut.target]
    while waiting:
        for box in near[waiting.pop()] - found:
            found.add(box)
            waiting.append(box)
    return set() if cut.source in found else found


def _parts(problem: Problem, cuts: Sequence[Route]) -> list[Problem]:
    """The problems of the rows, in the order of the flow, each with stubs for the wires that are cut."""
    hosts = {box for box in problem.sizes if box not in problem.hanging}
    sides = [_far_side(problem, cut) & hosts for cut in cuts]
    members = [behind - beyond for behind, beyond in pairwise([hosts, *sides, set()])]
    ends: list[Route | None] = [None, *cuts, None]
    return [_part(problem, inside, *ends[number : number + 2]) for number, inside in enumerate(members)]


def _part(problem: Problem, inside: set[str], entry: Route | None, leaving: Route | None) -> Problem:
    hanging = {box: host for box, host in problem.hanging.items() if host in inside}
    routes = [route for route in problem.routes if route.source in inside and route.target in inside]
    sizes = {box: size for box, size in problem.sizes.items() if box in inside or box in hanging}
    if entry:
        stub = _ENTRY + entry.id
        first = [box for box in sizes if box in inside and all(route.target != box for route in routes)]
        others = [box for box in first if box != entry.target]
        routes = [Route(stub, stub, entry.target), *routes, *(Route(_TIE + box, stub, box) for box in others)]
        sizes[stub] = _STUB
    if leaving:
        stub = _EXIT + leaving.id
        last = [box for box in sizes if box in inside and all(route.source != box for route in routes)]
        others = [box for box in last if box != leaving.source]
        routes = [*routes, replace(leaving, target=stub), *(Route(_TIE + box, box, stub) for box in others)]
        sizes[stub] = _STUB
    return replace(
        problem,
        sizes=sizes,
        hanging=hanging,
        texts=problem.texts & hanging.keys(),
        routes=tuple(routes),
        shapes={box: shape for box, shape in problem.shapes.items() if box in sizes},
    )


# ---- one below the other ----------------------------------------------------------------------------------


def _stacked(problem: Problem, placed: Sequence[Placement], cuts: Sequence[Route], backwards: bool) -> Placement:
    """The rows as the eye reads them, and the wires that lead from one to the next."""
    flow = Flow(problem.horizontal)
    whole = Placement({}, {}, {}, {})
    reached, channels = 0.0, []
    for row in placed:
        area = _bounds(row)
        start, top = flow.turned((area.x, area.y))
        moved = _moved(row, *flow.turned((-start, reached - top)))
        reached += flow.turned((area.width, area.height))[1] + _GAP
        channels.append(reached)
        reached += _GAP
        whole.boxes.update(moved.boxes)
        whole.wires.update(moved.wires)
        whole.labels.update(moved.labels)
        whole.below.update(moved.below)
    for cut, channel in zip(cuts, channels, strict=False):
        before, behind = whole.wires[cut.id], whole.wires.pop(_ENTRY + cut.id)
        upper, lower = (behind[::-1], before[::-1]) if backwards else (before, behind)
        course = joined([upper, *_way_back(upper[-1], lower[0], channel, flow), lower])
        whole.wires[cut.id] = course[::-1] if backwards else course
    stubs = (_EXIT, _ENTRY)
    boxes = {box: area for box, area in whole.boxes.items() if not box.startswith(stubs)}
    wires = {wire: points for wire, points in whole.wires.items() if not wire.startswith(_TIE)}
    return Placement(boxes, wires, whole.labels, whole.below)


def _way_back(leaves: Point, enters: Point, channel: float, flow: Flow) -> list[Curve]:
    """From the end of a row, round into the channel below it, and to the start of the next row."""
    (along, across), (start, level) = flow.turned(leaves), flow.turned(enters)
    far, near = along + _TURN, start - _TURN

    def corner(begin: Point, bend: Point, end: Point) -> Curve:
        return flow.turned(begin), flow.turned(bend), flow.turned(bend), flow.turned(end)

    return [
        corner((along, across), (far, across), (far, across + _TURN)),
        straight(flow.turned((far, across + _TURN)), flow.turned((far, channel - _TURN))),
        corner((far, channel - _TURN), (far, channel), (along, channel)),
        straight(flow.turned((along, channel)), flow.turned((start, channel))),
        corner((start, channel), (near, channel), (near, channel + _TURN)),
        straight(flow.turned((near, channel + _TURN)), flow.turned((near, level - _TURN))),
        corner((near, level - _TURN), (near, level), (start, level)),
    ]


def _bounds(placement: Placement) -> Rectangle:
    areas = [*placement.boxes.values(), *placement.labels.values(), *placement.below.values()]
    areas += [Rectangle(x, y, 0.0, 0.0) for points in placement.wires.values() for x, y in points]
    x, y = min(area.x for area in areas), min(area.y for area in areas)
    return Rectangle(x, y, max(area.right for area in areas) - x, max(area.bottom for area in areas) - y)


def _moved(placement: Placement, dx: float, dy: float) -> Placement:
    return Placement(
        {box: area.moved(dx, dy) for box, area in placement.boxes.items()},
        {wire: tuple((x + dx, y + dy) for x, y in points) for wire, points in placement.wires.items()},
        {wire: area.moved(dx, dy) for wire, area in placement.labels.items()},
        {wire: area.moved(dx, dy) for wire, area in placement.below.items()},
    )
