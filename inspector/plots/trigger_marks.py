"""The triggers in the picture of a timeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from inspector.graph.values import is_unknown
from inspector.plots.step_axis import STEPS_WIDTH, StepAxis
from inspector.report import Report
from inspector.report.timeline import Trigger, TriggerKind
from inspector.scene.scene import Box, Rectangle, TextRun, Wire
from inspector.styles.plan import SMALL_SIZE
from inspector.typography import format_number, shorten, width

MOST_TRIGGERS = 4
"""Maximum number of triggers with a text; the others only have a mark."""
TICKS_HEIGHT, LINE = 34.0, 22.0
"""The height of the numbers of the steps, and of a line of text."""
_GAP, _RISE, _DISC = 12.0, 14.0, 10.0
_LEGEND_END = 220.0
"""Texts begin to the right of the legend."""


class TriggerMarks:
    """The triggers: a disc and a dashed line each, and two lines of text below for the first few."""

    def __init__(
        self, report: Report, triggers: Sequence[Trigger], steps: StepAxis, top: float, bottom: float
    ) -> None:
        self._report, self._steps = report, steps
        self._triggers = [found for found in triggers if found["step"] <= steps.count]
        self._top, self._bottom = top - _RISE, bottom

    @property
    def height(self) -> float:
        """The height of the texts."""
        return LINE * (2 * min(len(self._triggers), MOST_TRIGGERS) + 1)

    @property
    def crossings(self) -> list[float]:
        """Where lines pass the numbers of the steps on the way to their texts."""
        return [self._steps.place(found["step"]) for found in self._triggers[:MOST_TRIGGERS]]

    def wires(self) -> Iterator[Wire]:
        """The dashed lines."""
        for number, found in enumerate(self._triggers):
            x = self._steps.place(found["step"])
            end = self._bottom + (TICKS_HEIGHT + self._rise(number) if number < MOST_TRIGGERS else 0.0)
            yield _dashed(f"trigger.{number}.line", x, self._top, end)

    def boxes(self) -> Iterator[Box]:
        """The discs and the texts."""
        for number, found in enumerate(self._triggers):
            x = self._steps.place(found["step"])
            disc = Rectangle(x - _DISC / 2, self._top - _DISC, _DISC, _DISC)
            yield Box(f"trigger.{number}", disc, "circle", ink="gradient", fill="gradient")
            if number < MOST_TRIGGERS:
                yield self._text(number, found, x)

    def _rise(self, number: int) -> float:
        return LINE * (2 * number + 2)

    def _text(self, number: int, found: Trigger, x: float) -> Box:
        lines = (
            (trigger_text(found), "medium", "gradient"),
            (_where(self._report, found) or _most(found), "regular", "ink"),
        )
        left, right = x - _GAP - _LEGEND_END, self._steps.x + STEPS_WIDTH - x - _GAP
        wide = max(width(text, SMALL_SIZE, face) for text, face, _ in lines)
        is_left = left >= min(wide, right)  # to the left of its line a text meets no other line
        room = left if is_left else right
        start = x - _GAP if is_left else x + _GAP
        baseline = self._bottom + TICKS_HEIGHT + self._rise(number) - LINE - 4
        texts = tuple(
            TextRun(
                start,
                baseline + line * LINE,
                shorten(text, room, SMALL_SIZE),
                SMALL_SIZE,
                face,
                ink,
                "end" if is_left else "start",
            )
            for line, (text, face, ink) in enumerate(lines)
            if text
        )
        area = Rectangle(start - room if is_left else start, baseline - LINE, room, 2 * LINE)
        return Box(f"trigger.{number}.text", area, "plain", texts=texts)


def _dashed(identifier: str, x: float, top: float, bottom: float) -> Wire:
    third = (bottom - top) / 3
    points = ((x, top), (x, top + third), (x, bottom - third), (x, bottom))
    return Wire(identifier, "plot", "plot", points, "gradient", dashed=True, arrow=False)


def trigger_text(found: Trigger) -> str:
    """A trigger in a few words: `step 178: gradient 30 times its median`."""
    return f"step {found['step']:,}: {_TEXTS[found['kind']](found)}"


def _value(found: Trigger) -> str:
    value = found["value"]
    return "NaN" if math.isnan(value) else "infinite" if math.isinf(value) else format_number(value)


def _of(found: Trigger) -> str:
    names = found["parameters"]
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else ""


_TEXTS: dict[TriggerKind, Callable[[Trigger], str]] = {
    "root_not_finite": lambda found: f"the loss is {_value(found)}",
    "gradient_not_finite": lambda found: f"the gradient is {_value(found)} in {_of(found)}",
    "spike": lambda found: f"gradient {found['value'] / found['usual']:,.0f} times its median",
    "zero_gradient": lambda found: f"the gradient is 0 from here on in {_of(found)}",
    "unmoved": lambda found: f"no step moves {_of(found)}",
    "constant_root": lambda found: f"the loss stays {_value(found)}",
    "zero_rate": lambda found: "the learning rate is 0 from here on",
    "scale": lambda found: f"GradScaler skips every step, its scale is {_value(found)}",
}


def _most(found: Trigger) -> str:
    return f"most in {_of(found)}" if found["kind"] == "spike" else ""


def _where(report: Report, found: Trigger) -> str:
    """The line of a finding about the call that was recorded at a trigger."""
    calls = {call.index for call in report.calls if call.setting.step == found["step"]}
    for finding in report.findings:
        place = finding.location
        if finding.backward_call in calls and place is not None and not is_unknown(place):
            return f"{place['file']}:{place['line']}  {' '.join(place['code'].split())}"
    return ""
