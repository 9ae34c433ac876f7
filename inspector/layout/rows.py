"""Break a long figure into rows, like text: cut between two ranks, and stack the parts.

Wires across a cut run back from the end of a row to the start of the next, side by side and without crossings: the
order at the end of a row is the order at the start of the next. In a vertical figure the rows are columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, combinations, pairwise

from inspector.layout.host_block import Orientation
from inspector.layout.problem import Placement
from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import Curve, joined, straight
from inspector.scene.transform import bounds, points_bounds

_GAP = 20.0
"""Distance from a row to the returning wires below it, and from these to the next row."""
_TURN = 10.0
"""Radius of the bends of a returning wire."""
_LANE = 12.0
"""Distance of two returning wires."""
_MOST_WIRES = 4
"""Maximum wires across a cut; more side by side are unreadable."""
_LEAST_BOXES = 2
"""Minimum boxes of a row."""
_COST = 1.5 * _LANE
"""Extra length of a row, in points, that is accepted to avoid one returning wire."""

_CLOSE = 0.01
"""Points, for rounding."""

Stretch = tuple[float, float]
"""The start and end of something along the flow."""
TextRow = tuple[Stretch, Stretch]
"""The extents of the stops where wires leave a row and where they enter the next one."""


def best_cuts(
    ranks: Sequence[Stretch], hosts: Sequence[int], wires: Sequence[tuple[int, int]], rows: int
) -> tuple[int, ...]:
    """The ranks that end a row (except the last), for rows as short as possible; empty if no split is possible.

    hosts: the rank of each box with wires. wires: the ranks of both ends of each wire.
    """
    if rows < 2:
        return ()
    met = [sum(source <= rank < target for source, target in wires) for rank in range(len(ranks))]
    options = [rank for rank in range(len(ranks) - 1) if 0 < met[rank] <= _MOST_WIRES]
    count = Counter(hosts)
    boxes = list(accumulate((count[rank] for rank in range(len(ranks))), initial=0))  # before each rank

    def cost(cuts: tuple[int, ...]) -> float:
        bounds = pairwise([-1, *cuts, len(ranks) - 1])
        longest = max(ranks[last][1] - ranks[before + 1][0] for before, last in bounds)
        return longest + sum(_COST * met[cut] for cut in cuts)

    def is_full(cuts: tuple[int, ...]) -> bool:
        bounds = pairwise([-1, *cuts, len(ranks) - 1])
        return all(boxes[last + 1] - boxes[before + 1] >= _LEAST_BOXES for before, last in bounds)

    return min((cuts for cuts in combinations(options, rows - 1) if is_full(cuts)), key=cost, default=())


def stacked(placement: Placement, lines: Sequence[TextRow], flow: Orientation, backwards: bool) -> Placement:
    """The rows stacked in reading order, and the wires between them.

    lines: the ends of the rows. backwards: whether wires run against the reading order.
    """
    whole = Placement({}, {}, {}, {})
    courses: dict[str, list[Curve]] = {}
    reached, above, upper = 0.0, dict[str, Curve](), 0.0  # end of the last row, its wires, its length
    for row in _rows(placement, lines, flow, backwards):
        area = _placement_bounds(row)
        (start, top), (length, height) = flow.turned((area.x, area.y)), flow.turned((area.width, area.height))
        back = sorted(above.keys() & row.wires.keys(), key=lambda wire: flow.turned(above[wire][-1])[1])
        channel = reached + _GAP
        reached = channel + _LANE * (len(back) - 1) + _GAP if back else 0.0
        moved = row.moved(*flow.turned((-start, reached - top)))
        for lane, wire in enumerate(back):
            lanes = len(back) - 1 - lane
            bends = upper + _TURN + _LANE * lanes, channel + _LANE * lanes, -_TURN - _LANE * lane
            courses[wire] += _way_back(above[wire][-1], moved.wires[wire][0], bends, flow)
        for wire, points in moved.wires.items():
            courses.setdefault(wire, []).append(points)
        whole.boxes.update(moved.boxes)
        whole.labels.update(moved.labels)
        whole.below.update(moved.below)
        reached, above, upper = reached + height, moved.wires, length
    for wire in placement.wires:
        course = joined(courses[wire])
        whole.wires[wire] = course[::-1] if backwards else course
    return whole


def _rows(placement: Placement, lines: Sequence[TextRow], flow: Orientation, backwards: bool) -> list[Placement]:
    """The contents of each row, in reading order; wires are cut into pieces."""
    rows = [Placement({}, {}, {}, {}) for _ in range(len(lines) + 1)]

    def row_of(area: Rectangle) -> Placement:
        return rows[sum(entry[0] < flow.turned(area.center)[0] for _, entry in lines)]

    for name in ("boxes", "labels", "below"):
        for identifier, area in getattr(placement, name).items():
            getattr(row_of(area), name)[identifier] = area
    for wire, points in placement.wires.items():
        rest = points[::-1] if backwards else points
        for number, (leaving, entry) in enumerate(lines):
            out, into = _reached(rest, leaving, flow), _reached(rest, entry, flow)
            if out is not None and into is not None:
                rows[number].wires[wire], rest = rest[: out + 1], rest[into:]
        rows[sum(entry[0] - _CLOSE < flow.turned(rest[-1])[0] for _, entry in lines)].wires[wire] = rest
    return rows


def _reached(points: Curve, stretch: Stretch, flow: Orientation) -> int | None:
    """Index of the first end of a segment within a stretch."""
    start, end = stretch[0] - _CLOSE, stretch[1] + _CLOSE
    return next((at for at in range(0, len(points), 3) if start <= flow.turned(points[at])[0] <= end), None)


def _way_back(leaves: Point, enters: Point, bends: tuple[float, float, float], flow: Orientation) -> list[Curve]:
    """The curves from the end of a row, through the channel below it, to the start of the next row.

    bends: the positions at which the wire runs down, back and down again.
    """
    (along, across), (start, level) = flow.turned(leaves), flow.turned(enters)
    far, channel, near = bends

    def line(begin: Point, end: Point) -> Curve:
        return straight(flow.turned(begin), flow.turned(end))

    def corner(begin: Point, bend: Point, end: Point) -> Curve:
        return flow.turned(begin), flow.turned(bend), flow.turned(bend), flow.turned(end)

    return [
        line((along, across), (far - _TURN, across)),
        corner((far - _TURN, across), (far, across), (far, across + _TURN)),
        line((far, across + _TURN), (far, channel - _TURN)),
        corner((far, channel - _TURN), (far, channel), (far - _TURN, channel)),
        line((far - _TURN, channel), (near + _TURN, channel)),
        corner((near + _TURN, channel), (near, channel), (near, channel + _TURN)),
        line((near, channel + _TURN), (near, level - _TURN)),
        corner((near, level - _TURN), (near, level), (near + _TURN, level)),
        line((near + _TURN, level), (start, level)),
    ]


def _placement_bounds(placement: Placement) -> Rectangle:
    areas = [*placement.boxes.values(), *placement.labels.values(), *placement.below.values()]
    return bounds([*areas, *map(points_bounds, placement.wires.values())])
