"""A parameter has a gradient, but no step moves it.

Why it matters: they keep their initial values, although their gradients are computed and the optimizer holds
them. The loss can fall nevertheless, since the others learn.

How to fix it: look at the learning rate of their parameter group: it may be 0, or so small that the update is
rounded away (in bfloat16, updates below 1/256 of the value are). Look for code that writes the old values back.

Example:

    optimizer = torch.optim.SGD([{"params": body}, {"params": head, "lr": 0.0}], lr=0.1)
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.diagnosis.wording import number
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for all of them."""
    for trigger in evidence.triggers("unmoved"):
        names = [name for name in trigger["parameters"] if evidence.is_trained(name)]
        if not names or evidence.triggers("zero_rate"):
            continue
        more = f" and {len(names) - 1:,} more parameters" if len(names) > 1 else ""
        yield RULE.found(
            f"no step from {trigger['step']:,} to the end has changed `{names[0]}`{more}, although the gradient"
            f" norm was up to {number(trigger['value'])}",
            "check the learning rate of its parameter group, and code that writes the old values back",
            parameters=names,
            evidence={"since": trigger["step"], "steps": trigger["steps"]},
        )


RULE = Rule("unmoved-parameter", "warning", ("timeline",), check, __doc__)
