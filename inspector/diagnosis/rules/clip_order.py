"""Gradients are clipped before backward, after the step, while still scaled by a GradScaler, or not at all.

Why it matters: clipping changes the current content of `grad`. Before backward, there is nothing to clip, or
only old gradients; after the step it is too late; before `scaler.unscale_` the norm is about 65,536 times too
large, so the threshold reduces every gradient to almost nothing. An iterator (`model.parameters()` in a variable)
is empty once the optimizer has read it, so that nothing is clipped, and the parameters of another model have other
gradients. None of this raises.

How to fix it: the order is backward, `scaler.unscale_(optimizer)` if there is a GradScaler, clip, step. Keep a
list of the parameters, not an iterator.

Example:

    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.places import exact_place
from inspector.report import Finding
from inspector.report.row_types import EventRow


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first clip at each line whose gradients were missing, already used, or scaled."""
    reported: set[tuple[object, ...] | None] = set()
    for position, event in enumerate(evidence.events):
        names = event.get("parameters")
        if event["event"] != "clip" or names is None or math.isinf(event.get("limit", 0.0)):
            continue  # with an infinite limit, only the norm is measured
        line = exact_place(event["source"])
        harmed = names or _next_held(evidence, position)
        wrong = (_wrong(evidence, position) if names else _NOTHING) if line not in reported else None
        if wrong is None and line not in reported and (step := _step_of_others(evidence, position)) is not None:
            harmed = sorted(_held(evidence, step["optimizer"]))
            wrong = _of_others(evidence, event, step)
        if wrong is not None and harmed:
            reported.add(line)
            yield RULE.found(
                wrong[0],
                wrong[1],
                at=Place(event["source"], event["after_call"] or None),
                parameters=harmed,
                evidence={"after_call": event["after_call"]},
            )


_NOTHING = (
    "nothing was clipped: the iterator gave no parameter",
    "pass model.parameters() anew each time, or keep a list: parameters = list(model.parameters())",
)


def _next_held(evidence: Evidence, position: int) -> list[str]:
    """The parameters of the optimizer that steps next."""
    steps = [event for event in evidence.events[position:] if event["event"] == "step"]
    return sorted(_held(evidence, steps[0]["optimizer"])) if steps else []


def _wrong(evidence: Evidence, position: int) -> tuple[str, str] | None:
    """(message, advice) for the clip at this position of the events; None if it is correct."""
    clip = evidence.events[position]
    names = set(clip.get("parameters", ()))
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
                f"there was nothing to clip yet: backward call {min(unclipped)} ran afterwards, and its "
                "gradients were not clipped before the step",
                "clip between backward() and step()",
            )
    scale = _scale(evidence, position, held)
    if scale is not None:
        return (
            f"the gradients were clipped while still multiplied by the GradScaler's scale, {scale:g}",
            "call scaler.unscale_(optimizer) before clipping",
        )
    return None


def _step_of_others(evidence: Evidence, position: int) -> EventRow | None:
    """The next step, if it uses gradients of the last backward call, which gave the clipped parameters none, and
    if its own parameters are clipped nowhere."""
    clip, after = evidence.events[position], evidence.events[position + 1 :]
    names, call = set(clip.get("parameters", ())), clip["after_call"]
    step = next((event for event in after if event["event"] == "step"), None)
    if step is None or step["after_call"] != call or call in _calls(clip, names):
        return None
    held = _held(evidence, step["optimizer"])
    clipped = [event.get("parameters", held) for event in evidence.events if event["event"] == "clip"]
    is_clipped = any(not held.isdisjoint(parameters) for parameters in clipped)
    return step if call in _calls(step, held) and not is_clipped else None


def _of_others(evidence: Evidence, clip: EventRow, step: EventRow) -> tuple[str, str]:
    """(message, advice) for a clip of other parameters than those of the step. step: see `_step_of_others`."""
    stepping = evidence.optimizer_name(step["optimizer"] or 0)
    names = clip.get("parameters", [])
    given = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return (
        f"the clipped parameters ({given}) got no gradient from backward call {clip['after_call']}; those of "
        f"{stepping}, which steps with its gradients, are not clipped",
        f"give it the parameters that {stepping} holds",
    )


def _calls(event: EventRow, names: set[str]) -> set[int]:
    """The backward calls whose gradients these parameters held at an event."""
    return {
        call
        for row in event.get("content", ())
        if not names.isdisjoint(row["parameters"])
        for call in row["backward_calls"]
    }


def _steps_before(evidence: Evidence, position: int) -> list[EventRow]:
    return [event for event in evidence.events[:position] if event["event"] == "step"]


def _next_step(evidence: Evidence, position: int) -> EventRow | None:
    """The next step of an optimizer that holds one of the clipped parameters."""
    names = set(evidence.events[position].get("parameters", ()))
    for event in evidence.events[position + 1 :]:
        if event["event"] == "step" and not names.isdisjoint(_held(evidence, event["optimizer"])):
            return event
    return None


def _clipped_between(evidence: Evidence, position: int, step: EventRow) -> bool:
    """Whether the same parameters are clipped again before a step, with the gradients that it uses."""
    names = set(evidence.events[position].get("parameters", ()))
    for event in evidence.events[position + 1 :]:
        if event is step:
            return False
        if event["event"] == "clip" and _calls(event, names) & _calls(step, names):
            return True
    return False


def _scale(evidence: Evidence, position: int, held: set[int]) -> float | None:
    """The scale still in the gradients of these calls; None if there is none."""
    scaled = {call.index: call.row.setting.scale for call in evidence.calls if call.row.setting.scale is not None}
    names = set(evidence.events[position].get("parameters", ()))
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


def _held(evidence: Evidence, number: int | None) -> set[str]:
    if number is None:
        return set()
    return {name for group in evidence.optimizers[number]["groups"] for name in group["parameters"]}


RULE = Rule("clip-order", "warning", (), check, __doc__)
