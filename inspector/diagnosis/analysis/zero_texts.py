"""Sentences about Nodes that turned gradients into zeros."""

from __future__ import annotations

from typing import Any

from inspector.diagnosis.analysis.node_ops import is_of_kind
from inspector.diagnosis.analysis.zero_origin import ZeroCause, is_at_origin
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.graph.node_kinds import NodeKind
from inspector.graph.value_norms import is_zero, value_norm
from inspector.typography import format_number


def location(evidence: Evidence, call: BackwardView, zero: ZeroCause) -> Any:
    """The line of the Node; for a hook on a leaf, the line that registered it."""
    leaf = call.leaf_of.get(zero.edge.target) if zero.hooked else None
    if leaf is not None:
        for event in reversed(evidence.events):
            if event["event"] == "hook" and call.name(leaf) in event["parameters"]:
                return event["source"]
    return call.location(zero.node)


def explained(call: BackwardView, zero: ZeroCause) -> tuple[str, str]:
    """(message, advice) of the finding."""
    function = call.functions[zero.node]
    name, size = function["name"], format_number(call.arrived(zero.node) or 0.0)
    if zero.hooked:
        return (
            f"a hook replaced with zeros the gradient from {name} to {_behind(call, zero)}",
            "check the hooks of that tensor: one returns zeros, or multiplies by a mask that is all zeros",
        )
    if zero.operand is not None:
        factor = _factor(call, zero.node, zero.operand)
        return (
            f"{name} received a gradient of norm {size} and multiplied it by {factor}, which is all zeros",
            f"find out why {factor} is all zeros here: an inverted or empty mask, a weight of 0, both factors "
            "initialised to zero",
        )
    if is_at_origin(call, zero.node):
        return (
            f"{name} received a gradient of norm {size} and passed none of it: both inputs are 0 everywhere, "
            "where atan2 has no derivative and torch passes zero",
            "do not start at the origin: initialise what computes its inputs with numbers other than 0",
        )
    if is_of_kind(call, zero.node, NodeKind.CLAMPS):
        bounds = [function["attributes"].get(end) for end in ("min", "max")]
        within = " and ".join(format_number(float(bound)) for bound in bounds if isinstance(bound, (int, float)))
        return (
            f"{name} received a gradient of norm {size} and passed none of it: every element is outside "
            f"its bound{'s' if ' and ' in within else ''} {within}".rstrip(),
            "widen the bounds, or move the values between them, so that some elements can learn",
        )
    if value_norm(zero.edge.gradient):  # its result is an operand of the product that made the zeros
        return (
            f"{name} computed only zeros in the forward, and what is multiplied by them gets a gradient of zero",
            "find out why its result is all zeros here: all masked, all out of bounds, or all equal",
        )
    return (
        f"{name} received a gradient of norm {size} and passed only zeros to {_behind(call, zero)}",
        "check its inputs in the forward: all masked, all out of bounds, or all equal",
    )


def _factor(call: BackwardView, node: str, operand: str) -> str:
    """The script's name or expression for an operand of a Node, else its id."""
    if call.tensors[operand]["name"] is not None:
        return call.name(operand)
    constants = call.functions[node].get("constants", ())
    rows = [row for row in constants if row.get("tensor") == operand] or [
        row for row in constants if "tensor" not in row and is_zero(row["value"])
    ]
    texts = [str(row["name"] or row.get("expression") or "") for row in rows]
    return texts[0] if len(texts) == 1 and texts[0] else call.name(operand)


def _behind(call: BackwardView, zero: ZeroCause) -> str:
    """The name of the leaf or tensor that received the zeros, otherwise of the Node."""
    if zero.edge.target in call.leaf_of:
        return call.name(call.leaf_of[zero.edge.target])
    named = [call.name(tensor) for tensor in call.outputs.get(zero.edge.target, ())]
    return named[0] if named else str(call.functions[zero.edge.target]["name"])
