"""A timeline as a Scene: the loss above, one row per layer below, the steps from left to right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from inspector.figure import Figure
from inspector.plots.axis_ticks import axis_ticks
from inspector.plots.spline_line import spline_through
from inspector.plots.step_axis import STEPS_WIDTH, StepAxis
from inspector.plots.trigger_marks import LINE, TICKS_HEIGHT, TriggerMarks, trigger_text
from inspector.report import Report
from inspector.report.timeline import Timeline
from inspector.report.timeline_layers import Series, ends_of, layers_of, roots_of
from inspector.scene.scene import Band, Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.scene.theme import SCALE
from inspector.styles.plan import MAIN_SIZE, SMALL_SIZE, TITLE_SIZE
from inspector.typography import cap_height, format_number, pluralize, shorten_name, width

MOST_LAYERS = 12
"""Maximum number of rows; more layers are grouped by module."""

MOST_LOSSES = 3
"""Maximum number of losses, one for each optimizer."""

_MARGIN, _GAP = 24.0, 12.0
_NAME_WIDTH = 200.0
_HEAD, _LOSS, _BETWEEN = 84.0, 92.0, 28.0
_ROW, _ROW_GAP, _LEGEND = 30.0, 3.0, 62.0
_HATCH, _SIDE = 8.0, 14.0
_CLEAR = 4.0
"""Between the number of a step and the line of a trigger."""
_DECADES = 3.0
"""A loss that spans more powers of ten is drawn on a logarithmic scale."""


def plot_timeline(report: Report) -> Figure:
    """The timeline of a report. The figure has one panel, `timeline`. Raises ValueError if the report has none."""
    timeline = report.timeline
    if timeline is None or not timeline["rows"]:
        raise ValueError("no timeline: no step after the watched backward calls was recorded")
    layers, roots = layers_of(timeline, MOST_LAYERS), roots_of(timeline)
    titles = _loss_titles(roots)
    roots = roots[:MOST_LOSSES]
    names = [shorten_name(layer.name, _NAME_WIDTH, SMALL_SIZE) for layer in layers]
    left = max((width(name, SMALL_SIZE) for name in [*names, *titles, "0.0001234"]), default=0.0)
    every = max((level["every"] for level in timeline["levels"]), default=1)
    steps = StepAxis(float(round(_MARGIN + left + _GAP)), timeline["steps"], ends_of(timeline), every)
    top = _MARGIN + _HEAD
    boxes, wires, losses = [_title(report, timeline)], list[Wire](), top
    for number, (root, title) in enumerate(zip(roots, titles, strict=True)):
        losses = top + number * (_LOSS + _BETWEEN)
        wires += _loss_line(root, steps, losses, f"loss.{number}" if number else "loss")
        boxes.append(_loss_texts(root, title, steps, losses))
    area = Rectangle(steps.x, losses + _LOSS + _BETWEEN, STEPS_WIDTH, len(layers) * (_ROW + _ROW_GAP))
    scale, heat = _scale_of(layers), list[Box]()
    for row, (layer, name) in enumerate(zip(layers, names, strict=True)):
        place = Rectangle(steps.x, area.y + row * (_ROW + _ROW_GAP), STEPS_WIDTH, _ROW)
        heat.append(_layer(layer, name, steps, place, scale))
        wires += _hatching(layer, steps, place)
    marks = TriggerMarks(report, timeline["triggers"], steps, top, area.bottom)
    boxes.append(_step_texts(steps, area.bottom, marks.crossings))
    boxes += marks.boxes()
    wires += marks.wires()
    bottom = max(area.bottom + TICKS_HEIGHT + marks.height, area.bottom + TICKS_HEIGHT + _LEGEND)
    legend = area.bottom + TICKS_HEIGHT + LINE
    boxes += _legend(scale, legend)
    if any(any(layer.broken) for layer in layers):
        swatch = Rectangle(_MARGIN, legend + 3 * _SIDE, 2 * _SIDE, _SIDE)
        heat.append(_legend_of_hatching(swatch))
        wires += _hatch_lines(swatch, "legend.broken")
    whole = Rectangle(0.0, 0.0, steps.x + STEPS_WIDTH + _MARGIN + 14, float(round(bottom + _MARGIN)))
    panels = (Panel("layers", whole, tuple(heat)), Panel("timeline", whole, tuple(boxes), tuple(wires)))
    scene = Scene(whole.width, whole.height, panels, _heading(report, timeline), _description(layers, timeline))
    return Figure(scene, {"timeline": scene})


# ---- the loss ---------------------------------------------------------------------------------------------


def _is_logarithmic(root: Series) -> bool:
    finite = root.finite
    return bool(finite) and min(finite) > 0 and math.log10(max(finite) / min(finite)) > _DECADES


def _loss_titles(roots: Sequence[Series]) -> list[str]:
    """What the losses are called: `loss`, or with several optimizers `loss of D`."""
    if len(roots) < 2:
        return ["loss" for _ in roots]
    room = _NAME_WIDTH - width("loss of ", SMALL_SIZE)
    return [f"loss of {shorten_name(root.name, room, SMALL_SIZE)}" for root in roots[:MOST_LOSSES]]


def _loss_line(root: Series, steps: StepAxis, top: float, name: str) -> Iterator[Wire]:
    """The loss as lines, interrupted where it is not finite, or unknown for longer than between recorded steps."""
    scaled = [None if value is None else _height(value, root) for value in root.values]
    known = [value for value in scaled if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    points: list[tuple[float, float]] = []
    lines, end = [points], 0
    for row, value in enumerate(scaled):
        first, last = steps.span(row)
        if root.broken[row] or (value is not None and first - end > steps.every):
            points = []
            lines.append(points)
        if value is None or root.broken[row]:
            continue
        end = last
        share = (value - low) / (high - low) if high > low else 0.5
        points.append((steps.place((first + last + 1) / 2), top + _LOSS * (1 - share)))
    for number, line in enumerate(line for line in lines if len(line) > 1):
        yield spline_through(f"{name}.{number}", line, "ink", 1.6)


def _height(value: float, root: Series) -> float:
    return math.log10(value) if _is_logarithmic(root) else value


def _loss_texts(root: Series, title: str, steps: StepAxis, top: float) -> Box:
    """The name of the loss, its largest and its smallest value."""
    finite = root.finite
    x, rise = steps.x - _GAP, cap_height(SMALL_SIZE) / 2
    ends = [(top, max(finite)), (top + _LOSS, min(finite))] if finite else []
    texts = [
        TextRun(x, y + rise, format_number(value), SMALL_SIZE, "regular", "quiet", "end") for y, value in ends
    ]
    texts.append(TextRun(_MARGIN, top + _LOSS / 2 + rise, title, SMALL_SIZE, "medium"))
    if _is_logarithmic(root):
        texts.append(TextRun(_MARGIN, top + _LOSS / 2 + rise + 18, "(log scale)", SMALL_SIZE, "regular", "quiet"))
    return Box(title, Rectangle(_MARGIN, top - 8, x - _MARGIN, _LOSS + 16), "plain", texts=tuple(texts))


# ---- the layers -------------------------------------------------------------------------------------------


def _scale_of(layers: Sequence[Series]) -> tuple[float, float] | None:
    """The smallest and the largest norm that is not 0; None without any."""
    sizes = [value for layer in layers for value in layer.finite if value > 0]
    return (min(sizes), max(sizes)) if sizes else None


def _layer(layer: Series, name: str, steps: StepAxis, area: Rectangle, scale: tuple[float, float] | None) -> Box:
    """A layer's name and its norms as colours; equal neighbours are one band."""
    bands: list[Band] = []
    for first, last, row in _spans(layer, steps):
        value = layer.values[row]
        fill = "changed" if layer.broken[row] else _ink(value, scale)
        if fill is None:
            continue
        x, end = steps.place(first), steps.place(last + 1)
        if bands and bands[-1].fill == fill and abs(bands[-1].area.right - x) < 0.01:
            x = bands.pop().area.x
        bands.append(Band(Rectangle(x, area.y, end - x, area.height), fill))
    baseline = area.y + area.height / 2 + cap_height(SMALL_SIZE) / 2
    text = TextRun(steps.x - _GAP, baseline, name, SMALL_SIZE, "regular", "ink", "end")
    whole = Rectangle(_MARGIN, area.y, area.right - _MARGIN, area.height)
    return Box(f"layer.{layer.name}", whole, "plain", bands=tuple(bands), texts=(text,))


