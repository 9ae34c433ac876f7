"""A plot as a Scene: curve, tangent and point on axes with few ticks, in the style of the graph's figure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure import Figure
from inspector.graph import Graph
from inspector.graph.tensor_names import numbered_name
from inspector.graph.values import is_number
from inspector.plots.axis_ticks import axis_ticks
from inspector.plots.label_placement import Label, place_label
from inspector.plots.leaf_curves import Slice, slices
from inspector.plots.sampled_curve import AxisWindow, clip_line
from inspector.plots.spline_line import spline_through
from inspector.scene.scene import Box, Panel, Point, Rectangle, Scene, TextRun, Wire
from inspector.styles.plan import MAIN_SIZE, SMALL_SIZE, TITLE_SIZE
from inspector.typography import cap_height, format_number, shorten, width
from inspector.typography.formula_format import format_formula

_MARGIN = 24.0
_ALONE, _TOGETHER = (520.0, 320.0), (356.0, 280.0)
_TITLE_HEIGHT = 40.0
_TICKS_HEIGHT = 32.0
_TICK, _TICK_GAP = 5.0, 10.0
_GAP = 20.0
_POINT = 13.0
_CURVE, _TANGENT, _AXIS = 2.8, 2.4, 1.6
_TANGENT_REACH = 0.3
"""Half-length of the tangent, as a share of the window's width."""
_GUIDE = 0.55
"""Maximum length of a dashed line to an axis, as a share of the area."""
_LONGEST_NAME = 16


class _AxesFrame(Struct, frozen=True):
    """The area of the axes, and the part of the plane that it shows."""

    area: Rectangle
    window: AxisWindow

    def point(self, place: Point) -> Point:
        """A point of the plane in canvas coordinates."""
        x = self.area.x + (place[0] - self.window.left) / self.window.width * self.area.width
        y = self.area.bottom - (place[1] - self.window.low) / self.window.height * self.area.height
        return x, y


