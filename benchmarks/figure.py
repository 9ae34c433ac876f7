"""Time over Nodes, both logarithmic, as a Scene."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from inspector.scene import Panel, Scene
from inspector.scene.scene import Box, Point, Rectangle, TextRun, Wire

SERIES = {
    "bare walk": ("line", "bare walk"),
    "walk and snapshot": ("value", "walk and snapshot"),
    "networkx": ("ink", "networkx"),
    "fold": ("gradient", "fold"),
    "full": ("error", "full SVG"),
    "torchviz": ("gradient", "torchviz make_dot"),
    "torchviz pipe": ("error", "dot on it"),
    "torchlens": ("value", "torchlens"),
    "torchview": ("ink", "torchview"),
}
"""Stage → its ink and what it is called. Ours are discs, peers are rings."""
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 900.0, 560.0, 90.0, 60.0, 210.0, 70.0
_RADIUS = 4.0


def draw_times(measured: dict[str, dict[str, Any]]) -> Scene:
    """A dot for each case and stage. measured: what every case said."""
    found = {
        stage: sorted(
            (case["nodes"], case[stage]) for case in measured.values() if isinstance(case.get(stage), float)
        )
        for stage in SERIES
    }
    points = [point for series in found.values() for point in series if point[1] > 0]
    x_ends, y_ends = _ends([x for x, _ in points]), _ends([y for _, y in points])
    boxes, wires = list[Box](), list[Wire]()
    wires += _grid(x_ends, y_ends, boxes)
    for row, (stage, (ink, label)) in enumerate(SERIES.items()):
        for number, (nodes, seconds) in enumerate(found[stage]):
            if seconds > 0:
                x, y = _place(nodes, x_ends, True), _place(seconds, y_ends, False)
                area = Rectangle(x - _RADIUS, y - _RADIUS, 2 * _RADIUS, 2 * _RADIUS)
                boxes.append(_mark(f"{stage}.{number}", area, stage, ink))
        y = _TOP + 24 * row
        sample = Rectangle(_WIDTH - _RIGHT + 24, y - _RADIUS, 2 * _RADIUS, 2 * _RADIUS)
        boxes.append(_mark(f"{stage}.key", sample, stage, ink))
        boxes.append(_text(f"{stage}.name", (_WIDTH - _RIGHT + 42, y + 5), label, "start"))
    boxes.append(_text("x", (_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, _HEIGHT - 18), "Nodes", "middle"))
    boxes.append(_text("y", (_LEFT, 30), "seconds of CPU", "middle"))
    area = Rectangle(0.0, 0.0, _WIDTH, _HEIGHT)
    title = "Time over Nodes"
    return Scene(_WIDTH, _HEIGHT, (Panel("times", area, tuple(boxes), tuple(wires)),), title, title)


def _mark(identifier: str, area: Rectangle, stage: str, ink: str) -> Box:
    return Box(identifier, area, "circle", ink, "ground" if stage.startswith("torch") else ink)


_Ends = tuple[int, int]


def _ends(values: list[float]) -> _Ends:
    """The powers of ten around some values."""
    if not values:
        return 0, 1
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def _place(value: float, ends: _Ends, horizontal: bool) -> float:
    share = (math.log10(value) - ends[0]) / max(1, ends[1] - ends[0])
    if horizontal:
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _grid(x_ends: _Ends, y_ends: _Ends, boxes: list[Box]) -> Iterator[Wire]:
    """A thin line at every power of ten; their numbers go into `boxes`."""
    for power in range(x_ends[0], x_ends[1] + 1):
        x = _place(10.0**power, x_ends, True)
        yield _line(f"x.{power}", (x, _TOP), (x, _HEIGHT - _BOTTOM))
        boxes.append(_text(f"x.{power}.n", (x, _HEIGHT - _BOTTOM + 22), f"{10**power:,}", "middle"))
    for power in range(y_ends[0], y_ends[1] + 1):
        y = _place(10.0**power, y_ends, False)
        yield _line(f"y.{power}", (_LEFT, y), (_WIDTH - _RIGHT, y))
        boxes.append(_text(f"y.{power}.n", (_LEFT - 10, y + 5), _plain(power), "end"))


def _plain(power: int) -> str:
    """A power of ten without an exponent."""
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:.{-power}f}"


def _line(identifier: str, start: Point, end: Point) -> Wire:
    return Wire(identifier, identifier, identifier, (start, start, end, end), "header", arrow=False)


def _text(identifier: str, at: Point, text: str, anchor: Any) -> Box:
    run = TextRun(*at, text, 14.0, ink="ink", anchor=anchor)
    return Box(identifier, Rectangle(*at, 0.0, 0.0), "plain", texts=(run,))
