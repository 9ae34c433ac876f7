"""A step uses gradients that are still multiplied by the scale of a GradScaler.

Why it matters: `scaler.scale(loss).backward()` makes every gradient as many times as large as the scale, 65,536 at
first. `optimizer.step()` then moves the parameters that much too far; with Adam, only the epsilon is lost. Nor is
a step skipped whose gradients overflowed.

How to fix it: `scaler.step(optimizer)`, which divides by the scale, and `scaler.update()`.

Example:

    scaler.scale(loss).backward()
    optimizer.step()                     # scaler.step(optimizer); scaler.update()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import EventRow


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first such step of each optimizer: its grads are as a scaled backward call left them."""
    scales = {call.index: call.row.setting.scale for call in evidence.calls}
    reported: set[int] = set()
    for step in evidence.steps:
        number, names = step["optimizer"], step.get("as_computed", [])
        if number is None or number in reported:
            continue
        calls = sorted(_calls(step, set(names)))
        scale = next((scale for call in calls if (scale := scales.get(call)) not in (None, 1.0)), None)
        if scale is not None:
            reported.add(number)
            name = evidence.optimizer_name(number)
            yield RULE.found(
                f"{name}.step() uses gradients that are still multiplied by the GradScaler's scale, {scale:g}",
                f"call scaler.step({name}) and scaler.update() instead, or scaler.unscale_({name}) before it",
                at=Place(step["source"], calls[-1]),
                parameters=names,
                evidence={"scale": scale},
            )


def _calls(step: EventRow, names: set[str]) -> set[int]:
    """The backward calls whose gradients these parameters had at a step."""
    rows = (row for row in step.get("content", ()) if not names.isdisjoint(row["parameters"]))
    return {call for row in rows for call in row["backward_calls"]}


RULE = Rule("scaled-step", "warning", ("steps",), check, __doc__)
