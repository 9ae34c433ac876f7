"""A step had no effect: the gradients computed by backward were cleared before it.

Why it matters: a parameter whose `grad` is None is skipped, and one whose `grad` is zero does not move (or
only by momentum). The loss is computed, backward runs, nothing raises, and the model never learns.

How to fix it: the order is zero_grad, backward, step. Move `zero_grad()` before `backward()` or after
`step()`.

Example:

    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.places import line_of
from inspector.graph.value_norms import is_zero
from inspector.report import Finding
from inspector.report.row_types import EventRow, LeafCall
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first step of each optimizer that found all grads empty after backward had filled them."""
    previous: dict[int, int] = {}
    reported: set[int] = set()
    for position, event in enumerate(evidence.events):
        number = event["optimizer"]
        if event["event"] != "step" or number is None:
            continue
        since = previous.get(number, -1)
        previous[number] = position
        if event.get("empty") and number not in reported:
            lost = _lost(evidence, number, since, event["after_call"])
            if lost:
                reported.add(number)
                yield _found(evidence, event, lost, evidence.events[since + 1 : position])


def _lost(evidence: Evidence, number: int, since: int, until: int) -> dict[str, int]:
    """The parameters that received a gradient after the last step → the last call that computed it."""
    after = 0 if since < 0 else evidence.events[since]["after_call"]
    return {
        leaf["name"]: row["backward_call"]
        for leaf in evidence.leaves
        if number in leaf["optimizers"]
        for row in leaf["calls"]
        if row["gradient"] and after < row["backward_call"] <= until and not _gave_zero(evidence, row)
    }


def _gave_zero(evidence: Evidence, row: LeafCall) -> bool:
    """Whether the grad was zero when the call ended, so that it was not cleared later."""
    if row["tensor"] is None:
        return False
    calls = [call for call in evidence.calls if call.index == row["backward_call"]]
    return not calls or is_zero(calls[0].tensors[row["tensor"]]["after"]["grad"])


def _found(
    evidence: Evidence, event: EventRow, lost: dict[str, int], between: list[EventRow]
) -> Finding:
    last = max(lost.values())
    zeroed = [item for item in between if item["event"] == "zero_grad" and _emptied(item, set(lost), last)]
    at = zeroed[-1] if zeroed else event
    name = evidence.optimizer_name(event["optimizer"] or 0)
    how = "and zero_grad() cleared them" if zeroed else "and the script cleared them"
    given = pluralize(len(lost), "parameter")
    return RULE.found(
        f"{name}.step() had no effect: backward call {last} computed gradients for {given}, {how}",
        "call zero_grad() before backward() or after step(), not between them",
        at=Place(at["source"], last),
        parameters=lost,
        evidence={"step": line_of(event["source"])},
    )


def _emptied(event: EventRow, names: set[str], call: int) -> bool:
    """Whether a zero_grad cleared the gradients that a call had computed for these parameters."""
    content = event.get("content", ())
    return any(call in row["backward_calls"] and not names.isdisjoint(row["parameters"]) for row in content)


RULE = Rule("step-without-gradient", "error", ("steps",), check, __doc__)
