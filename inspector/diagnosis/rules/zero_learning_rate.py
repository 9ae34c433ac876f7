"""The learning rate is 0 in many steps in a row.

Why it matters: such a step changes nothing, and the run goes on without learning. Schedules that count batches
where epochs are meant, or that end before the training does, reach 0 unnoticed.

How to fix it: give the scheduler the number of its steps in this run (`T_max`, `total_steps`), and call
`scheduler.step()` where it is meant: after each epoch, or after each batch.

The rule: the learning rate of every parameter group of an optimizer is 0 in at least 20 steps in a row.

Example:

    scheduler = LambdaLR(optimizer, lambda step: max(0.0, 1 - step / 100))     # 10 epochs of 100 batches
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each optimizer."""
    for trigger in evidence.triggers("zero_rate"):
        yield RULE.found(
            f"the learning rate is 0 from step {trigger['step']:,} on: {trigger['steps']:,} steps changed nothing",
            "give the scheduler the number of steps of this run, and check where scheduler.step() is called",
            evidence={"since": trigger["step"], "steps": trigger["steps"]},
        )


RULE = Rule("zero-learning-rate", "warning", ("timeline",), check, __doc__)
