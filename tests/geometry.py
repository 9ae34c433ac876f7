"""What must hold for every Scene, checked as a program: `problems(scene)` is empty for a sound one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from math import dist

import numpy as np

from inspector.export.drawing_primitives import BADGE_RADIUS
from inspector.scene import Badge, Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.scene.scene import Point
from inspector.scene.splines import sampled
from inspector.typography import width

SMALLEST_TEXT = 14.0
TOLERANCE = 0.6
"""Points: what rounding may cost."""


def problems(scene: Scene) -> list[str]:
    """Everything that is wrong with the geometry of a Scene, one line each."""
    found = []
    canvas = Rectangle(0.0, 0.0, scene.width, scene.height)
    for panel in scene.panels:
        if not _contains(canvas, panel.area):
            found.append(f"{panel.id} reaches over the canvas")
        checks = (_clipped, _small, _text_outside, _text_collisions, _texts_on_wires, _box_overlaps,
                  _loose_ends, _wires_in_boxes, _badges_on_texts, _badges_on_badges)  # fmt: skip
        found += [f"{panel.id}: {line}" for check in checks for line in check(panel)]
    for one, other in combinations(scene.panels, 2):
        if _overlap(one.area, other.area):
            found.append(f"{one.id} and {other.id} overlap")
    return found


def skeleton(panel: Panel) -> tuple[object, ...]:
    """What may not differ between the moments of a figure: places, not texts or inks, of what both show."""
    x, y = panel.area.x, panel.area.y
    boxes = {
        box.id: (*(round(length, 3) for length in (box.area.x - x, box.area.y - y)), box.area.width,
                 box.area.height, box.shape)
        for box in panel.boxes
        if box.shape != "plain"
    }  # fmt: skip
    wires = {
        wire.id: tuple((round(px - x, 3), round(py - y, 3)) for px, py in wire.points) for wire in panel.wires
    }
    return (panel.area.width, panel.area.height, boxes, wires)


def text_area(text: TextRun) -> Rectangle:
    """The room that a text covers, from its highest letters to its lowest."""
    length = width(text.text, text.size, text.face)
    start = {"start": text.x, "middle": text.x - length / 2, "end": text.x - length}[text.anchor]
    return Rectangle(start, text.y - 0.76 * text.size, length, 0.98 * text.size)


def texts(panel: Panel) -> Iterator[tuple[str, TextRun]]:
    """(id of the box or wire, text) of all texts but the numbers of badges."""
    for part in (*panel.boxes, *panel.wires):
        for text in part.texts:
            yield part.id, text


def _contains(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer.x - TOLERANCE <= inner.x
        and outer.y - TOLERANCE <= inner.y
        and inner.right <= outer.right + TOLERANCE
        and inner.bottom <= outer.bottom + TOLERANCE
    )


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x + TOLERANCE < other.right
        and other.x + TOLERANCE < one.right
        and one.y + TOLERANCE < other.bottom
        and other.y + TOLERANCE < one.bottom
    )


def _inside(point: Point, area: Rectangle) -> bool:
    return (
        area.x + TOLERANCE < point[0] < area.right - TOLERANCE
        and area.y + TOLERANCE < point[1] < area.bottom - TOLERANCE
    )


def _bounds(areas: Sequence[Rectangle]) -> np.ndarray:
    """Left, top, right and bottom of each area."""
    return np.array([(area.x, area.y, area.right, area.bottom) for area in areas]).reshape(-1, 4)


def _met(points: Iterable[Point], areas: np.ndarray) -> list[int]:
    """The areas that one of these points lies in, by position: thousands of both are too many for Python."""
    x, y = np.array(list(points)).reshape(-1, 2, 1).transpose(1, 0, 2)
    left, top, right, bottom = areas.T
    inside = (left + TOLERANCE < x) & (x < right - TOLERANCE) & (top + TOLERANCE < y) & (y < bottom - TOLERANCE)
    found: list[int] = inside.any(0).nonzero()[0].tolist()
    return found


def _overlapping(areas: Sequence[Rectangle]) -> Iterator[tuple[int, int]]:
    """The pairs of areas that overlap, by position."""
    left, top, right, bottom = _bounds(areas).T
    for at in range(len(areas) - 1):
        rest = slice(at + 1, None)
        is_beside = (left[at] + TOLERANCE < right[rest]) & (left[rest] + TOLERANCE < right[at])
        is_level = (top[at] + TOLERANCE < bottom[rest]) & (top[rest] + TOLERANCE < bottom[at])
        yield from ((at, at + 1 + int(other)) for other in (is_beside & is_level).nonzero()[0])


def _within(point: Point, box: Box) -> bool:
    """Whether a point lies inside of a box, its border not counted; a circle is round."""
    if box.shape == "circle":
        return dist(point, box.area.center) < box.area.width / 2 - TOLERANCE
    return _inside(point, box.area)


def _on_border(point: Point, box: Box) -> bool:
    if box.shape == "circle":
        return abs(dist(point, box.area.center) - box.area.width / 2) <= TOLERANCE
    return _contains(box.area, Rectangle(*point, 0.0, 0.0)) and not _inside(point, box.area)


def _badge_area(badge: Badge) -> Rectangle:
    return Rectangle(badge.x - BADGE_RADIUS, badge.y - BADGE_RADIUS, 2 * BADGE_RADIUS, 2 * BADGE_RADIUS)


def _is_legend(wire: Wire) -> bool:
    return wire.source == wire.target == "legend"


def _clipped(panel: Panel) -> Iterator[str]:
    for box in panel.boxes:
        if not _contains(panel.area, box.area):
            yield f"box {box.id} is clipped"
    for identifier, text in texts(panel):
        if not _contains(panel.area, text_area(text)):
            yield f"text {text.text!r} of {identifier} is clipped"
    for wire in panel.wires:
        if not all(_contains(panel.area, Rectangle(x, y, 0.0, 0.0)) for x, y in sampled(wire.points)):
            yield f"wire {wire.id} is clipped"
    for badge in panel.badges:
        if not _contains(panel.area, _badge_area(badge)):
            yield f"badge {badge.id} is clipped"


def _small(panel: Panel) -> Iterator[str]:
    for identifier, text in texts(panel):
        if text.size < SMALLEST_TEXT:
            yield f"text {text.text!r} of {identifier} is set in {text.size}"


def _text_outside(panel: Panel) -> Iterator[str]:
    for box in panel.boxes:
        for text in box.texts:
            if not _contains(box.area, text_area(text)):
                yield f"text {text.text!r} reaches out of {box.id}"


def _text_collisions(panel: Panel) -> Iterator[str]:
    found = [text for _, text in texts(panel)]
    for first, second in _overlapping([text_area(text) for text in found]):
        yield f"text {found[first].text!r} lies over {found[second].text!r}"


def _texts_on_wires(panel: Panel) -> Iterator[str]:
    found = [(text.text, text_area(text)) for _, text in texts(panel)]
    areas = _bounds([area for _, area in found])
    for wire in panel.wires:
        for at in _met(sampled(wire.points, 32), areas):
            if any(_inside(point, found[at][1]) for point in sampled(wire.points, 32)):
                yield f"wire {wire.id} runs through text {found[at][0]!r}"


def _box_overlaps(panel: Panel) -> Iterator[str]:
    for first, second in _overlapping([box.area for box in panel.boxes]):
        yield f"boxes {panel.boxes[first].id} and {panel.boxes[second].id} overlap"


def _loose_ends(panel: Panel) -> Iterator[str]:
    boxes = {box.id: box for box in panel.boxes}
    for wire in panel.wires:
        if _is_legend(wire):
            continue
        for end, identifier in ((wire.points[0], wire.source), (wire.points[-1], wire.target)):
            box = boxes.get(identifier)
            if box is None:
                yield f"wire {wire.id} hangs on {identifier}, which is not drawn"
            elif not _on_border(end, box):
                yield f"wire {wire.id} does not end on the border of {identifier}"


def _wires_in_boxes(panel: Panel) -> Iterator[str]:
    areas = _bounds([box.area for box in panel.boxes])
    for wire in panel.wires:
        if _is_legend(wire):
            continue
        for at in _met(sampled(wire.points, 32), areas):
            box = panel.boxes[at]
            if any(_within(point, box) for point in sampled(wire.points, 32)):
                yield f"wire {wire.id} runs through box {box.id}"


def _badges_on_texts(panel: Panel) -> Iterator[str]:
    for badge in panel.badges:
        for identifier, text in texts(panel):
            if _overlap(_badge_area(badge), text_area(text)):
                yield f"badge {badge.id} lies over text {text.text!r} of {identifier}"


def _badges_on_badges(panel: Panel) -> Iterator[str]:
    for one, other in combinations(panel.badges, 2):
        if dist((one.x, one.y), (other.x, other.y)) < 2 * BADGE_RADIUS - TOLERANCE:
            yield f"badge {one.id} lies over badge {other.id}"
