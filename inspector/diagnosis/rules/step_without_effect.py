"""The steps of an optimizer change nothing, since its learning rate is 0.

Why it matters: a scheduler that is built for another number of steps, or a factor that is 0 from the start, sets
the rate to 0. The loss then only varies with the batches, and no error is raised.

How to fix it: print `optimizer.param_groups[0]["lr"]` after each step; give the scheduler the steps of this run,
and a warm-up that begins above 0.

Example:

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step // 1000)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from inspector.diagnosis.analysis.earlier_graphs import changed_leaves
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import OptimizerRow
from inspector.typography import pluralize

FEWEST_STEPS = 2
"""Steps of an optimizer whose rate is 0: the first step of a warm-up may have none."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each optimizer whose groups all have a rate of 0 after several steps, and whose parameters
    have not changed."""
    changed = {name for pair in pairwise(evidence.calls_with_all_gradients) for name in changed_leaves(*pair)}
    for number, row in enumerate(evidence.optimizers):
        steps = [step for step in evidence.steps if step["optimizer"] == number and not step.get("empty")]
        if len(steps) >= FEWEST_STEPS and _has_no_rate(row) and not changed & evidence.held_by(number):
            yield RULE.found(
                f"the learning rate of {evidence.optimizer_name(number)} is 0 after "
                f"{pluralize(len(steps), 'step')}: they changed nothing",
                "give the scheduler the number of steps of this run, and a warm-up that begins above 0",
                at=Place(row["source"]),
                parameters=sorted(evidence.held_by(number)),
                evidence={"steps": len(steps)},
            )


def _has_no_rate(row: OptimizerRow) -> bool:
    """Whether every group has a learning rate, and it is 0."""
    rates = [group["options"].get("lr") for group in row["groups"]]
    return bool(rates) and all(rate == 0 and rate is not None for rate in rates)


RULE = Rule("step-without-effect", "warning", ("steps",), check, __doc__)
