"""The gradient of a parameter is exactly zero from some step on, and was not zero before.

Why it matters: these parameters are no longer trained. Typically a large step has pushed the inputs of relus
below zero for every sample, where no gradient passes; they never recover.

How to fix it: look at the step where it began, and at the one before. Lower the learning rate, clip the
gradients, or use an activation that lets gradients through below zero (leaky_relu, gelu).

The rule: the gradient is exactly zero in at least 80 recorded steps, up to the end, after at least 10 steps in
which it was not. Steps with a loss of zero do not count, nor do parameters that the graph no longer reaches.

Example:

    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)     # the first large gradient kills the hidden layer
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for all parameters that died at the same step."""
    for trigger in evidence.triggers("zero_gradient"):
        names = trigger["parameters"]
        more = f" and of {len(names) - 1:,} more parameters" if len(names) > 1 else ""
        yield RULE.found(
            f"the gradient of `{names[0]}`{more} has been exactly zero since step {trigger['step']:,}, in"
            f" {trigger['steps']:,} recorded steps; before, it was not",
            "lower the learning rate, clip the gradients, or use an activation without a flat side (gelu)",
            parameters=names,
            evidence={"since": trigger["step"], "steps": trigger["steps"]},
        )


RULE = Rule("dying-gradient", "warning", ("timeline",), check, __doc__)
