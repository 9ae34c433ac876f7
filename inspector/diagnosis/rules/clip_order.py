"""Gradients are clipped before backward, after the step, or while a GradScaler's scale is still in them.

Why it matters: clipping changes what `grad` holds at that moment. Before backward there is nothing to clip, or
what is left of the last step; after the step it is too late; and before `scaler.unscale_` the norm is some
65,536 times too large, so that the threshold cuts every gradient down to almost nothing. None of it raises.

How to mend it: the order is backward, `scaler.unscale_(optimizer)` where there is a GradScaler, clip, step.

Example:

    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first clip at each line whose gradients were not there yet, used already, or scaled."""
    told: set[tuple[Any, ...]] = set()
    for position, event in enumerate(evidence.events):
        if event["event"] != "clip" or not event["parameters"] or math.isinf(event.get("limit", 0.0)):
            continue  # a limit of infinity clips nothing: it measures
        line = (event["source"].get("file"), event["source"].get("line"))
        wrong = _wrong(evidence, position) if line not in told else None
        if wrong is not None:
            told.add(line)
            yield RULE.found(
                wrong[0],
                wrong[1],
                at=Place(event["source"], event["after_call"] or None),
                parameters=event["parameters"],
                evidence={"after_call": event["after_call"]},
            )


def _wrong(evidence: Evidence, position: int) -> tuple[str, str] | None:
    """(message, advice) for the clip at this position of the events; None if it is right."""
    clip = evidence.events[position]
    names = set(clip["parameters"])
    held = _calls(clip, names)
    step = _next_step(evidence, position)
    before = _steps_before(evidence, position)
    used = {call for event in before for call in _calls(event, names)}
    if held and held <= used and not (step is not None and _calls(step, names) & held):
        return "the gradients were clipped after the step that used them", "clip between backward() and step()"
    if step is not None and held <= used:
        unclipped = _calls(step, names) - held
        if unclipped and not _clipped_between(evidence, position, step):
            return (
                f"there was nothing to clip yet: backward call {min(unclipped)} came afterwards, and its "
                "gradients went into the step unclipped",
                "clip between backward() and step()",
            )
    scale = _scale(evidence, position, held)
    if scale is not None:
        return (
            f"the gradients were clipped while they were still multiplied by the GradScaler's scale, {scale:g}",
            "call scaler.unscale_(optimizer) before clipping",
        )
    return None


def _calls(event: dict[str, Any], names: set[str]) -> set[int]:
    """The backward calls whose gradients these parameters held at an event."""
    return {
        call
        for row in event["content"]
        if not names.isdisjoint(row["parameters"])
        for call in row["backward_calls"]
    }


def _steps_before(evidence: Evidence, position: int) -> list[dict[str, Any]]:
    return [event for event in evidence.events[:position] if event["event"] == "step"]


def _next_step(evidence: Evidence, position: int) -> dict[str, Any] | None:
    """The next step of an optimizer that holds one of the clipped parameters."""
    names = set(evidence.events[position]["parameters"])
    for event in evidence.events[position + 1 :]:
        if event["event"] == "step" and not names.isdisjoint(_held(evidence, event["optimizer"])):
            return event
    return None


def _clipped_between(evidence: Evidence, position: int, step: dict[str, Any]) -> bool:
    """Whether the same parameters are clipped again before a step, with the gradients that it uses."""
    names = set(evidence.events[position]["parameters"])
    for event in evidence.events[position + 1 :]:
        if event is step:
            return False
        if event["event"] == "clip" and _calls(event, names) & _calls(step, names):
            return True
    return False


def _scale(evidence: Evidence, position: int, held: set[int]) -> float | None:
    """The scale that is still in the gradients of these calls; None if there is none."""
    scaled = {call.index: call.row.setting.scale for call in evidence.calls if call.row.setting.scale is not None}
    names = set(evidence.events[position]["parameters"])
    for index in sorted(held, reverse=True):
        scale = scaled.get(index)
        if scale is None or scale == 1.0:
            continue
        unscaled = any(
            event["event"] == "unscale"
            and event["after_call"] >= index
            and not names.isdisjoint(_held(evidence, event["optimizer"]))
            for event in evidence.events[:position]
        )
        return None if unscaled else float(scale)
    return None


def _held(evidence: Evidence, number: int) -> set[str]:
    return {name for group in evidence.optimizers[number]["groups"] for name in group["parameters"]}


RULE = Rule("clip-order", "warning", (), check, __doc__)