def _spans(layer: Series, steps: StepAxis) -> Iterator[tuple[int, int, int]]:
    """(first step, last step, row) of every row with a value, which stands for the steps up to the next one where
    gradients are not measured in every step."""
    known = [row for row, value in enumerate(layer.values) if value is not None or layer.broken[row]]
    for position, row in enumerate(known):
        first, last = steps.span(row)
        after = steps.span(known[position + 1])[0] if position + 1 < len(known) else steps.count + 1
        yield first, min(max(last, after - 1), max(last, first + steps.every - 1)), row


def _ink(value: float | None, scale: tuple[float, float] | None) -> str | None:
    if value is None or scale is None:
        return None
    if value <= 0:
        return "ground"
    low, high = math.log10(scale[0]), math.log10(scale[1])
    share = (math.log10(value) - low) / (high - low) if high > low else 1.0
    return SCALE[round(share * (len(SCALE) - 1))]


def _hatching(layer: Series, steps: StepAxis, area: Rectangle) -> Iterator[Wire]:
    """Diagonal lines over the steps whose gradients are not finite."""
    spans: list[list[float]] = []
    for first, last, row in _spans(layer, steps):
        if layer.broken[row]:
            x, end = steps.place(first), steps.place(last + 1)
            if spans and abs(spans[-1][1] - x) < 0.01:
                spans[-1][1] = end
            else:
                spans.append([x, end])
    for number, (left, right) in enumerate(spans):
        yield from _hatch_lines(
            Rectangle(left, area.y, right - left, area.height), f"layer.{layer.name}.hatch.{number}"
        )


