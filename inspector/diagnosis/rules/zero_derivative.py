"""A function whose derivative is zero everywhere is on the path to a trained parameter.

Why it matters: round, floor, ceil, trunc and sign are step functions: their derivative is zero wherever it
exists, so autograd returns zeros. A softmax over a dimension of size 1 is always 1. Nothing before such a
Node learns.

How to fix it: round outside of the loss, for metrics only; or use a straight-through gradient, `x +
(x.round() - x).detach()`; or a smooth replacement (tanh for sign). Apply softmax over the class dimension;
for a single output use sigmoid.

Example:

    predicted = model(x).round()
    loss = F.mse_loss(predicted, y)      # round has no slope: every grad of the model is zeros
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import is_of_kind, op
from inspector.diagnosis.analysis.zero_origin import ZeroCause, find_zero_causes, rule_for
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every step function, and every softmax over one element, that turned a gradient into zeros."""
    for call in evidence.calls_with_all_gradients:
        for zero in find_zero_causes(evidence, call):
            if rule_for(call, zero) == RULE.name:
                yield _found(call, zero)


def _found(call: BackwardView, zero: ZeroCause) -> Finding:
    if is_of_kind(call, zero.node, NodeKind.ROUNDS):
        operation = op(call, zero.node)
        wrong = f"{operation} has a derivative of zero everywhere: no gradient passes"
        straight = f"x + (x.{operation}() - x).detach()"
        advice = f"keep {operation} out of the loss, or use a straight-through gradient: {straight}"
    else:
        wrong = "a softmax over a dimension of size 1 is always 1: no gradient passes"
        advice = "apply it over the class dimension; for a single output use sigmoid and a loss with logits"
    return RULE.found(
        wrong,
        advice,
        at=Place(call.location(zero.node), call.index, (zero.node, zero.edge.target)),
        parameters=call.names(zero.leaves),
        evidence={"norm": call.arrived(zero.node)},
    )


RULE = Rule("zero-derivative", "warning", ("gradients",), check, __doc__)
