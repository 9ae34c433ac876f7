"""The optimizer holds a parameter that its module has replaced since.

Why it matters: an optimizer holds the Parameters that it was given. A new layer, or a new Parameter, in their
place is unknown to it: it steps the old ones, which nobody uses any more, and the new ones never learn.

How to mend it: change the model first and make the optimizer afterwards; or give it the new parameters with
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
    """For each optimizer that has stepped since: what it holds and its modules do not."""
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
    held = pluralize(len(rows), "parameter that its module has", "parameters that their modules have")
    return RULE.found(
        f"{name} holds {held} replaced since it was made{where}",
        f"make {name} after the last change of the model, or add the new parameters with add_param_group",
        at=Place(new or made, rows[0]["backward_call"]),
        parameters=[row["parameter"] for row in rows],
        evidence={"optimizer_made": line, "replaced": line_of(new)},
    )


RULE = Rule("replaced-parameter", "warning", ("steps",), check, __doc__)
