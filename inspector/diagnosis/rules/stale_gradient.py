"""A step uses gradients that an earlier step has already used.

Why it matters: backward adds to `grad`. If nothing resets it between two steps, every step uses the sum of
all gradients so far, most of them computed with old weights: the steps grow with every iteration and point in
an outdated direction.

How to fix it: call `optimizer.zero_grad()` once per step, before backward or after the step. Accumulating the
gradients of several backward calls before one step is fine. A parameter that is in two optimizers, which both step
after the same backward, moves twice: give it to one of them.

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
    """The first step of each optimizer that uses gradients it, or another one, has used before."""
    used: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
    reported: set[int] = set()
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
        if stale and number not in reported:
            reported.add(number)
            yield _found(evidence, event, stale)
    shared = next((event for event in evidence.steps if event.get("again")), None)
    if shared is not None:
        yield from _in_two(evidence, shared)


def _in_two(evidence: Evidence, event: EventRow) -> Iterator[Finding]:
    """The first step whose gradients the step of another optimizer has used."""
    number, names = event["optimizer"], event.get("again", [])
    earlier = evidence.steps[: evidence.steps.index(event)]
    users = [step["optimizer"] for step in earlier if step["optimizer"] != number and _uses(step, names[0])]
    if number is None or not users or users[-1] is None:
        return
    first, second = evidence.optimizer_name(users[-1]), evidence.optimizer_name(number)
    yield RULE.found(
        f"{second}.step() uses the gradients of {pluralize(len(names), 'parameter')} again: {first}.step() has "
        "already used them after the same backward, so they move twice",
        f"give each parameter to one optimizer, or call zero_grad() and backward() between {first}.step() and "
        f"{second}.step()",
        at=Place(event["source"], event["after_call"]),
        parameters=names,
        evidence={"step_after": event["after_call"], "optimizers": [first, second]},
    )


def _uses(step: EventRow, name: str) -> bool:
    return any(name in row["parameters"] for row in step.get("content", ()))


def _found(evidence: Evidence, event: EventRow, stale: dict[str, set[int]]) -> Finding:
    number = event["optimizer"]
    assert isinstance(number, int)
    calls = sorted(set().union(*stale.values()))
    name = evidence.optimizer_name(number)
    last = event["after_call"]
    assert isinstance(last, int)
    which = ", ".join(str(call) for call in calls)
    return RULE.found(
        f"{name}.step() after backward call {last} uses the gradients of backward call {which} again: an "
        f"earlier step has already used them, and {pluralize(len(stale), 'parameter')} still had them in grad",
        f"call {name}.zero_grad() before each backward(), or after each step",
        at=Place(event["source"], last),
        parameters=stale,
        evidence={"step_after": last, "used_again": calls},
    )


RULE = Rule("stale-gradient", "warning", ("steps",), check, __doc__)