def _hatch_lines(area: Rectangle, name: str) -> Iterator[Wire]:
    """Diagonal lines over an area."""
    number, x = 0, area.x - area.height + _HATCH / 2
    while x < area.right:
        start, end = max(x, area.x), min(x + area.height, area.right)
        if end - start > 0.5:
            points = [(start, area.bottom - (start - x)), (end, area.bottom - (end - x))]
            yield spline_through(f"{name}.{number}", points, "gradient", 1.4)
            number += 1
        x += _HATCH


# ---- the steps --------------------------------------------------------------------------------------------


def _step_texts(steps: StepAxis, top: float, crossings: Sequence[float]) -> Box:
    """The numbers of steps, but for those that the line of a trigger would cross."""
    baseline = top + _GAP + cap_height(SMALL_SIZE)
    ticks = [max(tick, 1.0) for tick in axis_ticks(0.0, float(steps.count), most=7) if tick == int(tick)]
    runs = [
        TextRun(steps.place(tick), baseline, f"{int(tick):,}", SMALL_SIZE, "regular", "quiet", "middle")
        for tick in ticks
    ]
    texts = [run for run in runs if not any(_is_near(run, x) for x in crossings)]
    texts.append(TextRun(_MARGIN, baseline, "step", SMALL_SIZE, "medium"))
    area = Rectangle(_MARGIN, top, steps.x + STEPS_WIDTH - _MARGIN, TICKS_HEIGHT)
    return Box("steps", area, "plain", texts=tuple(texts))


def _is_near(centred: TextRun, x: float) -> bool:
    return abs(centred.x - x) < width(centred.text, centred.size) / 2 + _CLEAR


# ---- title and legend -------------------------------------------------------------------------------------


def _heading(report: Report, timeline: Timeline) -> str:
    unit = "step" if timeline["unit"] == "optimizer" else "backward call"
    return f"{pluralize(timeline['steps'], unit)} of {report.script.name}"


def _title(report: Report, timeline: Timeline) -> Box:
    every = max((level["every"] for level in timeline["levels"]), default=1)
    texts = ["loss above, norm of the gradient by layer below"]
    texts += [f"measured in at least one of {every} steps"] if every > 1 else []
    joined = max(timeline["rows"], default=1)
    texts += [f"medians of {joined:,} steps"] if joined > 1 else []
    runs = (
        TextRun(_MARGIN, _MARGIN + TITLE_SIZE, _heading(report, timeline), TITLE_SIZE, "bold"),
        TextRun(_MARGIN, _MARGIN + TITLE_SIZE + 26, "; ".join(texts), MAIN_SIZE - 2, "regular", "quiet"),
    )
    return Box("title", Rectangle(_MARGIN, _MARGIN, STEPS_WIDTH, 54.0), "plain", texts=runs)


def _legend(scale: tuple[float, float] | None, top: float) -> Iterator[Box]:
    """What the colours mean."""
    if scale is None:
        return
    x, low, high = _MARGIN, *(format_number(value) for value in scale)
    start = x + width("norm", SMALL_SIZE) + _GAP
    bands = tuple(
        Band(Rectangle(start + number * _SIDE, top, _SIDE, _SIDE), ink) for number, ink in enumerate(SCALE)
    )
    end = start + _SIDE * len(SCALE)
    baseline = top + _SIDE + 6 + cap_height(SMALL_SIZE)
    texts = (
        TextRun(x, top + _SIDE - 2, "norm", SMALL_SIZE, "regular", "quiet"),
        TextRun(start, baseline, low, SMALL_SIZE, "regular", "quiet"),
        TextRun(end, baseline, high, SMALL_SIZE, "regular", "quiet", "end"),
    )
    yield Box("legend.norm", Rectangle(x, top, end - x, 2 * _SIDE + 8), "plain", bands=bands, texts=texts)


def _legend_of_hatching(swatch: Rectangle) -> Box:
    """A hatched swatch stands for gradients that are not finite; its lines are wires of their own."""
    text = TextRun(swatch.right + _GAP, swatch.bottom - 2, "not finite", SMALL_SIZE, "regular", "quiet")
    whole = Rectangle(swatch.x, swatch.y, 130.0, swatch.height)
    return Box("legend.broken", whole, "plain", bands=(Band(swatch, "changed"),), texts=(text,))


def _description(layers: Sequence[Series], timeline: Timeline) -> str:
    lines = [
        f"{layer.name}: {format_number(min(layer.finite))} to {format_number(max(layer.finite))}"
        for layer in layers
        if layer.finite
    ]
    return "\n".join([*lines, *map(trigger_text, timeline["triggers"])])
