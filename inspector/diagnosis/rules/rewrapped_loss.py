"""The root is a new leaf created from the value of a loss, so backward ends where it starts.

Why it matters: `torch.tensor(loss, requires_grad=True)` and `loss.requires_grad_()` only silence torch's
error. The new tensor has no connection to the parameters: its own grad becomes 1, and theirs stay None.

How to fix it: call backward on the loss itself. If it has no grad_fn, find out why.

Example:

    loss = torch.tensor(criterion(model(x), y), requires_grad=True)
    loss.backward()
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.cut_text import location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.values import is_unknown
from inspector.report import Finding
from inspector.report.row_types import CutRow

_OUT_OF_SIGHT = ("item", "tolist", "numpy", "detach", "data")
"""Cuts after which the further use of the numbers is not recorded."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Roots that are leaves created from a tensor that was cut off."""
    for call in evidence.calls:
        for root in call.graph.roots:
            if call.tensors[root]["is_leaf"] and not evidence.in_optimizer(call.name(root)):
                yield from _rewrapped(evidence, call, root)


def _rewrapped(evidence: Evidence, call: BackwardView, root: str) -> Iterator[Finding]:
    name = call.name(root)
    cuts = [cut for cut in call.row.cuts if cut["root"]] or [
        cut for cut in call.row.cuts if cut["kind"] in _OUT_OF_SIGHT and set(cut["leaves"] or ()) - {name}
    ]
    if not cuts:
        return
    leaves = [leaf for cut in cuts for leaf in cut["leaves"] or () if leaf != name]
    yield RULE.found(
        f"{name} is a new leaf created from numbers: backward reaches only {name} itself",
        f"call backward on the tensor {name} was created from",
        at=Place(_line(call, root, cuts), call.index, (root,)),
        parameters=[leaf for leaf in leaves if evidence.is_stepped(leaf)],
    )


def _line(call: BackwardView, root: str, cuts: list[CutRow]) -> Any:
    """The line that created the leaf; if unknown, the line of the last cut."""
    source = call.tensors[root]["source"]
    return location(cuts[-1]) if source is None or is_unknown(source) else source


RULE = Rule("rewrapped-loss", "error", ("forward",), check, __doc__)
