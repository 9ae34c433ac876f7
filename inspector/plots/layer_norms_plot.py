"""Gradient norms by layer as a Scene: one bar per layer on a logarithmic axis, from the root to the leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from inspector.figure import Figure
from inspector.graph import Graph
from inspector.graph.layer_norms import LayerNorm, layers_of, together
from inspector.plots.spline_line import spline_through
from inspector.scene.scene import Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.styles.plan import MAIN_SIZE, SMALL_SIZE, TITLE_SIZE
from inspector.typography import cap_height, format_number, shorten_name, width

MOST_ROWS = 60
"""Maximum number of rows; more layers are grouped by module."""

_MARGIN, _GAP = 24.0, 12.0
_TITLE_HEIGHT, _ROW, _BAR = 48.0, 26.0, 12.0
_AXIS_WIDTH, _NAME_WIDTH, _NUMBER_WIDTH = 420.0, 320.0, 100.0
_TICK, _TICKS_HEIGHT = 5.0, 34.0
_MOST_TICKS = 7
_LEAST_BAR = 3.0
"""Points; the smallest norm has a bar as well."""


class _Axis(Struct, frozen=True):
    """A logarithmic axis: its first and last power of ten, and the x of its start."""

    low: int
    high: int
    x: float

    def place(self, size: float) -> float:
        return self.x + _AXIS_WIDTH * (math.log10(size) - self.low) / (self.high - self.low)

    @property
    def powers(self) -> range:
        return range(self.low, self.high + 1, max(1, math.ceil((self.high - self.low) / _MOST_TICKS)))


def plot_layers(graph: Graph, scale: float | None = None) -> Figure:
    """The gradient norms of a graph's layers. The figure has one panel, `norms`.

    scale: the scale of a GradScaler, which is divided out. Raises ValueError if no gradient norm is known.
    """
    layers = _few(layers_of(graph, scale))
    sizes = [layer.size for layer in layers if layer.size is not None and math.isfinite(layer.size) and layer.size]
    if not any(layer.size is not None for layer in layers):
        raise ValueError("no gradient norms: backward has not run, or its gradients were not recorded")
    low = math.floor(math.log10(min(sizes, default=1.0)))
    high = max(low + 1, math.ceil(math.log10(max(sizes, default=1.0))))
    names = [shorten_name(layer.name, _NAME_WIDTH, SMALL_SIZE) for layer in layers]
    left = max(width(name, SMALL_SIZE) for name in names)
    axis = _Axis(low, high, float(round(_MARGIN + left + _GAP)))
    top = _MARGIN + _TITLE_HEIGHT
    boxes, wires = [_title(graph)], []
    for row, (layer, name) in enumerate(zip(layers, names, strict=True)):
        box, bar = _row(layer, name, axis, Rectangle(_MARGIN, top + row * _ROW, 0.0, _ROW))
        boxes.append(box)
        wires += bar
    bottom = top + len(layers) * _ROW
    wires += _axis_lines(axis, top, bottom)
    boxes.append(_axis_texts(axis, bottom))
    right = axis.x + _AXIS_WIDTH + _GAP + _NUMBER_WIDTH + _MARGIN
    area = Rectangle(0.0, 0.0, right, bottom + _TICKS_HEIGHT + _MARGIN)
    panel = Panel("norms", area, tuple(boxes), tuple(wires))
    description = "\n".join(f"{layer.name}: {_text(layer.size)}" for layer in layers)
    scene = Scene(area.width, area.height, (panel,), _heading(graph), description)
    return Figure(scene, {"norms": scene})


def _few(layers: list[LayerNorm]) -> list[LayerNorm]:
    """At most `MOST_ROWS` layers, grouped by the beginnings of their paths if possible, in order of first
    appearance."""
    parts = max(layer.name.count(".") + 1 for layer in layers) if layers else 1
    few = layers
    while len(few) > MOST_ROWS and parts > 1:
        parts -= 1
        groups: dict[str, list[float | None]] = {}
        for layer in layers:
            groups.setdefault(".".join(layer.name.split(".")[:parts]), []).append(layer.size)
        few = [LayerNorm(name, together(sizes)) for name, sizes in groups.items()]
    return few


def _row(layer: LayerNorm, name: str, axis: _Axis, area: Rectangle) -> tuple[Box, list[Wire]]:
    """A layer's name, its bar and its norm. Without a bar (zero, NaN, no gradient) the text is at the start of the
    axis."""
    key, middle = f"norms.{layer.name}", area.y + area.height / 2
    baseline = middle + cap_height(SMALL_SIZE) / 2
    bars: list[Wire] = []
    end, ink = axis.x, "error"
    if layer.size is None:
        ink = "quiet"
    elif layer.size > 0 and math.isfinite(layer.size):
        end, ink = max(axis.place(layer.size), axis.x + _LEAST_BAR), "ink"
        bars.append(spline_through(f"{key}.bar", [(axis.x, middle), (end, middle)], "gradient", _BAR))
    texts = (
        TextRun(axis.x - _GAP, baseline, name, SMALL_SIZE, "regular", "ink", "end"),
        TextRun(end + _GAP, baseline, _text(layer.size), SMALL_SIZE, "medium", ink),
    )
    whole = Rectangle(area.x, area.y, axis.x + _AXIS_WIDTH + _GAP + _NUMBER_WIDTH - area.x, area.height)
    return Box(key, whole, "plain", texts=texts), bars


def _text(size: float | None) -> str:
    if size is None:
        return "no gradient"
    return format_number(size) if math.isfinite(size) else "NaN or Inf"


def _axis_lines(axis: _Axis, top: float, bottom: float) -> list[Wire]:
    lines: list[Sequence[tuple[float, float]]] = [
        [(axis.x, top), (axis.x, bottom)],
        [(axis.x, bottom), (axis.x + _AXIS_WIDTH, bottom)],
    ]
    places = [axis.place(10.0**power) for power in axis.powers]
    lines += [[(x, bottom), (x, bottom + _TICK)] for x in places]
    return [spline_through(f"norms.axis.{index}", points, "line", 1.6) for index, points in enumerate(lines)]


def _axis_texts(axis: _Axis, bottom: float) -> Box:
    baseline = bottom + _TICK + _GAP + cap_height(SMALL_SIZE)
    texts = [
        TextRun(
            axis.place(10.0**power), baseline, format_number(10.0**power), SMALL_SIZE, "regular", "quiet", "middle"
        )
        for power in axis.powers
    ]
    area = Rectangle(axis.x, bottom, _AXIS_WIDTH, _TICKS_HEIGHT)
    return Box("norms.ticks", area, "plain", texts=tuple(texts))


def _title(graph: Graph) -> Box:
    heading, more = _heading(graph), "from the root to the leaves"
    baseline = _MARGIN + TITLE_SIZE
    end = _MARGIN + width(heading, TITLE_SIZE, "bold") + 14
    texts = (
        TextRun(_MARGIN, baseline, heading, TITLE_SIZE, "bold"),
        TextRun(end, baseline, more, MAIN_SIZE, "regular", "quiet"),
    )
    area = Rectangle(_MARGIN, _MARGIN, end + width(more, MAIN_SIZE) - _MARGIN, _TITLE_HEIGHT - 12)
    return Box("norms.title", area, "plain", texts=texts)


def _heading(graph: Graph) -> str:
    root = graph[graph.roots[0]]["name"] if graph.roots else None
    return f"gradient norm of {root or 'root'} by layer"
