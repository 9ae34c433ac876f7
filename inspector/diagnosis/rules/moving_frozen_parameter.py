"""A frozen parameter changes: requires_grad is False, but the optimizer still uses its old grad.

Why it matters: `requires_grad = False` only stops new gradients. An optimizer updates every parameter that
has a `grad`: with an old grad left, the frozen parameter keeps changing, weight decay and momentum included.

How to fix it: set `grad = None` when you freeze a parameter, or give the optimizer only the parameters to
train.

Example:

    loss.backward()
    optimizer.step()
    for parameter in backbone.parameters():
        parameter.requires_grad = False      # its grad stays
    head(backbone(x)).sum().backward()
    optimizer.step()                         # moves the backbone by its old grad
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first step of each optimizer that changed parameters which do not require a gradient."""
    reported: set[int] = set()
    for event in evidence.steps:
        moved, number = event.get("moved"), event["optimizer"]
        if not moved or number is None or number in reported:
            continue
        reported.add(number)
        name = evidence.optimizer_name(number)
        yield RULE.found(
            f"{name}.step() moved {pluralize(len(moved), 'parameter')} whose requires_grad is False: each still "
            "has "
            "a grad",
            "set grad to None where requires_grad is turned off, or leave these parameters out of the optimizer",
            at=Place(event["source"]),
            parameters=moved,
            evidence={"step_after": event["after_call"]},
        )


RULE = Rule("moving-frozen-parameter", "warning", ("steps",), check, __doc__)
