"""An attribute is set that torch does not read, or of one object where others are meant as well.

Why it matters: `module.requires_grad = False` creates an attribute of that name on the module and freezes nothing;
`optimizer.lr = 0.1` leaves the rates in `param_groups` as they are; `p.require_grad = False` is misspelt;
`model.training = False` sets the flag of that module alone, and the dropout and batch norm inside it stay in
training mode; `optimizer.param_groups[0]["lr"] = 0.1` leaves the other groups. Python accepts all of them, and the
training goes on as before.

How to fix it: `module.requires_grad_(False)`, `for group in optimizer.param_groups: group["lr"] = 0.1`,
`p.requires_grad = False`, `model.eval()`.

Example:

    model.backbone.requires_grad = False       # model.backbone.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import StatementRow

KINDS = ("of_module", "of_optimizer", "of_parent", "of_group", "misspelt")

_SHOWN = 3


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each such assignment, in the order of the text."""
    for row in evidence.report.inventory.statements:
        if row["kind"] in KINDS:
            yield _finding(row)


def _finding(row: StatementRow) -> Finding:
    text = row["text"]
    owner, _, name = text.rpartition(".")
    if row["kind"] == "of_module":
        message = f"{text} is set on a module ({row['of']}), where torch does not read it: no parameter is changed"
        advice = f"call {owner}.requires_grad_(...), which sets it on every parameter"
    elif row["kind"] == "of_optimizer":
        message = f"{text} is set on the optimizer ({row['of']}), which reads {name} from its param_groups"
        advice = f'set it there: for group in {owner}.param_groups: group["{name}"] = ...'
    elif row["kind"] == "of_parent":
        return _of_parent(row)
    elif row["kind"] == "of_group":
        group, _, key = text.removesuffix("]").rpartition("[")
        owner = group.partition(".param_groups")[0]
        message = f"{text} is set in one parameter group of the optimizer ({row['of']}): the others keep their own"
        advice = f"set it in each: for group in {owner}.param_groups: group[{key}] = ..."
    else:
        message = f"{text} is an attribute that torch does not have; requires_grad is meant"
        advice = f"set {owner}.requires_grad"
    return RULE.found(message, advice, at=Place(row["source"] | {"part": text}))


def _of_parent(row: StatementRow) -> Finding:
    target, _, value = row["text"].partition(" = ")
    inside, method = row.get("inside", []), "train" if value == "True" else "eval"
    more = f" and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
    return RULE.found(
        f"{row['text']} sets the mode of that module ({row['of']}) alone: "
        f"{' and '.join(inside) if len(inside) == 2 else ', '.join(inside[:_SHOWN])}{more} inside it "
        f"{'keeps its own' if len(inside) == 1 else 'keep their own'}",
        f"call {target.removesuffix('.training')}.{method}(), which sets it on every module",
        at=Place(row["source"] | {"part": row["text"]}),
    )


RULE = Rule("attribute-without-effect", "warning", (), check, __doc__)