def plot_graph(graph: Graph, leaves: Sequence[str] | None = None) -> Figure:
    """The root of a graph along its scalar leaves, all others fixed, with the tangent at the point.

    leaves: ids of the leaves; None for all, up to four. The figure has one panel, `plot`. Raises NotEvaluable,
    with the reason in one line, if no curve can be drawn from what was recorded.
    """
    found, remarks = slices(graph, leaves)
    size = _ALONE if len(found) == 1 else _TOGETHER
    left = max(_left(item) for item in found)
    beside = max(_right(graph, item) for item in found)
    boxes: list[Box] = []
    wires: list[Wire] = []
    right = bottom = 0.0
    for index, item in enumerate(found):
        x = _MARGIN + left + (index % 2) * (size[0] + beside + _GAP + left)
        y = _MARGIN + _TITLE_HEIGHT + (index // 2) * (size[1] + _TITLE_HEIGHT + _TICKS_HEIGHT + _GAP)
        frame = _AxesFrame(Rectangle(x, y, *size), item.curve.window)
        drawn = _slice(graph, found, item, frame)
        boxes += drawn.boxes
        wires += drawn.wires
        right = max(right, frame.area.right + beside)
        bottom = max(bottom, frame.area.bottom + _TICKS_HEIGHT)
    area = Rectangle(0.0, 0.0, float(round(right + _MARGIN)), float(round(bottom + _MARGIN)))
    title = f"{_root(graph)} along {', '.join(_name(graph, item.leaf) for item in found)}"
    panel = Panel("plot", area, tuple(boxes), tuple(wires))
    description = "\n".join(_description(graph, item) for item in found)
    scene = Scene(area.width, area.height, (panel,), title, description)
    return Figure(scene, {"plot": scene}, tuple(remarks))


# ---- one slice --------------------------------------------------------------------------------------------


def _slice(graph: Graph, all_slices: Sequence[Slice], item: Slice, frame: _AxesFrame) -> Panel:
    """The boxes and wires of one slice, as a panel."""
    key = f"plot.{item.leaf}"
    curves = [tuple(map(frame.point, line)) for line in item.curve.lines]
    tangent = tuple(map(frame.point, _tangent(item)))
    here = frame.point((item.at, item.height))
    guides = _guides(key, here, frame)
    wires = [
        *guides,
        *_axes(key, frame),
        *(spline_through(f"{key}.curve", line, "value", _CURVE) for line in curves),
    ]
    if tangent:
        wires.append(spline_through(f"{key}.tangent", tangent, "gradient", _TANGENT))
    dot = Rectangle(here[0] - _POINT / 2, here[1] - _POINT / 2, _POINT, _POINT)
    lines = [*curves, tangent, *((wire.points[0], wire.points[-1]) for wire in guides)]
    label = place_label(_label(graph, item), here, frame.area, lines)
    boxes = [
        _title(graph, all_slices, item, frame, key),
        _axis_texts(graph, item, frame, key),
        Box(f"{key}.slope", label.area, "plain", texts=label.texts),
        Box(f"{key}.point", dot, "circle", ink="ground", fill="gradient"),
    ]
    return Panel(key, frame.area, tuple(boxes), tuple(wires))


def _tangent(item: Slice) -> tuple[Point, ...]:
    window = item.curve.window
    reach = _TANGENT_REACH * window.width
    ends = [(item.at + side * reach, item.height + side * reach * item.slope) for side in (-1, 1)]
    return clip_line(ends[0], ends[1], window) or ()


def _label(graph: Graph, item: Slice) -> Label:
    """`slope 2x = 4`, and below it the leaf's grad."""
    slope = format_number(_without_noise(item.slope))
    symbol = format_formula(item.symbol) if item.symbol and any(map(str.isalpha, item.symbol)) else ""
    if width(symbol, MAIN_SIZE) > _TOGETHER[0] / 2:
        symbol = ""
    text = f"slope {symbol} = {slope}" if symbol else f"slope {slope}"
    lines = [TextRun(0, 0, text, MAIN_SIZE, "medium", "gradient")]
    if is_number(item.grad):
        is_slope = abs(item.grad - item.slope) <= 1e-5 * max(abs(item.slope), abs(item.grad))
        added = "" if is_slope else " (accumulated)"
        text = f"{_name(graph, item.leaf)}.grad = {format_number(item.grad)}{added}"
        lines.append(TextRun(0, 0, text, SMALL_SIZE, "regular", "quiet"))
    return Label(tuple(lines))


def _title(graph: Graph, all_slices: Sequence[Slice], item: Slice, frame: _AxesFrame, key: str) -> Box:
    """`z along x`, and the values at which the other leaves are fixed: `y = 0`."""
    area = frame.area
    baseline = area.y - _TITLE_HEIGHT + TITLE_SIZE
    name = f"{_root(graph)} along {_name(graph, item.leaf)}"
    start = area.x - _left(item)
    held = ", ".join(
        f"{_name(graph, other.leaf)} = {format_number(other.at)}"
        for other in all_slices
        if other.leaf != item.leaf
    )
    texts = [TextRun(start, baseline, name, TITLE_SIZE, "bold")]
    x = start + width(name, TITLE_SIZE, "bold") + 14
    room = area.right - x
    if held and (shown := shorten(f"at {held}", room, MAIN_SIZE)):
        texts.append(TextRun(x, baseline, shown, MAIN_SIZE, "regular", "quiet"))
    bounds = Rectangle(start, area.y - _TITLE_HEIGHT, area.right - start, _TITLE_HEIGHT - 8)
    return Box(f"{key}.title", bounds, "plain", texts=tuple(texts))


# ---- axes -------------------------------------------------------------------------------------------------


def _axis_texts(graph: Graph, item: Slice, frame: _AxesFrame, key: str) -> Box:
    """Numbers at the ticks, and the leaf's name at the end of its axis."""
    area, window = frame.area, frame.window
    below = area.bottom + _TICK_GAP + cap_height(SMALL_SIZE) + 2
    texts = []
    for tick in axis_ticks(window.left, window.right):
        x, _ = frame.point((tick, window.low))
        texts.append(TextRun(x, below, format_number(tick), SMALL_SIZE, "regular", "quiet", "middle"))
    for tick in axis_ticks(window.low, window.high):
        _, y = frame.point((window.left, tick))
        baseline = y + cap_height(SMALL_SIZE) / 2
        texts.append(
            TextRun(area.x - _TICK_GAP, baseline, format_number(tick), SMALL_SIZE, "regular", "quiet", "end")
        )
    name = _name(graph, item.leaf)
    baseline = area.bottom + cap_height(MAIN_SIZE, "medium") / 2
    texts.append(TextRun(area.right + _TICK_GAP, baseline, name, MAIN_SIZE, "medium", "value"))
    left, end = _left(item), _right(graph, item)
    bounds = Rectangle(area.x - left, area.y - 8, left + area.width + end, area.height + 8 + _TICKS_HEIGHT)
    return Box(f"{key}.axes", bounds, "plain", texts=tuple(texts))


def _axes(key: str, frame: _AxesFrame) -> list[Wire]:
    """The two axes, and a short line at each tick."""
    area, window = frame.area, frame.window
    corner = (area.x, area.bottom)
    lines = [((area.x, area.y), corner), (corner, (area.right, area.bottom))]
    for tick in axis_ticks(window.left, window.right):
        x, _ = frame.point((tick, window.low))
        lines.append(((x, area.bottom), (x, area.bottom + _TICK)))
    for tick in axis_ticks(window.low, window.high):
        _, y = frame.point((window.left, tick))
        lines.append(((area.x - _TICK, y), (area.x, y)))
    return [spline_through(f"{key}.axis.{index}", line, "line", _AXIS) for index, line in enumerate(lines)]


def _guides(key: str, here: Point, frame: _AxesFrame) -> list[Wire]:
    """Dashed lines from the point to the axes nearby; a long one would take the place of the label."""
    area = frame.area
    lines = []
    if area.bottom - here[1] <= _GUIDE * area.height:
        lines.append((here, (here[0], area.bottom)))
    if here[0] - area.x <= _GUIDE * area.width:
        lines.append(((area.x, here[1]), here))
    wires = [spline_through(f"{key}.guide.{index}", line, "line", _AXIS) for index, line in enumerate(lines)]
    return [replace(wire, dashed=True) for wire in wires]


def _left(item: Slice) -> float:
    """Width of the numbers left of the axis."""
    window = item.curve.window
    texts = [format_number(tick) for tick in axis_ticks(window.low, window.high)]
    return _TICK_GAP + max((width(text, SMALL_SIZE) for text in texts), default=0.0)


def _right(graph: Graph, item: Slice) -> float:
    """Width of the leaf's name right of its axis."""
    return _TICK_GAP + width(_name(graph, item.leaf), MAIN_SIZE, "medium")


# ---- words ------------------------------------------------------------------------------------------------


def _root(graph: Graph) -> str:
    return _short(numbered_name(graph.tensor(graph.roots[0])) or "root")


def _name(graph: Graph, leaf: str) -> str:
    return _short(numbered_name(graph.tensor(leaf)) or "leaf")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"…{name[-_LONGEST_NAME + 1:]}"


def _without_noise(slope: float) -> float:
    """The slope, with a finite difference that is zero up to rounding set to zero."""
    return 0.0 if abs(slope) < 1e-9 else slope


def _description(graph: Graph, item: Slice) -> str:
    slope = f"slope {format_number(_without_noise(item.slope))}"
    return (
        f"{_root(graph)} along {_name(graph, item.leaf)}: {format_number(item.height)} at "
        f"{format_number(item.at)}, {slope}"
    )
