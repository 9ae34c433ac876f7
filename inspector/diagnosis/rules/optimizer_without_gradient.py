"""An optimizer steps, but its parameters never got a gradient: their model is not in use, or all are frozen.

Why it matters: the optimizer was created for another model than the one that is trained: the original of a
`deepcopy`, the model of an earlier experiment, or one that was rebuilt since. Or it holds the part of the model
that is frozen, while the part that gets gradients is in no optimizer. It steps without an error, and the model in
use does not change.

How to fix it: create the optimizer after the model, with the parameters of the model you train. Give it those
whose requires_grad is True.

Example:

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model = Net()                        # the optimizer holds the parameters of the old one
    model(x).sum().backward()
    optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.unreached_parameters import unreached_parameters
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.cut_text import advice
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line
from inspector.report import Finding
from inspector.report.row_types import CutRow, LeafRow
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each optimizer that stepped: its parameters that no recorded call reached, of models that are not in
    use; or all of its parameters, if all are frozen and others get gradients that no optimizer uses."""
    rows = [row for row in unreached_parameters(evidence) if not (row.of_a_model_in_use and row.others_reached)]
    for number in sorted(evidence.stepped):
        names = [row.leaf["name"] for row in rows if number in row.leaf["optimizers"]]
        if names:
            optimizer = evidence.optimizers[number]
            held = sum(len(group["parameters"]) for group in optimizer["groups"])
            steps = sum(1 for step in evidence.steps if step["optimizer"] == number)
            why, fix = _explained(evidence, [row.leaf for row in rows if row.leaf["name"] in names])
            yield RULE.found(
                f"{evidence.optimizer_name(number)} stepped {pluralize(steps, 'time')}, but {len(names)} of "
                f"its {pluralize(held, 'parameter')} never got a gradient{why}",
                fix,
                at=Place(optimizer["source"]),
                parameters=names,
                evidence={"held": held, "without": len(names), "steps": steps},
            )
        elif not evidence.held_by(number):
            yield from _empty(evidence, number)
        elif not evidence.optimizers[number].get("replaced"):  # else those are the cause
            yield from _frozen(evidence, number)


def _explained(evidence: Evidence, leaves: list[LeafRow]) -> tuple[str, str]:
    """(addition to the message, advice): what is known of leaves without a gradient."""
    asked = [call for call in evidence.calls if all(_is_asked_for(call, leaf) for leaf in leaves)]
    if asked:
        return (
            f": torch.autograd.grad{at_line(asked[0].row.location)} returned their gradients, but sets no grad",
            "set the grad of each parameter to what it returned, or call backward() instead",
        )
    if all(leaf["ran"] and leaf["without_graph"] is None for leaf in leaves):
        cut = _only_way_to_the_loss(evidence, {leaf["name"] for leaf in leaves})
        if cut is not None:
            return (
                f": the loss uses what they compute only by {cut.get('code') or cut['operation']}"
                f"{at_line(cut['region'] or cut['source'])}, which carries no gradient",
                f"{advice(cut)}; or create the optimizer with the parameters of the model you train",
            )
        return (
            ", although their modules ran",
            "use the output of their modules in the loss, without nn.Parameter(output) or torch.tensor(output), "
            "which have no graph, or create the optimizer with the parameters of the model you train",
        )
    return "", "create the optimizer with the parameters of the model you train"


def _only_way_to_the_loss(evidence: Evidence, names: set[str]) -> CutRow | None:
    """The first cut whose data reach the root and that has all these leaves behind it."""
    cuts = (cut for call in evidence.calls_recorded_in_full for cut in call.row.cuts)
    reaching = (cut for cut in cuts if cut["into"] or cut["root"])
    return next((cut for cut in reaching if names.issubset(cut["beyond"] or ())), None)


def _is_asked_for(call: BackwardView, leaf: LeafRow) -> bool:
    """Whether a call is a `torch.autograd.grad` that returns the gradient of a leaf."""
    here = [row["tensor"] for row in leaf["calls"] if row["backward_call"] == call.index]
    return bool(set(here).intersection(call.row.setting.wanted or ()))


def _empty(evidence: Evidence, number: int) -> Iterator[Finding]:
    left_out = [leaf["name"] for leaf in evidence.leaves if not leaf["optimizers"] and leaf["calls"]]
    if evidence.trained_later.intersection(left_out):
        return  # they were added to it
    yield RULE.found(
        f"{evidence.optimizer_name(number)} steps, but holds no parameter, so its steps change nothing",
        "create it with model.parameters(), and do not empty its param_groups",
        at=Place(evidence.optimizers[number]["source"]),
        parameters=left_out,
        evidence={"held": 0, "without": 0, "left_out": left_out},
    )


def _frozen(evidence: Evidence, number: int) -> Iterator[Finding]:
    held = [leaf for leaf in evidence.leaves if number in leaf["optimizers"]]
    left_out = [
        leaf["name"]
        for leaf in evidence.leaves
        if not leaf["optimizers"] and leaf["registered"] and any(row["gradient"] for row in leaf["calls"])
    ]
    left_out = left_out or _outside_of_modules(evidence)
    if not held or not left_out or any(leaf["requires_grad"] or leaf["calls"] for leaf in held):
        return
    if evidence.trained_later.intersection(leaf["name"] for leaf in held):
        return
    optimizer, few = evidence.optimizers[number], ", ".join(left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    yield RULE.found(
        f"{evidence.optimizer_name(number)} holds only frozen parameters, while {few}{more} "
        f"{'get gradients' if len(left_out) > 1 else 'gets a gradient'} and "
        f"{'are' if len(left_out) > 1 else 'is'} in no optimizer",
        "give the optimizer the parameters whose requires_grad is True",
        at=Place(optimizer["source"]),
        parameters=[leaf["name"] for leaf in held],
        evidence={"held": len(held), "without": len(held), "left_out": left_out},
    )


def _outside_of_modules(evidence: Evidence) -> list[str]:
    """The leaves that no module and no optimizer holds, such as a prompt, and that get gradients, if no optimizer
    holds a parameter that gets one."""
    if any(leaf["optimizers"] and any(row["gradient"] for row in leaf["calls"]) for leaf in evidence.leaves):
        return []
    known = {leaf["name"] for leaf in evidence.leaves}
    calls = [call for call in evidence.calls if call.row.setting.wanted is None]
    found = [name for call in calls for name in call.names(call.leaf_of.values())]
    return [name for name in dict.fromkeys(found) if name not in known]


_NAMED = 3
"""Maximum number of parameters named in a message."""


RULE = Rule("optimizer-without-gradient", "warning", ("steps", "gradients"), check, __doc__)
