"""A statement does nothing: a method is named but not called, or a result is dropped.

Why it matters: `loss.backward` without parentheses is a valid statement that only looks the method up;
`p.clamp(0)` returns a new tensor and leaves `p` as it is; `p.requires_grad == False` compares; `p = p - p.grad` in
a loop over parameters gives the variable `p` another tensor. Python raises no error, and the training goes on
without the step, the limit or the freeze that was meant.

How to fix it: call the method (`optimizer.step()`), use its in-place form (`p.clamp_(0)`) or assign its result,
and assign with a single `=`.

Example:

    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad              # optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import StatementRow

KINDS = ("not_called", "compared", "dropped", "rebound")


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each such statement, in the order of the text."""
    for row in evidence.report.inventory.statements:
        if row["kind"] in KINDS:
            yield _finding(row, _held_by(evidence, row))


def _held_by(evidence: Evidence, row: StatementRow) -> list[str]:
    """The parameters of the optimizer whose method is not called; empty for other statements."""
    owner = row["text"].rpartition(".")[0]
    named = [number for number, optimizer in enumerate(evidence.optimizers) if optimizer["name"] == owner]
    is_method = row["kind"] == "not_called" and len(named) == 1
    return sorted(evidence.held_by(named[0])) if is_method else []


def _finding(row: StatementRow, parameters: list[str]) -> Finding:
    text, of = row["text"], f" of {row['of']}" if row["of"] is not None else ""
    method = text.partition("(")[0].rpartition(".")[2]
    if row["kind"] == "not_called":
        message = f"{text} names the method{of} but does not call it, so it does nothing"
        advice = f"call it: {text}()"
    elif row["kind"] == "compared":
        message = f"{text} compares and drops the result, so nothing is changed"
        advice = f"assign with a single =: {text.replace('==', '=', 1).replace(' is ', ' = ', 1)}"
    elif row["kind"] == "rebound":
        name = text.partition(" ")[0]
        message = f"{text} gives the loop's variable a new tensor, which is dropped: the parameter is not changed"
        advice = f"change it in place under torch.no_grad(): {name} -= ..., or {name}.copy_(...)"
    else:
        message = f"{text} returns a new tensor, which is dropped: the tensor itself is not changed"
        advice = "assign the result" + ("" if method in _NO_TWIN else f", or use the in-place form {method}_")
    return RULE.found(message, advice, at=Place(row["source"] | {"part": text}), parameters=parameters)


_NO_TWIN = ("to", "cuda", "float", "half", "double", "bfloat16")


RULE = Rule("statement-without-effect", "warning", (), check, __doc__)
