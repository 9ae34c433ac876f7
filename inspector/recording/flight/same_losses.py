"""Compare the losses of two runs of a script: is it deterministic, and if not, where do they differ first?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from inspector.report.timeline import Column, Timeline
from inspector.report.timeline_layers import columns_of, ends_of

_DIGITS = 6
"""Significant digits of a timeline."""


class Comparison(Struct, frozen=True):
    """The losses of the steps of a run, compared with those of an earlier run.

    compared: number of steps. first: the first step, or the last of a row of steps, that differs; None if none
    does. before, now: the loss of that step in each run; of a row, its smallest or largest.
    """

    compared: int
    first: int | None = None
    before: float | None = None
    now: float | None = None


def compared(timeline: Timeline, losses: Sequence[Sequence[float]]) -> Comparison:
    """Compare the losses of a timeline with those of another run, given by optimizer and step (NaN: none).

    A row of several steps is compared by its smallest and its largest loss.
    """
    steps, found = 0, []
    for number, column in enumerate(columns_of(timeline, "root")):
        mine = _same_column(column, losses) if len(losses) > 1 else (losses[0] if losses else ())
        last, different = _first(timeline, number, column, mine)
        steps = max(steps, last)
        found += [] if different is None else [different]
    first, before, now = min(found, default=(None, None, None))
    return Comparison(steps, first, before, now)


def _same_column(column: Column, losses: Sequence[Sequence[float]]) -> Sequence[float]:
    """The losses that begin like a column: the optimizers of two runs may have other numbers."""
    for its in losses:
        pairs = zip(column["middle"], its, strict=False)
        known = next((pair for pair in pairs if pair[0] is not None and not math.isnan(pair[1])), None)
        if known is not None and known[0] is not None and _are_same(known[0], known[1]):
            return its
    return losses[0]


def _first(
    timeline: Timeline, number: int, column: Column, losses: Sequence[float]
) -> tuple[int, tuple[int, float, float] | None]:
    """The last step that was compared, and the first that differs: (step, loss before, loss now)."""
    last = 0
    for step, expected, found in sorted(_pairs(timeline, number, column, losses)):
        if not _are_same(expected, found):
            return last, (step, expected, found)
        last = step
    return last, None


def _pairs(
    timeline: Timeline, number: int, column: Column, losses: Sequence[float]
) -> Iterator[tuple[int, float, float]]:
    """(step, loss before, loss now), for rows and for the steps around triggers."""
    start = 0
    for row, end in enumerate(ends_of(timeline)):
        part = [loss for loss in losses[start:end] if math.isfinite(loss)]
        if end > len(losses):
            break
        for values, choose in ((column.get("low"), min), (column.get("high"), max)):
            expected = column["middle"][row] if values is None else values[row]
            if expected is not None and part:
                yield end, expected, choose(part)
        start = end
    for window in timeline["windows"]:
        for step, expected in enumerate(window["columns"][number], window["first"]):
            if expected is not None and step <= len(losses) and math.isfinite(losses[step - 1]):
                yield step, expected, losses[step - 1]


def _are_same(rounded: float, value: float) -> bool:
    """Whether the first number is the second, with fewer digits."""
    if rounded == 0 or value == 0:
        return abs(value - rounded) < 1e-300
    return abs(rounded - value) <= 0.51 * 10.0 ** (math.floor(math.log10(abs(rounded))) - _DIGITS + 1)
