"""The name of a parameter was assigned to the result of an update, a tensor that does not require a gradient.

Why it matters: `w = w - lr * w.grad` under `no_grad` creates a new tensor that does not require a gradient
and calls it `w`. The parameter itself does not change, and the next backward no longer reaches it.

How to fix it: update in place (`w -= lr * w.grad` under `no_grad`), or use an optimizer.

Example:

    with torch.no_grad():
        w = w - 0.1 * w.grad     # the next loss no longer depends on the parameter
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import CutRow

_UPDATES = ("no_grad", "detach", "data", "inference_mode")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Leaves of one call whose name is assigned the result of a cut, and that are not leaves of the next call."""
    for before, after in zip(evidence.calls, evidence.calls[1:], strict=False):
        lost = _leaves(before) - _leaves(after)
        cuts = [cut for cut in after.row.cuts if cut["kind"] in _UPDATES and _names(cut, lost)]
        cuts = [cut for cut in cuts if not _requires_grad_again(cut)]
        names = [name for cut in cuts for name in _names(cut, lost)]
        if cuts:
            yield RULE.found(
                f"{_target(cuts[0])} is now the result of {cuts[0].get('code')}, which does not require grad",
                "update in place under no_grad: name -= step, or name.sub_(step)",
                at=Place(cuts[0]["source"], after.index),  # not the line that turned gradients off
                parameters=names,
            )


def _names(cut: CutRow, lost: set[str]) -> list[str]:
    """The lost leaves whose name is assigned the result of a cut: `w`, or the items of `params` before the cut."""
    target = _target(cut)
    if target is None:
        return []
    container = target.partition("[")[0] + "["
    return [
        name for name in cut["leaves"] or () if name in lost and (name == target or name.startswith(container))
    ]


def _requires_grad_again(cut: CutRow) -> bool:
    """Whether the statement of a cut makes a new leaf on purpose: `x = x.detach().requires_grad_()`."""
    source = cut["source"]
    return source is not None and "unknown" not in source and _NEW_LEAF.search(source["code"]) is not None


def _target(cut: CutRow) -> str | None:
    """The target that the statement of a cut assigns, even if the cut is only part of it (a comprehension)."""
    assigned, source = cut.get("assigned"), cut["source"]
    if assigned is not None or source is None or "unknown" in source:
        return assigned
    found = _ASSIGNED.match(source["code"])
    return found[1] if found else None


_NEW_LEAF = re.compile(r"requires_grad_\((True)?\)")
_ASSIGNED = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\s*=[^=]")


def _leaves(call: BackwardView) -> set[str]:
    return {str(row["name"]) for row in call.tensors.values() if row["is_leaf"] and row["requires_grad"]}


RULE = Rule("rebound-leaf", "error", ("forward",), check, __doc__)
