"""The loss has the same bits in every step.

Why it matters: nothing is learned. Usually the loss does not depend on the parameters that the optimizer moves,
or no step moves them.

How to fix it: check that the optimizer holds the parameters of the model that computes the loss, and that the
learning rate is not 0. A loss that was falling before has converged, or its learning rate has become too small.

The rule: the same value, not 0, in at least 50 steps in a row; not for a loss in half precision. It is a note
if the loss was different before.

Example:

    model = copy.deepcopy(template)
    optimizer = torch.optim.SGD(template.parameters(), lr=0.1)     # of the other copy
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.diagnosis.wording import number
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each loss."""
    for trigger in evidence.triggers("constant_root"):
        found = RULE.found(
            f"the loss has been exactly {number(trigger['value'])} in {trigger['steps']:,} steps, from step"
            f" {trigger['step']:,} on",
            "check that the optimizer holds the parameters that the loss depends on, and the learning rate",
            evidence={"since": trigger["step"], "steps": trigger["steps"], "value": trigger["value"]},
        )
        if trigger["step"] > 1:
            found.severity = "note"  # it may have converged
        yield found


RULE = Rule("constant-loss", "warning", ("timeline",), check, __doc__)
