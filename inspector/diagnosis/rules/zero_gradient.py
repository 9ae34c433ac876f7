"""The whole gradient of a trained parameter is exactly zero.

Why it matters: the parameter has a grad, so nothing looks wrong, but no step changes it. Unlike small
gradients, exact zeros have a cause: a Node multiplied by zeros or masked every element, or a hook replaced
the gradient.

How to fix it: look at the named Node: a mask that is zero everywhere (inverted, or the result of an integer
division), a clamp whose bounds exclude all values, a loss weight of 0, two factors both initialised to zero.
One zero factor that is itself trained (the B of LoRA, a zero-initialised gate) is intended and not reported.

Example:

    mask = (lengths > positions).long() // 2      # 1 // 2 is 0
    loss = (criterion(model(x), y) * mask).mean()
    loss.backward()                               # every grad is zeros
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.analysis.node_ops import is_of_kind
from inspector.diagnosis.analysis.zero_origin import ZeroCause, find_zero_causes, is_at_origin, rule_for
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.graph.value_norms import is_zero, value_norm
from inspector.report import Finding
from inspector.typography import format_number


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every Node that turned the gradient of trained leaves into zeros, except those that other rules report."""
    for call in evidence.calls_with_all_gradients:
        for cause in find_zero_causes(evidence, call):
            if rule_for(call, cause) == RULE.name:
                yield _found(evidence, call, cause)


def _found(evidence: Evidence, call: BackwardView, zero: ZeroCause) -> Finding:
    wrong, advice = _explained(call, zero)
    size = call.arrived(zero.node)
    return RULE.found(
        wrong,
        advice,
        at=Place(_location(evidence, call, zero), call.index, (zero.node, zero.edge.target)),
        parameters=call.names(zero.leaves),
        evidence={"norm": size, "slot": zero.edge.slot},
    )


def _location(evidence: Evidence, call: BackwardView, zero: ZeroCause) -> Any:
    """The line of the Node; for a hook on a leaf, the line that registered it."""
    leaf = call.leaf_of.get(zero.edge.target) if zero.hooked else None
    if leaf is not None:
        for event in reversed(evidence.events):
            if event["event"] == "hook" and call.name(leaf) in event["parameters"]:
                return event["source"]
    return call.location(zero.node)


def _explained(call: BackwardView, zero: ZeroCause) -> tuple[str, str]:
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


RULE = Rule("zero-gradient", "warning", ("gradients",), check, __doc__)
