"""An optimizer was created, its parameters got gradients, and it never stepped.

Why it matters: backward only computes gradients. Without `optimizer.step()` no parameter changes, and no error is
raised: the loss only varies with the batches.

How to fix it: call `optimizer.step()` after `loss.backward()`, in every step of the loop. Where an optimizer is
made anew, make its scheduler after it: the old one changes the rates of the old optimizer, which no longer steps.

Example:

    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()                  # optimizer.step() is missing
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.places import line_of
from inspector.report import Finding
from inspector.typography import pluralize

FEWEST_CALLS = 2
"""Backward calls that gave an optimizer's parameters gradients: one alone may be there to look at them."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each optimizer of a script that ended without a step of it, for which the watch waits; and
    for each with a scheduler that steps, while another optimizer steps the same parameters."""
    exit = evidence.report.script.exit
    ended = exit["status"] is not None and exit["exception"] is None
    named = any(row["text"].endswith(".step") for row in evidence.report.inventory.statements)
    for number in _idle(evidence) if ended and not named else ():
        leaves = [leaf for leaf in evidence.leaves if number in leaf["optimizers"] and not leaf["written"]]
        names = [leaf["name"] for leaf in leaves if any(call["gradient"] for call in leaf["calls"])]
        calls = {call["backward_call"] for leaf in leaves for call in leaf["calls"] if call["gradient"]}
        if names and len(calls) >= FEWEST_CALLS:
            yield RULE.found(
                f"{evidence.optimizer_name(number)} never stepped: {len(calls)} recorded backward calls gave "
                f"gradients to {pluralize(len(names), 'parameter')} of it, and nothing used them",
                "call its step() after backward()",
                at=Place(evidence.optimizers[number]["source"]),
                parameters=names,
                evidence={"calls": len(calls), "backward": _only_line(evidence, calls)},
            )
    yield from _scheduled(evidence)


def _idle(evidence: Evidence) -> list[int]:
    """The optimizers without any step, also a skipped one. Where others stepped, this is known only if every step
    was recorded."""
    steps = [event for event in evidence.events if event["event"] in ("step", "skipped_step")]
    if not steps:
        return list(range(len(evidence.optimizers)))
    timeline, known = evidence.report.timeline, {event["optimizer"] for event in steps}
    if None in known or timeline is None or any(level.get("skips") for level in timeline["levels"]):
        return []
    moving = {column["name"] for column in timeline["columns"] if column["kind"] == "learning_rate"}
    held = {name for number in known if number is not None for name in evidence.held_by(number)}
    numbers = [number for number in range(len(evidence.optimizers)) if number not in known]
    idle = [number for number in numbers if evidence.optimizer_name(number) not in moving]
    return [number for number in idle if not evidence.held_by(number) & held]


def _only_line(evidence: Evidence, calls: set[int]) -> int | None:
    """The line that made these calls; None if there are several, or if it is unknown."""
    lines = {line_of(call.row.location) for call in evidence.calls if call.index in calls}
    return lines.pop() if len(lines) == 1 else None


def _scheduled(evidence: Evidence) -> Iterator[Finding]:
    """The optimizers that never stepped although their schedulers did: those that step have none."""
    for number, row in enumerate(evidence.optimizers):
        schedulers = [scheduler for scheduler in row.get("schedulers", ()) if scheduler["stepped"]]
        if number in evidence.stepped or not schedulers:
            continue
        instead = [
            other
            for other in sorted(evidence.stepped)
            if evidence.held_by(other) & evidence.held_by(number)
            and "schedulers" not in evidence.optimizers[other]
        ]
        if instead:
            called = schedulers[0]["class"]
            yield RULE.found(
                f"{called} changes the learning rate of an optimizer that never steps ({row['class']}); "
                f"{evidence.optimizer_name(instead[0])}, which steps the same parameters, has no scheduler",
                f"make the scheduler for {evidence.optimizer_name(instead[0])}, after the optimizer is made",
                at=Place(schedulers[0]["source"]),
                parameters=sorted(evidence.held_by(number) & evidence.held_by(instead[0])),
                evidence={"scheduler": called},
            )


RULE = Rule("optimizer-never-steps", "warning", ("optimizers", "gradients"), check, __doc__)
