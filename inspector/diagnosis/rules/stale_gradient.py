"""A step uses gradients that an earlier step has used already.

Why it matters: backward adds to `grad`. Where nothing empties it between two steps, every step moves along the
sum of all gradients so far, most of them of weights that are no more: the step grows with every iteration, and
points to the past.

How to mend it: call `optimizer.zero_grad()` once for each step, before backward or after the step. Gradients
that several backward calls add up before one step are right as they are.

Example:

    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()      # no optimizer.zero_grad()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import EventRow
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first step of each optimizer with gradients of which it has used some before."""
    used: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
    told: set[int] = set()
    for event in evidence.steps:
        number = event["optimizer"]
        if number is None:
            continue
        stale: dict[str, set[int]] = {}
        for row in event.get("content", ()):
            for name in row["parameters"]:
                again = used[number, name] & set(row["backward_calls"])
                if again:
                    stale[name] = again
                used[number, name] |= set(row["backward_calls"])
        if stale and number not in told:
            told.add(number)
            yield _found(evidence, event, stale)


def _found(evidence: Evidence, event: EventRow, stale: dict[str, set[int]]) -> Finding:
    number = event["optimizer"]
    assert isinstance(number, int)
    calls = sorted(set().union(*stale.values()))
    name = evidence.optimizer_name(number)
    last = event["after_call"]
    assert isinstance(last, int)
    which = ", ".join(str(call) for call in calls)
    return RULE.found(
        f"{name}.step() after backward call {last} uses the gradients of backward call {which} again, which an "
        f"earlier step of it has used: {pluralize(len(stale), 'parameter')} still held them in grad",
        f"call {name}.zero_grad() before each backward(), or after each step",
        at=Place(event["source"], last),
        parameters=stale,
        evidence={"step_after": last, "used_again": calls},
    )


RULE = Rule("stale-gradient", "warning", ("steps",), check, __doc__)
