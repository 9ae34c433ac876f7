"""Compute the positions of boxes, texts and wires. dot runs twice; the first run determines ranks and lanes.

Boxes attached to a function are above it in the upper lanes of its rank and below it in the lower lanes, and so is
the text of a wire; so the lanes must be known before the final run. A text beside a wire has a rank of its own,
and a wire that passes other boxes has a stop in each of their ranks: every stretch of a wire then leads from one
rank to the next, and the gap between two ranks is empty. A figure in rows takes one more run, with a rank of stops
at each end of a row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from inspector.layout.graphviz import DotBlock, DotLink, DotSettings, arrange
from inspector.layout.host_block import HostBlock, Orientation, end_blocks, label_block, make_host_block
from inspector.layout.problem import TIE, Placement, Problem, Route
from inspector.layout.rows import TextRow, best_cuts, stacked
from inspector.layout.straight_line import in_line
from inspector.layout.wire_routes import CLEARANCE, ObstacleMap, RouteStop, make_wire
from inspector.scene.scene import Point, Rectangle

_LEVEL = 8
"""Weight of a stretch that should be straight, relative to 1."""
_MAIN = 40
"""The same for a wire of the main line."""
_ROUND = ("circle", "gate")
_SPREADING = (*_ROUND, "box")
_PORT_GAP = 18.0
_PORT_SHARE = 0.8
"""Distance of wires that enter one box, on at most this share of its side."""
_PASSING = DotBlock(4, 4, (0, 4, 0))
"""A stop of a wire that passes a rank."""


class _Draft(Struct, frozen=True):
    """One run of dot. Blocks are named by their index in the list.

    stations: host → its block. ways: wire → the blocks it runs through, ends included. texts: wire → the block of
    its text. ranks: block → its rank from 0.
    """

    blocks: list[DotBlock]
    stations: dict[str, int]
    ways: dict[str, list[int]]
    texts: dict[str, int]
    corners: list[Point]
    ranks: list[int]


Groups = Sequence[Sequence[str]]
"""Boxes that stay together: no other box comes between those of one group."""


def place(problem: Problem, groups: Groups = ()) -> Placement:
    """The positions of all boxes, the routes of all wires and the areas of their texts.

    Raises LayoutFailed if the engine gives no usable result.
    """
    hung: dict[str, list[str]] = defaultdict(list)
    for identifier, host in problem.hanging.items():
        hung[host].append(identifier)
    hosts = [identifier for identifier in problem.sizes if identifier not in problem.hanging]
    bare = {host: make_host_block(problem, host, (), True) for host in hosts}
    first = _run(problem, bare, None, {}, groups)
    upper = _upper_lanes(problem, first)
    stations = {host: make_host_block(problem, host, hung[host], upper[host]) for host in hosts}
    stations |= end_blocks(problem, hung)
    draft = _spread(problem, _run(problem, stations, first, upper, groups))
    parted, lines = _parted(problem, stations, draft, upper)
    placement = _placement(problem, stations, parted, upper)
    if backwards := problem.direction in ("RL", "BT"):
        placement = _mirrored(placement, problem.horizontal)
        lines = [((-entry[1], -entry[0]), (-out[1], -out[0])) for out, entry in reversed(lines)]
    return stacked(placement, lines, Orientation(problem.horizontal), backwards) if lines else placement


def _run(
    problem: Problem,
    stations: dict[str, HostBlock],
    first: _Draft | None,
    upper: dict[str, bool],
    groups: Groups = (),
    ended: Collection[int] = (),
) -> _Draft:
    """One run of dot. first: the run that determined the ranks, so that wires get stops where they pass one.
    ended: the ranks that end a row, after which wires need not be straight."""
    blocks = [station.block for station in stations.values()]
    indices = {host: index for index, host in enumerate(stations)}
    ways, texts, links = {}, {}, []
    leaving, arriving = _degrees(problem.routes)
    with_text = {first.ranks[block] for block in first.texts.values()} if first else set[int]()
    for route in problem.routes:
        way, stops = [indices[route.source]], _stops(route, first)
        for is_text in stops:
            way.append(len(blocks))
            if is_text:
                texts[route.id] = len(blocks)
                blocks.append(label_block(problem, route, upper.get(route.id, True)))
            else:
                blocks.append(_PASSING)
        way.append(indices[route.target])
        ways[route.id] = way
        weights = _weights(len(stops), leaving[route.source] == 1, arriving[route.target] == 1)
        if route.level:  # a tie only decides about ranks, which the first run determines
            weights = [0 if first and route.id.startswith(TIE) else _MAIN] * len(weights)
        if first and ended:
            start = first.ranks[indices[route.source]]
            weights = [0 if start + hop in ended else weight for hop, weight in enumerate(weights)]
        spans = _spans(route, len(stops), first, with_text)
        links += [DotLink(*hop) for hop in zip(*zip(*pairwise(way), strict=True), weights, spans, strict=True)]
    gaps = problem.spacing.rank, problem.spacing.lane
    ends = "source" if problem.flipped else "sink", tuple(indices[end] for end in sorted(problem.ends))
    clusters = tuple(_cluster(group, indices, ways) for group in groups)
    settings = DotSettings(problem.horizontal, gaps, first is None, ends, clusters, problem.in_order)
    corners = in_line(blocks, links, settings) or arrange(blocks, links, settings)
    return _Draft(blocks, indices, ways, texts, corners, _ranks(problem, blocks, corners))


def _cluster(group: Sequence[str], indices: dict[str, int], ways: dict[str, list[int]]) -> tuple[int, ...]:
    """The blocks of a group, and the stops of the wires between them."""
    own = {indices[box] for box in group if box in indices}
    stops = [stop for way in ways.values() if way[0] in own and way[-1] in own for stop in way[1:-1]]
    return (*sorted(own), *stops)


def _stops(route: Route, first: _Draft | None) -> list[bool]:
    """The stops of a wire between its ends: True for its text, False for a rank that it passes."""
    has_text = route.label[0] > 0 or route.below[0] > 0
    if first is None:
        return [True] if has_text else []
    ranks = [first.ranks[block] for block in first.ways[route.id]]
    stops = [False] * (ranks[-1] - ranks[0] - 1)
    if has_text:
        stops[first.ranks[first.texts[route.id]] - ranks[0] - 1] = True
    return stops


def _spans(route: Route, stops: int, first: _Draft | None, with_text: AbstractSet[int]) -> list[int]:
    """Number of dot's ranks that each stretch of a wire spans: texts have ranks of their own (`with_text`) between
    those of boxes.

    With fewer, a stop would lie between two ranks, and the wire could cross a box.
    """
    if first is None:
        return [1] * (stops + 1) if stops else [2]
    start = first.ranks[first.ways[route.id][0]]
    return [1 if with_text & {start + hop, start + hop + 1} else 2 for hop in range(stops + 1)]


def _weights(stops: int, leaves_alone: bool, arrives_alone: bool) -> list[int]:
    """How strongly each stretch of a wire should be straight: most for a stretch that no other wire shares."""
    if not stops:
        return [1]
    ahead = _LEVEL if arrives_alone or not leaves_alone else 1
    return [_LEVEL if leaves_alone else 1, *[_LEVEL] * (stops - 1), ahead]


def _degrees(routes: Sequence[Route]) -> tuple[dict[str, int], dict[str, int]]:
    leaving: dict[str, int] = defaultdict(int)
    arriving: dict[str, int] = defaultdict(int)
    for route in routes:
        leaving[route.source] += 1
        arriving[route.target] += 1
    return leaving, arriving


# ---- ranks and lanes --------------------------------------------------------------------------------------


def _center(problem: Problem, block: DotBlock, corner: Point) -> Point:
    """The middle of a block, along and across the flow."""
    return Orientation(problem.horizontal).turned((corner[0] + block.width / 2, corner[1] + block.height / 2))


def _ranks(problem: Problem, blocks: Sequence[DotBlock], corners: Sequence[Point]) -> list[int]:
    """The rank of every block: dot aligns the middles of a rank's blocks."""
    lines = [round(_center(problem, block, corner)[0]) for block, corner in zip(blocks, corners, strict=True)]
    numbers = {line: number for number, line in enumerate(sorted(set(lines)))}
    return [numbers[line] for line in lines]


