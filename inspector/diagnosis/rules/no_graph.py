"""backward() is called on a tensor that does not depend on any tensor that requires a gradient.

Why it matters: torch raises "element 0 of tensors does not require grad and does not have a grad_fn". The
message says what is missing, but not where it was lost.

How to fix it: find the operation that cuts the loss off from the parameters: an argmax or a comparison,
`no_grad` around the forward, a conversion to NumPy or `.item()`, a new tensor built from numbers. If there is
none, no input requires a gradient.

Example:

    predicted = logits.argmax(dim=1).float()     # integers have no derivative
    loss = ((predicted - target) ** 2).mean()
    loss.backward()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.cut_text import advice, by_place, described, location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import CutRow

_OFF_THE_GRAPH = ("item", "tolist", "numpy", "detach", "data", "tensor")
"""Cuts after which the further use of the numbers is not recorded."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Calls whose root has no graph, and the operations that cut it off."""
    for call in evidence.calls:
        if call.graph.roots or call.graph.error is None:
            continue
        cuts = _at_fault(call)
        yield _cut_off(call, cuts) if cuts else _nothing_needs_one(evidence, call)


def _at_fault(call: BackwardView) -> list[CutRow]:
    """The cuts at the first location that the root depends on; otherwise at the last conversion to numbers."""
    seen = by_place(cut for cut in call.row.cuts if cut["root"])
    if seen:
        return seen[0]
    numbers = by_place(cut for cut in call.row.cuts if cut["kind"] in _OFF_THE_GRAPH and cut["leaves"] != [])
    return numbers[-1] if numbers else []


def _cut_off(call: BackwardView, cuts: list[CutRow]) -> Finding:
    return RULE.found(
        f"the root has no grad_fn: {described(cuts[0])}",
        advice(cuts[0]),
        at=Place(location(cuts[0]), call.index),
        parameters=[name for cut in cuts for name in cut["leaves"] or ()],
        evidence={"kind": cuts[0]["kind"]},
    )


def _nothing_needs_one(evidence: Evidence, call: BackwardView) -> Finding:
    asked = [
        name
        for event in evidence.events
        if event["event"] == "without_graph" and event["after_call"] == call.index - 1
        for name in event["parameters"]
    ]
    mode = call.row.setting.recording
    if mode == "full":
        why = "no operation was seen that cut it off from a tensor that requires a gradient"
    else:
        why = f"why is not known, since its forward was not recorded in full (--record {mode})"
    return RULE.found(
        f"the root has no grad_fn: {why}",
        f"create {', '.join(asked) or 'the tensors to train'} with requires_grad=True",
        at=Place(call.row.location, call.index),
        parameters=asked,
    )


RULE = Rule("no-graph", "error", (), check, __doc__)
