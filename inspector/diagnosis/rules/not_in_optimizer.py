"""Parameters get gradients but are not in any optimizer, although other parameters of the same model are.

Why it matters: backward fills their `grad`, but nothing uses it, and they keep their initial values. The loss
falls anyway, because the other parameters learn.

How to fix it: give the optimizer all parameters (`model.parameters()`), or add the missing ones as another
group. If they are meant to stay fixed, call `requires_grad_(False)`, which also saves computing their
gradients.

Example:

    optimizer = torch.optim.Adam(model.decoder.parameters())      # and the encoder?
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each model partly held by an optimizer that stepped: the parameters that no optimizer holds."""
    learning = {
        leaf["model"]: number
        for leaf in evidence.leaves
        for number in leaf["optimizers"]
        if number in evidence.stepped and leaf["model"] is not None and leaf["calls"]
    }
    forgotten = [
        leaf
        for leaf in evidence.leaves
        if not leaf["optimizers"]
        and leaf["registered"]
        and leaf["requires_grad"]
        and not leaf["written"]
        and any(row["gradient"] for row in leaf["calls"])
    ]
    for model, number in learning.items():
        rows = [leaf for leaf in forgotten if leaf["model"] == model]
        if rows:
            first = next(row for row in rows[0]["calls"] if row["gradient"])
            made = evidence.optimizers[number]["source"]
            one = f"parameter of {model} gets a gradient but is"
            many = f"parameters of {model} get gradients but are"
            yield RULE.found(
                f"{pluralize(len(rows), one, many)} not in any optimizer, although other parameters of the same "
                "model are",
                f"give them to {evidence.optimizer_name(number)}, or freeze them with requires_grad_(False)",
                at=Place(made, first["backward_call"], (first["tensor"],) if first["tensor"] else ()),
                parameters=[row["name"] for row in rows],
                evidence={"forgotten": len(rows)},
            )


RULE = Rule("not-in-optimizer", "warning", ("steps", "gradients"), check, __doc__)
