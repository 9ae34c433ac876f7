"""An optimizer with a memory is created anew for every step.

Why it matters: Adam and momentum average the gradients of earlier steps. In an optimizer that is created for one
step these averages begin at zero, so that Adam only takes the sign of each gradient, and momentum has no effect. A
scheduler, too, begins anew.

How to fix it: create the optimizer once, before the loop, and pass it to the function that makes a step.

Example:

    def train_step(model, x, y):
        optimizer = torch.optim.Adam(model.parameters())     # once, before the loop
        criterion(model(x), y).backward()
        optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from inspector.diagnosis.analysis.earlier_graphs import changed_leaves
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.places import exact_place
from inspector.report import Finding
from inspector.report.row_types import OptimizerRow

FEWEST = 3
"""Optimizers from the same line: two may belong to two phases of a training."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each line that creates such optimizers, one after another, for the same parameters."""
    lines: dict[object, list[int]] = {}
    for number, row in enumerate(evidence.optimizers):
        line = exact_place(row["source"])
        if line is not None and _has_memory(row):
            lines.setdefault(line, []).append(number)
    for numbers in lines.values():
        names = [leaf["name"] for leaf in evidence.leaves if set(numbers) <= set(leaf["optimizers"])]
        if len(numbers) >= FEWEST and names and _goes_on(evidence, numbers, set(names)):
            first = evidence.optimizers[numbers[0]]
            yield RULE.found(
                f"{first['class']} is created anew for each step, {len(numbers)} times in the recorded calls: "
                "what it remembers of earlier gradients is lost",
                "create it once, before the loop",
                at=Place(first["source"]),
                parameters=names,
                evidence={"optimizers": len(numbers)},
            )


def _has_memory(row: OptimizerRow) -> bool:
    """Whether a step depends on the gradients of earlier ones: not plain gradient descent."""
    return row["class"] != "SGD" or any(group["options"].get("momentum") for group in row["groups"])


def _goes_on(evidence: Evidence, numbers: list[int], names: set[str]) -> bool:
    """Whether each of these optimizers made one step after one backward call, from where the one before had ended.

    The last may not have stepped yet. If the parameters are set back before each step, as in an adaptation to
    single samples, it is right.
    """
    steps = [step for step in evidence.steps if step["optimizer"] in numbers]
    if [step["optimizer"] for step in steps] not in (numbers, numbers[:-1]):
        return False
    if any(later["after_call"] - step["after_call"] != 1 for step, later in pairwise(steps)):
        return False
    calls = {call.index: call for call in evidence.calls_with_all_gradients}
    used = [calls.get(steps[0]["after_call"] + position) for position in range(len(numbers))]
    pairs = [(one, other) for one, other in pairwise(used) if one is not None and other is not None]
    return len(pairs) == len(numbers) - 1 and all(changed_leaves(*pair) & names for pair in pairs)


RULE = Rule("rebuilt-optimizer", "warning", ("optimizers", "steps"), check, __doc__)
