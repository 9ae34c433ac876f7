"""A saved tensor was overwritten in place before backward used it.

Why it matters: an operation computes its derivative from the tensors it saved in the forward. torch counts
in-place writes, notices that a saved value is gone and raises, but names neither the line that saved the
tensor nor the line that overwrote it.

How to fix it: compute a new tensor (`h = h + 1` instead of `h += 1`), or write to a `clone()`. If
`optimizer.step()` is the writer, run every backward through the old graph before the step, or run the forward
again.

Example:

    h = torch.sigmoid(layer(x))      # saves its result
    h += 1                           # overwrites it
    h.sum().backward()               # RuntimeError
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.analysis.node_ops import is_of_kind, operation
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line
from inspector.graph.node_kinds import NodeKind
from inspector.graph.traversal import reach
from inspector.report import Finding

_RAISED = "has been modified by an inplace operation"
_ADVICE = "compute a new tensor (`h = h + 1`, not `h += 1`), or write to a clone"
_OF_EMBEDDING = (
    "call it before the weight is used elsewhere, or use weight.clone() there: max_norm rescales rows in place"
)
_WITHOUT_INPLACE = "pass inplace=False to it, so that it makes a new tensor"
_ADVICES = {
    "embedding": _OF_EMBEDDING,
    "embedding_bag": _OF_EMBEDDING,
    **dict.fromkeys(
        (
            *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "hardswish"),
            *("hardsigmoid", "threshold", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
        ),
        _WITHOUT_INPLACE,
    ),
}
"""By the operation that wrote."""
_OF_LIBRARY = "run the forward again after this line, which changes a parameter in place"
_STEP_ADVICE = "call backward before the optimizer steps, or run the forward again after the step"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The Node at which backward stopped with torch's error, and the line that overwrote its saved tensor."""
    for call in evidence.calls:
        if _RAISED in (call.graph.error or "") and call.graph.steps:
            yield _found(evidence, call, call.graph.steps[-1])


def _found(evidence: Evidence, call: BackwardView, node: str) -> Finding:
    row = call.functions[node]
    saved = [item["name"] for item in row["saved"] if item["before"] == "modified"]
    what = f"`{saved[0]}`" if saved else "a tensor"
    saver = f"{operation(call, node)}{at_line(call.location(node))} saved {what} for its backward"
    write, step = _writer(call, node, saved), _step(evidence, call, node)
    if write is not None and step is not None and write["source"] == step["source"]:
        write = None  # the optimizer made this write
    source, advice = call.location(node), _ADVICE
    if write is not None:
        of_a_leaf = not write["direct"] and write.get("tensor") in call.leaf_of.values()
        otherwise = _OF_LIBRARY if of_a_leaf else _ADVICE
        source, advice = write["source"] or source, _ADVICES.get(write["operation"], otherwise)
        who = f"{write['code'] or write['operation']}{at_line(write['source'])} overwrote it before backward"
    elif step is not None:
        source, advice = step["source"], _STEP_ADVICE
        who = (
            f"{step['source'].get('code', 'an optimizer')}{at_line(step['source'])} overwrote it before backward"
        )
    else:
        who = "a line that was not recorded overwrote it before backward"
    return RULE.found(
        f"{saver}, and {who}",
        advice,
        at=Place(source, call.index, (node,)),
        parameters=call.leaves_affected_by([node]),
        evidence={"saved": saved, "error": call.graph.error},
    )


def _writer(call: BackwardView, node: str, saved: list[str]) -> Any:
    """The first write, after the Node was created, to the storage of its saved tensor."""
    for write in call.row.writes:
        if any(item["node"] == node and (not saved or item["name"] in saved) for item in write.get("saved", ())):
            return write
    return None


def _step(evidence: Evidence, call: BackwardView, node: str) -> Any:
    """The last step before this call of an optimizer that holds a leaf used by the Node."""
    given = set(call.names(_direct_leaves(call, node)))
    for event in reversed(evidence.events):
        if event["event"] == "step" and 0 < event["after_call"] < call.index and event["optimizer"] is not None:
            groups = evidence.optimizers[event["optimizer"]]["groups"]
            if any(given.intersection(group["parameters"]) for group in groups):
                return event
    return None


def _direct_leaves(call: BackwardView, node: str) -> Iterator[str]:
    """The leaves that a Node used, directly or as a view."""
    def viewed(below: str) -> list[str]:
        return call.inputs_of(below) if is_of_kind(call, below, NodeKind.SELECTS) else []

    return (call.leaf_of[below] for below in reach(call.inputs_of(node), viewed) if below in call.leaf_of)


RULE = Rule("inplace-modified", "error", ("gradients",), check, __doc__)