def _upper_lanes(problem: Problem, draft: _Draft) -> dict[str, bool]:
    """Host or wire → whether it lies in the upper half of its rank (the middle of an odd rank does)."""
    ranks: dict[tuple[bool, int], list[tuple[float, str]]] = defaultdict(list)
    for is_text, indices in ((False, draft.stations), (True, draft.texts)):
        for identifier, index in indices.items():
            across = _center(problem, draft.blocks[index], draft.corners[index])[1]
            ranks[is_text, draft.ranks[index]].append((across, identifier))
    upper = {}
    for lanes in ranks.values():
        for lane, (_, identifier) in enumerate(sorted(lanes)):
            upper[identifier] = lane < (len(lanes) + 1) // 2
    return upper


def _spread(problem: Problem, draft: _Draft) -> _Draft:
    """The draft with its ranks far enough apart that no wire is too steep."""
    flow, spacing = Orientation(problem.horizontal), problem.spacing
    lengths: dict[int, float] = defaultdict(float)
    for block, rank in zip(draft.blocks, draft.ranks, strict=True):
        lengths[rank] = max(lengths[rank], flow.turned((block.width, block.height))[0])
    swings: dict[int, float] = defaultdict(float)
    drawn = [way for route, way in draft.ways.items() if not route.startswith(TIE)]
    for way in drawn:
        for source, target in pairwise(way):
            swing = abs(_port(draft, source, flow) - _port(draft, target, flow))
            swings[draft.ranks[source]] = max(swings[draft.ranks[source]], swing)
    middles, end = {}, 0.0
    share, most = spacing.slope
    for rank in sorted(lengths):
        middles[rank] = end + lengths[rank] / 2
        end += lengths[rank] + min(max(spacing.rank, share * swings[rank]), most)
    corners = []
    for block, rank, corner in zip(draft.blocks, draft.ranks, draft.corners, strict=True):
        along = middles[rank] - flow.turned((block.width, block.height))[0] / 2
        corners.append(flow.turned((along, flow.turned(corner)[1])))
    return _Draft(draft.blocks, draft.stations, draft.ways, draft.texts, corners, draft.ranks)


