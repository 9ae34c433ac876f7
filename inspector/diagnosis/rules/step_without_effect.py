"""The steps of an optimizer change nothing: its learning rate is 0, or all its gradients are exactly zero.

Why it matters: a scheduler that is built for another number of steps, or a factor that is 0 from the start, sets
the rate to 0. A mask that is zero everywhere, or a target that is the prediction itself, makes every gradient
zero. The loss then only varies with the batches, and no error is raised.

How to fix it: print `optimizer.param_groups[0]["lr"]` after each step; give the scheduler the steps of this run,
and a warm-up that begins above 0. Where the gradients are zero, look at the named line.

Example:

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step // 1000)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from inspector.diagnosis.analysis.earlier_graphs import changed_leaves
from inspector.diagnosis.analysis.learning_rates import had_a_rate
from inspector.diagnosis.analysis.zero_origin import (
    equal_operands,
    find_zero_causes,
    is_zero_loss,
    rule_for,
    squared_zeros_of,
)
from inspector.diagnosis.analysis.zero_texts import explained, location
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.value_norms import is_zero
from inspector.report import Finding
from inspector.report.row_types import OptimizerRow
from inspector.typography import pluralize

FEWEST_STEPS = 2
"""Steps of an optimizer that change nothing: the first step of a warm-up may have a rate of 0."""

ZERO_GRADIENT = "zero-gradient"


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each optimizer that made several steps, and whose parameters have not changed."""
    changed = {name for pair in pairwise(evidence.calls_with_all_gradients) for name in changed_leaves(*pair)}
    for number, row in enumerate(evidence.optimizers):
        steps = [step for step in evidence.steps if step["optimizer"] == number]
        if changed & evidence.held_by(number):
            continue
        moving = [step for step in steps if not step.get("empty")]
        if len(moving) >= FEWEST_STEPS and _has_no_rate(row):
            if had_a_rate(evidence, number):
                continue  # the warm-up began at 0
            yield _without_rate(evidence, number, len(moving))
        elif not moving and len(steps) >= FEWEST_STEPS:
            yield from _with_zeros(evidence, number, len(steps))


def _without_rate(evidence: Evidence, number: int, steps: int) -> Finding:
    return RULE.found(
        f"the learning rate of {evidence.optimizer_name(number)} is 0 after {pluralize(steps, 'step')}: they "
        "changed nothing",
        "give the scheduler the number of steps of this run, and a warm-up that begins above 0",
        at=Place(evidence.optimizers[number]["source"]),
        parameters=sorted(evidence.held_by(number)),
        evidence={"steps": steps},
    )


def _has_no_rate(row: OptimizerRow) -> bool:
    """Whether every group has a learning rate, and it is 0."""
    rates = [group["options"].get("lr") for group in row["groups"]]
    return bool(rates) and all(rate == 0 and rate is not None for rate in rates)


def _with_zeros(evidence: Evidence, number: int, steps: int) -> Iterator[Finding]:
    """Backward gave all parameters of an optimizer gradients that are exactly zero, in several calls."""
    held = evidence.held_by(number)
    given = [(call, leaves) for call in evidence.calls_with_all_gradients if (leaves := _leaves(call, held))]
    gradients = [call.tensors[leaf]["gradient"] for call, leaves in given for leaf in leaves.values()]
    if len(given) < FEWEST_STEPS or not all(map(is_zero, gradients)):
        return
    call, leaves = given[0]
    causes = [cause for cause in find_zero_causes(evidence, call) if set(cause.leaves) <= set(leaves.values())]
    node, all_calls = equal_operands(call, leaves), [call for call, _ in given]
    if len(causes) == 1 and rule_for(call, causes[0]) == ZERO_GRADIENT:
        wrong, advice = explained(call, causes[0])
        place = Place(location(evidence, call, causes[0]), call.index, (causes[0].node, causes[0].edge.target))
    elif not causes and node is not None and all(map(is_zero_loss, all_calls)):
        if squared_zeros_of(call, leaves) is not None:
            return  # a dead activation
        wrong = f"{call.functions[node]['name']} compares tensors that are equal, and its gradient is zero there"
        advice = "compare the prediction with a target of its own, not with what the same parameters computed"
        place = Place(call.location(node), call.index, (node,))
    else:
        return  # another rule says why
    yield RULE.found(
        f"{wrong}: all gradients were zero in {pluralize(steps, 'step')} of {evidence.optimizer_name(number)}, "
        "which changed nothing",
        advice,
        at=place,
        parameters=call.names(leaves.values()),
        evidence={"steps": steps},
    )


def _leaves(call: BackwardView, held: frozenset[str]) -> dict[str, str]:
    """The leaves of a call that an optimizer holds, by their Nodes."""
    return {node: leaf for node, leaf in call.leaf_of.items() if call.name(leaf) in held}


RULE = Rule("step-without-effect", "warning", ("steps",), check, __doc__)
