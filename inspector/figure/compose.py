"""Compose panels: a plan's boxes and wires at their positions, the title above, the legend in a free corner."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure import code_listing, footer, heading, legend
from inspector.figure.badge_places import badge_places, usual_place
from inspector.figure.box_shapes import build_box, centered
from inspector.figure.grounds import grounds_of
from inspector.figure.layout_problem import is_link
from inspector.figure.link_ends import link_ends
from inspector.layout.problem import Placement, Problem, Size
from inspector.scene.scene import Badge, Box, Panel, Point, Rectangle, TextRun, WeightedWire, Wire
from inspector.scene.splines import straight
from inspector.scene.transform import bounds, points_bounds
from inspector.styles.plan import DrawnTensor, Plan, PlannedBox, PlannedWeightedWire, PlannedWire, StyledText

MARGIN = 24.0
_COLUMN_GAP = 30.0
"""Distance between a column with title and legend, and the graph beside it."""
_WIDEST_WITH_CODE = 1000.0
"""Maximum width of graph and code side by side, in points; otherwise the code is below the graph."""
_BADGE_REACH = 12.0


class _SheetParts(Struct, frozen=True):
    """The parts shared by all panels: positions, areas of title, legend and code, and the size."""

    plans: Sequence[Plan]
    problem: Problem
    placement: Placement
    heading: Rectangle
    legend: legend.LegendPlace
    listing: Rectangle
    footer: Rectangle
    area: Rectangle


class Composed(Struct, frozen=True):
    """Panels of one size and geometry, each with its top left corner at (0, 0), before they are drawn."""

    sheet: _SheetParts

    @property
    def size(self) -> Size:
        return self.sheet.area.width, self.sheet.area.height

    @property
    def smallest(self) -> float:
        """The size of the smallest text, or 0."""
        return smallest_text(self.sheet.plans)

    def panels(self) -> list[Panel]:
        """One panel per plan."""
        sheet = self.sheet
        badges = badge_places(sheet.plans, sheet.placement, sheet.problem)
        return [_panel(plan, sheet, badges) for plan in sheet.plans]


def compose(
    plans: Sequence[Plan], placement: Placement, problem: Problem, frame: Size | None = None
) -> Composed:
    """The panels of plans with a common geometry.

    plans: the fitted plans whose `problem` is solved by `placement`. frame: the size of a panel to fill; title and
    legend are placed beside a narrow graph.
    """
    beside = _sheet_with_column(plans, placement, problem, frame) if frame else None
    return Composed(beside or _sheet(plans, placement, problem, frame[0] - 2 * MARGIN if frame else 0.0))


def smallest_text(plans: Sequence[Plan]) -> float:
    """The size of the smallest text of some plans, or 0."""
    return min((size for plan in plans for size in _text_sizes(plan)), default=0.0)


def _text_sizes(plan: Plan) -> Iterator[float]:
    for box in plan.boxes:
        yield from (words.size for words in box.texts)
        for row in box.rows:
            yield from (words.size for words in row.lines)
            if row.key:
                yield row.key_size
    for wire in plan.wires:
        yield from (words.size for words in (*wire.label, *wire.below))
    yield from (words.size for words in (*plan.title, *plan.notes))
    yield from (entry.size for entry in plan.legend)
    yield from (line.size for line in plan.listing)


# ---- the sheet --------------------------------------------------------------------------------------------


def _sheet(plans: Sequence[Plan], placement: Placement, problem: Problem, widest: float) -> _SheetParts:
    """The title above the graph, the legend in a corner or below, at most `widest` points wide."""
    obstacles = list(_obstacles(plans, placement, problem))
    around = bounds(obstacles)
    code = code_listing.size(plans)
    beside = code[0] > 0 and around.width + code[0] <= _WIDEST_WITH_CODE
    below = code[1] + code_listing.GAP if code[0] and not beside else 0.0
    aside = code[0] + code_listing.GAP if beside else 0.0
    room_for_title = max(around.width + aside, heading.LEAST_ROOM)
    title = heading.size(plans, room_for_title)
    width = max(around.width, title[0] - aside, 0.0 if beside else code[0])
    below_graph = footer.size(plans, max(width, widest))
    width = max(width, below_graph[0])
    content = Rectangle(MARGIN, MARGIN + title[1], width, max(around.height, code[1] if beside else 0.0))
    dx = content.x + (width - around.width) / 2 - around.x
    dy = content.y + (content.height - around.height) / 2 - around.y
    placement, obstacles = placement.moved(dx, dy), [area.moved(dx, dy) for area in obstacles]
    legend_room = legend.find_room(plans, content, obstacles, widest)
    bottom = max(content.bottom, legend_room.area.bottom)
    footer_area = Rectangle(content.x, bottom + footer.GAP, *below_graph)
    bottom = footer_area.bottom if below_graph[1] else bottom
    corner = (content.right + code_listing.GAP, content.y) if beside else (content.x, bottom + code_listing.GAP)
    right = max(content.right + aside, legend_room.area.right) + MARGIN
    area = Rectangle(0.0, 0.0, float(round(right)), float(round(bottom + below + MARGIN)))
    title_area = Rectangle(MARGIN, MARGIN, room_for_title, title[1])
    listing = Rectangle(*corner, *code)
    return _SheetParts(plans, problem, placement, title_area, legend_room, listing, footer_area, area)


def _sheet_with_column(
    plans: Sequence[Plan], placement: Placement, problem: Problem, frame: Size
) -> _SheetParts | None:
    """Title and legend in a column left of the graph; None if there is no room for one."""
    around = bounds(_obstacles(plans, placement, problem))
    room = frame[0] - 2 * MARGIN - around.width - _COLUMN_GAP
    found = legend.find_column(plans, room)
    has_more = code_listing.size(plans)[0] or any(map(footer.lines_of, plans))
    if found is None or has_more or not heading.is_whole(plans, room):
        return None
    title = heading.size(plans, room)
    height = max(around.height, title[1] + found.area.height)
    column = max(title[0], found.area.width)
    left = MARGIN + column + _COLUMN_GAP
    top = MARGIN + (height - around.height) / 2
    area = Rectangle(0.0, 0.0, float(round(left + around.width + MARGIN)), float(round(height + 2 * MARGIN)))
    return _SheetParts(
        plans,
        problem,
        placement.moved(left - around.x, top - around.y),
        Rectangle(MARGIN, MARGIN, room, title[1]),
        replace(found, area=found.area.moved(MARGIN, MARGIN + height - found.area.height)),
        Rectangle(0.0, 0.0, 0.0, 0.0),
        Rectangle(0.0, 0.0, 0.0, 0.0),
        area,
    )


def _obstacles(plans: Sequence[Plan], placement: Placement, problem: Problem) -> Iterator[Rectangle]:
    """The areas of boxes, badges, texts of wires, and the segments of wires."""
    badged = {box.id: box for plan in plans for box in plan.boxes if box.badge}
    yield from (ground.area for plan in plans[-1:] for ground in grounds_of(plan, placement, problem))
    found = badge_places(plans, placement, problem)
    for identifier, area in placement.boxes.items():
        yield area
        if identifier in badged:
            x, y = found.get(identifier) or usual_place(badged[identifier], area, problem.horizontal)
            yield Rectangle(x - _BADGE_REACH, y - _BADGE_REACH, 2 * _BADGE_REACH, 2 * _BADGE_REACH)
    yield from (room for room in (*placement.labels.values(), *placement.below.values()) if room.width)
    for points in placement.wires.values():
        for start in range(0, len(points) - 1, 3):
            yield points_bounds(points[start : start + 4])


# ---- one panel --------------------------------------------------------------------------------------------


def _panel(plan: Plan, sheet: _SheetParts, badges: Mapping[str, Point]) -> Panel:
    """badges: the places of those that do not stand at the usual corner."""
    places = sheet.placement.boxes
    boxes = [build_box(box, places[box.id]) for box in plan.boxes]
    connected = [wire for wire in plan.wires if not is_link(wire, sheet.problem.hanging)]
    boxes += [box for wire in connected for box in _grids(wire, sheet)]
    wires = [
        _link(wire, sheet) if is_link(wire, sheet.problem.hanging) else _wire(wire, sheet) for wire in plan.wires
    ]
    own = [
        _badge(box, places[box.id], sheet.problem.horizontal, badges.get(box.id))
        for box in plan.boxes
        if box.badge
    ]
    legend_box, legend_wires, legend_badges = legend.draw(plan, sheet.legend)
    around = [*heading.draw(plan, sheet.heading), legend_box]
    code_badges: tuple[Badge, ...] = ()
    if plan.listing:
        code_box, code_badges = code_listing.draw(plan, sheet.plans, sheet.listing)
        around.append(code_box)
    if footer.lines_of(plan):
        around.append(footer.draw(plan, sheet.footer, sheet.footer.width))
    return Panel(
        plan.moment,
        sheet.area,
        (*boxes, *(box for box in around if box.texts)),
        (*wires, *legend_wires),
        (*own, *legend_badges, *code_badges),
        grounds_of(plan, sheet.placement, sheet.problem),
    )


def _wire(wire: PlannedWire, sheet: _SheetParts) -> Wire:
    texts: list[TextRun] = []
    for _, lines, room in _rooms(wire, sheet):
        texts += centered(lines, room)[1] if not _has_grid(lines) else []
    points = sheet.placement.wires[wire.id]
    return _headed(wire, points[::-1] if sheet.problem.flipped else points, tuple(texts))


def _rooms(wire: PlannedWire, sheet: _SheetParts) -> Iterator[tuple[str, tuple[StyledText, ...], Rectangle]]:
    """The texts of a wire, each with a name and its area."""
    if wire.label:
        yield "label", wire.label, sheet.placement.labels[wire.id]
    if wire.below:
        yield "below", wire.below, sheet.placement.below[wire.id]


def _has_grid(lines: tuple[StyledText, ...]) -> bool:
    return any(isinstance(words, DrawnTensor) for words in lines)


def _grids(wire: PlannedWire, sheet: _SheetParts) -> Iterator[Box]:
    """The texts of a wire that hold grids: plain boxes, since a wire has texts only."""
    for name, lines, room in _rooms(wire, sheet):
        if _has_grid(lines):
            bands, texts = centered(lines, room)
            yield Box(f"{wire.id}.{name}", room, "plain", bands=tuple(bands), texts=tuple(texts))


def _headed(wire: PlannedWire, points: tuple[Point, ...], texts: tuple[TextRun, ...] = ()) -> Wire:
    """A wire of the Scene, whose arrowhead is at its end: a wire with its head at the source is reversed.

    points: from its source to its target.
    """
    source, target = wire.source, wire.target
    if wire.head == "source":
        source, target, points = target, source, points[::-1]
    look = wire.ink, wire.dashed, wire.head != "none"
    if isinstance(wire, PlannedWeightedWire):
        return WeightedWire(wire.id, source, target, points, *look, texts, wire.width)
    return Wire(wire.id, source, target, points, *look, texts)


def _link(wire: PlannedWire, sheet: _SheetParts) -> Wire:
    """A straight line between an attached box and its host, from the middle of the attached box's near side."""
    hangs_first = sheet.problem.hanging.get(wire.source) == wire.target
    hung = sheet.placement.boxes[wire.source if hangs_first else wire.target]
    host = sheet.placement.boxes[wire.target if hangs_first else wire.source]
    start, end = link_ends(hung, host, sheet.problem.horizontal)
    if not hangs_first:
        start, end = end, start
    return _headed(wire, straight(start, end))


def _badge(box: PlannedBox, area: Rectangle, horizontal: bool, center: Point | None) -> Badge:
    """The badge of a box. center: its place, if not the usual corner."""
    ink = "faded" if box.ink == "faded" else "gradient"
    if center is None:
        return Badge(f"{box.id}.step", *usual_place(box, area, horizontal), box.badge, ink)
    dx, dy = center[0] - area.center[0], center[1] - area.center[1]
    lean = (0.0 if abs(dx) < 1.0 else math.copysign(1.0, dx)), math.copysign(1.0, dy)
    return Badge(f"{box.id}.step", *center, box.badge, ink, lean)