def _port(draft: _Draft, index: int, flow: Orientation) -> float:
    """The position, across the flow, where wires meet a block."""
    bands = draft.blocks[index].bands
    return flow.turned(draft.corners[index])[1] + bands[0] + bands[1] / 2


# ---- rows -------------------------------------------------------------------------------------------------


def _parted(
    problem: Problem, stations: dict[str, HostBlock], draft: _Draft, upper: dict[str, bool]
) -> tuple[_Draft, list[TextRow]]:
    """The draft with two ranks of stops at each break between rows, and the extents of these ranks along the flow.

    The draft unchanged and an empty list if it cannot be split into rows.
    """
    extents = _extents(problem, draft)
    hosts = [draft.ranks[index] for index in draft.stations.values()]
    ends = [(draft.ranks[way[0]], draft.ranks[way[-1]]) for way in draft.ways.values()]
    cuts = best_cuts([extents[rank] for rank in sorted(extents)], hosts, ends, problem.spacing.rows)
    if not cuts:
        return draft, []
    ranks = [rank + 2 * sum(rank > cut for cut in cuts) for rank in draft.ranks]
    wanted = [cut + 1 + 2 * number for number, cut in enumerate(cuts)]
    parted = _spread(problem, _run(problem, stations, replace(draft, ranks=ranks), upper, ended=wanted))
    if [parted.ranks[host] for host in range(len(hosts))] != [ranks[host] for host in range(len(hosts))]:
        return draft, []  # unconnected parts have moved to other ranks
    extents = _extents(problem, parted)
    return parted, [(extents[line], extents[line + 1]) for line in wanted]


# ---- the result -------------------------------------------------------------------------------------------


def _placement(
    problem: Problem, stations: dict[str, HostBlock], draft: _Draft, upper: dict[str, bool]
) -> Placement:
    boxes = {}
    for host, station in stations.items():
        x, y = draft.corners[draft.stations[host]]
        for identifier, (dx, dy) in station.corners.items():
            boxes[identifier] = Rectangle(x + dx, y + dy, *problem.sizes[identifier])
    routes = {route.id: route for route in problem.routes}
    rooms = {
        wire: _label_rooms(problem, draft, index, upper[wire] or routes[wire].below[0] > 0)
        for wire, index in draft.texts.items()
    }
    extents = _extents(problem, draft)
    obstacle_map = _obstacle_map(problem, draft, boxes, rooms)
    wires = {}
    shifts = _shifts(problem, draft, obstacle_map.flow)
    for route in problem.routes:
        stops = [_stop(draft, index, extents, obstacle_map.flow) for index in draft.ways[route.id]]
        shift = shifts.get(route.id, 0.0)
        stops[-1] = replace(stops[-1], across=stops[-1].across + shift)
        radius = min(problem.sizes[route.target]) / 2 if problem.shapes.get(route.target) in _ROUND else 0.0
        inset = radius - math.sqrt(radius**2 - shift**2) if radius else 0.0
        ends, own = (boxes[route.source], boxes[route.target]), (route.source, route.target)
        wires[route.id] = make_wire(stops, ends, own, obstacle_map, inset)
    labels = {wire: label for wire, (label, _) in rooms.items()}
    return Placement(boxes, wires, labels, {wire: below for wire, (_, below) in rooms.items()})


