"""The optimizer holds a parameter that has since been replaced in its module.

Why it matters: an optimizer holds the Parameters it was given and does not notice when a module gets a new
layer or a new Parameter. It updates the old ones, which are no longer used, and the new ones never learn.

How to fix it: change the model first and create the optimizer afterwards; or add the new parameters with
`optimizer.add_param_group`; or write into the old ones: `with torch.no_grad(): weight.copy_(new)`.

Example:

    optimizer = torch.optim.Adam(model.parameters())
    model.head = nn.Linear(64, 10)      # the optimizer still holds those of the old head
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.places import line_of
from inspector.report import Finding
from inspector.report.row_types import Replaced
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each optimizer that has stepped since: the parameters that were replaced in their modules."""
    for number, optimizer in enumerate(evidence.optimizers):
        last = max((step["after_call"] for step in evidence.steps if step["optimizer"] == number), default=0)
        rows = [row for row in optimizer.get("replaced", ()) if row["backward_call"] <= last]
        if rows:
            yield _found(evidence, number, rows)


def _found(evidence: Evidence, number: int, rows: list[Replaced]) -> Finding:
    made = evidence.optimizers[number]["source"]
    new = next((row["source"] for row in rows if row["source"] is not None), None)
    name = evidence.optimizer_name(number)
    line = line_of(made)
    where = f" in line {line}" if line is not None else ""
    held = pluralize(len(rows), "parameter that its module", "parameters that their modules")
    return RULE.found(
        f"{name} holds {held} replaced after the optimizer was created{where}",
        f"create {name} after the last change to the model, or add the new parameters with add_param_group",
        at=Place(new or made, rows[0]["backward_call"]),
        parameters=[row["parameter"] for row in rows],
        evidence={"optimizer_made": line, "replaced": line_of(new)},
    )


RULE = Rule("replaced-parameter", "warning", ("steps",), check, __doc__)
