"""The steps of a run: the loss and the gradient norms as bars, and how much of the run was watched."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from inspector.graph.values import is_unknown
from inspector.report.timeline import LevelRow, Reason, Timeline
from inspector.report.timeline_layers import Series, layers_of, roots_of
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, VALUE, fit_path, wrapped
from inspector.typography import format_number, pluralize

_BARS = "▁▂▃▅▇"
_MOST_LAYERS = 8
_MOST_ROOTS = 2
_NAME = 24
_REASONS: dict[Reason, str] = {"compiled": "torch.compile is in use", "threads": "several threads train"}
_LEAST_ROWS = 8
"""A timeline of fewer rows is not shown as bars."""


def timeline_lines(timeline: Timeline, width: int) -> list[Text]:
    """One line of bars for the loss and for each layer, the steps from left to right."""
    if len(timeline["rows"]) < _LEAST_ROWS:
        return []
    roots, layers = roots_of(timeline)[:_MOST_ROOTS], layers_of(timeline, _MOST_LAYERS)
    named = [("loss" if len(roots) == 1 else f"loss of {series.name}", series, VALUE) for series in roots]
    named += [(series.name, series, GRADIENT) for series in layers]
    wide = min(_NAME, max((cell_len(fit_path(name, _NAME)) for name, _, _ in named), default=0))
    head = Text(f"loss and gradient norms of {pluralize(timeline['steps'], 'step')}", style=QUIET)
    return [head, *(_line(fit_path(name, _NAME), series, style, wide, width) for name, series, style in named)]


def _line(name: str, series: Series, style: str, wide: int, width: int) -> Text:
    finite = series.finite
    scale = f"  {format_number(min(finite))} to {format_number(max(finite))}" if finite else ""
    room = max(10, width - wide - 2 - 26)
    return Text.assemble((f"{name:{wide}}  ", QUIET), (_bars(series, room), style), (scale, QUIET))


def _bars(series: Series, room: int) -> str:
    """One character for some rows: a bar for their largest value, on a logarithmic scale if all are positive; 0,
    ! (NaN or infinite) or · (not recorded)."""
    count = len(series.values)
    cells = min(room, count)
    is_positive = all(value >= 0 for value in series.finite)
    sizes = [_scaled(value, is_positive) for value in series.finite if value or not is_positive]
    low, high = min(sizes, default=0.0), max(sizes, default=0.0)
    span = max(high - low, 1.0 if is_positive else 1e-300)  # a range of less than a decade looks flat
    signs = []
    for cell in range(cells):
        part = range(cell * count // cells, (cell + 1) * count // cells)
        values = [value for row in part if (value := series.values[row]) is not None]
        if any(series.broken[row] for row in part):
            signs.append("!")
        elif not values:
            signs.append("·")
        elif is_positive and max(values) == 0:
            signs.append("0")
        else:
            height = 1 - (high - _scaled(max(values), is_positive)) / span
            signs.append(_BARS[round(height * (len(_BARS) - 1))])
    return "".join(signs)


def _scaled(value: float, is_positive: bool) -> float:
    return math.log10(value) if is_positive else value


def watched_line(timeline: Timeline, width: int) -> list[Text]:
    """How much of the run was watched: the last line of the output."""
    unit = "step" if timeline["unit"] == "optimizer" else "backward call"
    full = sum(level["last"] - level["first"] + 1 for level in timeline["levels"] if level["level"] == "full")
    rest = timeline["steps"] - full
    parts = [f"{pluralize(full, unit)} recorded in full"]
    if rest > 0:
        levels = timeline["levels"]
        parts.append(f"{rest:,} by their numbers only{_how_often(levels)}{_how_deep(levels)}{_why_not(levels)}")
    text = ", ".join(parts)
    if timeline["calls"] and not timeline["steps"]:
        text = f"{pluralize(timeline['calls'], 'backward call')} and no step of an optimizer"
    text += f", at {timeline['cost']:.1%} of the time"
    if others := timeline.get("other_graphs"):
        text += f"; {pluralize(others, unit)} had another graph than the recorded calls"
    if timeline.get("so_far"):
        text += "; written while the script ran"
    if timeline.get("stopped"):
        text += f"; then no more, since it took over {timeline['budget']:.0%} (--budget)"
    line = Text(text)
    last = timeline["last_root"]
    if isinstance(last, float) and not is_unknown(last) and not math.isfinite(last):
        name = "NaN" if math.isnan(last) else "infinite"
        line.append("; the last loss was ").append(name, style=f"{STRONG} {GRADIENT}")
    return wrapped(Text("watched ", style=QUIET), line, width)


def _how_deep(levels: Sequence[LevelRow]) -> str:
    """`, 57 of them down to Nodes`: how many steps were recorded at a level deeper than parameters."""
    names = {"nodes": "Nodes", "modules": "modules"}
    steps = {
        name: sum(row["last"] - row["first"] + 1 for row in levels if row["level"] == level)
        for level, name in names.items()
    }
    others = any(row["level"] == "parameters" for row in levels)
    found = {name: count for name, count in steps.items() if count}
    if len(found) == 1 and not others:
        return f", down to {next(iter(found))}"
    parts = [f"{count:,} of them down to {name}" for name, count in found.items()]
    return f", {' and '.join(parts)}" if parts else ""


def _why_not(levels: Sequence[LevelRow]) -> str:
    """`, none deeper than parameters (torch.compile is in use)`: nothing if something was, or if it was the budget
    or the graph, which are told elsewhere."""
    found = {row.get("reason") for row in levels if row["level"] != "full"}
    words = [text for reason, text in _REASONS.items() if reason in found]
    deeper = any(row["level"] in ("modules", "nodes") for row in levels)
    return f", {'some not' if deeper else 'none'} deeper than parameters ({', '.join(words)})" if words else ""


def _how_often(levels: Sequence[LevelRow]) -> str:
    """` (gradients in one of 4 steps)`."""
    recorded = [level for level in levels if level["level"] != "full"]
    every = sorted({level["every"] for level in recorded})
    if skipping := [level["every"] for level in recorded if level.get("skips")]:
        return f" (at times only one of {max(skipping):,} steps, of the others only the loss)"
    if every in ([], [1]):
        return ""
    if len(every) == 1:
        return f" (gradients in one of {every[0]} steps)"
    return f" (gradients in one of {every[0]} to {every[-1]} steps)" if every[0] > 1 else (
        f" (gradients in one of up to {every[-1]} steps)"
    )