def _shifts(problem: Problem, draft: _Draft, flow: Orientation) -> dict[str, float]:
    """Wire → distance of its end from the middle of its target, if several wires enter a gate or a box."""
    arriving: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for route in problem.routes:
        if problem.shapes.get(route.target) in _SPREADING:
            last = draft.ways[route.id][-2]
            arriving[route.target].append((_port(draft, last, flow), route.id))
    shifts = {}
    level = {route.id for route in problem.routes if route.level}
    for target, wires in arriving.items():
        side = flow.turned(problem.sizes[target])[1]
        step = min(_PORT_GAP, _PORT_SHARE * side / len(wires))
        ordered = [wire for _, wire in sorted(wires)]
        middle = next((at for at, wire in enumerate(ordered) if wire in level), (len(ordered) - 1) / 2)
        reach = max(middle, len(ordered) - 1 - middle)
        step = min(step, _PORT_SHARE * side / 2 / reach) if reach else step
        for position, wire in enumerate(ordered):
            shifts[wire] = (position - middle) * step
    return shifts


_Rooms = dict[str, tuple[Rectangle, Rectangle]]
"""Wire → the areas of its label and of the text below it; one of them may have size zero."""


def _obstacle_map(problem: Problem, draft: _Draft, boxes: dict[str, Rectangle], rooms: _Rooms) -> ObstacleMap:
    """All boxes and texts by rank."""
    areas: dict[int, list[tuple[str, Rectangle]]] = defaultdict(list)
    for identifier, area in boxes.items():
        rank = draft.ranks[draft.stations[problem.hanging.get(identifier, identifier)]]
        areas[rank].append((identifier, area.grown(CLEARANCE)))
    for wire, areas_of_texts in rooms.items():
        areas[draft.ranks[draft.texts[wire]]] += [("", area) for area in areas_of_texts]
    return ObstacleMap(Orientation(problem.horizontal), areas)


def _extents(problem: Problem, draft: _Draft) -> dict[int, tuple[float, float]]:
    """Rank → its start and end along the flow."""
    flow = Orientation(problem.horizontal)
    extents: dict[int, tuple[float, float]] = {}
    for block, rank, corner in zip(draft.blocks, draft.ranks, draft.corners, strict=True):
        start = flow.turned(corner)[0]
        end = start + flow.turned((block.width, block.height))[0]
        low, high = extents.get(rank, (start, end))
        extents[rank] = (min(low, start), max(high, end))
    return extents


def _stop(draft: _Draft, index: int, extents: dict[int, tuple[float, float]], flow: Orientation) -> RouteStop:
    start = flow.turned(draft.corners[index])[0]
    block = draft.blocks[index]
    end = start + flow.turned((block.width, block.height))[0]
    rank = draft.ranks[index]
    return RouteStop(_port(draft, index, flow), (start, end), rank, extents[rank])


def _label_rooms(problem: Problem, draft: _Draft, index: int, upper: bool) -> tuple[Rectangle, Rectangle]:
    """The areas of a wire's label and of the text below it. upper: whether the label comes before the port."""
    block, (x, y) = draft.blocks[index], draft.corners[index]
    before, wire, behind = block.bands
    flow = Orientation(problem.horizontal)
    along, across = flow.turned((x, y))
    length = flow.turned((block.width, block.height))[0]

    def room(start: float, extent: float) -> Rectangle:
        return Rectangle(*flow.turned((along, start)), *flow.turned((length, extent)))

    first, second = room(across, before), room(across + before + wire, behind)
    return (first, second) if upper else (second, first)


def _mirrored(placement: Placement, horizontal: bool) -> Placement:
    """The placement mirrored along the flow."""

    def area(item: Rectangle) -> Rectangle:
        x, y = (-item.right, item.y) if horizontal else (item.x, -item.bottom)
        return Rectangle(x, y, item.width, item.height)

    def spline(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple([(-x, y) if horizontal else (x, -y) for x, y in points])

    return placement.mapped(area, spline)
