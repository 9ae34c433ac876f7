"""The timeline of a run as a page holds it: the losses, the gradient norms by layer, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.plots.timeline_plot import MOST_LAYERS, MOST_LOSSES
from inspector.plots.trigger_marks import trigger_text
from inspector.report import Report
from inspector.report.timeline import Column, Numbers, Timeline, Window
from inspector.report.timeline_layers import Series, columns_of, ends_of, layers_of, roots_of

_DIGITS = 5


def run_data(report: Report | None) -> dict[str, Any] | None:
    """The timeline of a report by rows, each of one step or several; None if it has none.

    `windows` are stretches of it step by step, around what went wrong. `calls` are the recorded calls by step.
    """
    timeline = None if report is None else report.timeline
    if report is None or timeline is None or not timeline["rows"]:
        return None
    return {
        "unit": timeline["unit"],
        "steps": timeline["steps"],
        "every": max((level["every"] for level in timeline["levels"]), default=1),
        "ends": ends_of(timeline),
        **_series(timeline),
        "windows": [_window(timeline, window) for window in timeline["windows"]],
        "triggers": [{"step": found["step"], "text": trigger_text(found)} for found in timeline["triggers"]],
        "calls": {str(call.setting.step): call.index for call in report.calls if call.setting.step is not None},
    }


def _series(timeline: Timeline) -> dict[str, Any]:
    rates = [Series(column["name"], column["middle"], []) for column in columns_of(timeline, "learning_rate")]
    return {
        "roots": [_row(series) for series in roots_of(timeline)[:MOST_LOSSES]],
        "layers": [_row(series) for series in layers_of(timeline, MOST_LAYERS)],
        "rates": [_row(series) for series in rates],
    }


def _window(timeline: Timeline, window: Window) -> dict[str, Any]:
    """The same quantities for each step of a window."""
    held = zip(timeline["columns"], window["columns"], strict=True)
    columns = [_with(column, values) for column, values in held]
    count = max(map(len, window["columns"]), default=0)
    single: Timeline = {**timeline, "rows": [1] * count, "columns": columns}
    return {"first": window["first"], "steps": count, **_series(single)}


def _with(column: Column, values: Numbers) -> Column:
    return {"kind": column["kind"], "name": column["name"], "parameters": column["parameters"], "middle": values}


def _row(series: Series) -> dict[str, Any]:
    broken = [row for row, is_broken in enumerate(series.broken) if is_broken]
    return {"name": series.name, "values": _short(series.values), "broken": broken}


def _short(values: Sequence[float | None]) -> Numbers:
    return [None if value is None else float(f"{value:.{_DIGITS}g}") for value in values]
