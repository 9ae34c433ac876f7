"""A function whose derivative is zero everywhere is on the path to a trained parameter.

Why it matters: round, floor, ceil, trunc, sign and a division with a rounding_mode are step functions: their
derivative is zero wherever it exists, so autograd returns zeros. So it does for a sample (bernoulli, poisson,
normal), which jumps from one value to another or ignores what it was drawn from, and `grid_sample` with
`mode="nearest"` for its grid. A softmax over a dimension of size 1 is always 1. Nothing before such a Node
learns.

How to fix it: round outside of the loss, for metrics only; or use a straight-through gradient, `x +
(x.round() - x).detach()`; or a smooth replacement (tanh for sign). Sample with `rsample` or `gumbel_softmax`, or
use the log-probability of the sample in the loss. Apply softmax over the class dimension; for a single output
use sigmoid.

Example:

    predicted = model(x).round()
    loss = F.mse_loss(predicted, y)      # round has no slope: every grad of the model is zeros
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import is_nearest_sampling, is_of_kind, op
from inspector.diagnosis.analysis.zero_origin import ZeroCause, find_zero_causes, rule_for
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every step function, sample, grid of a nearest sampling and softmax over one element that turned a gradient
    into zeros."""
    for call in evidence.calls_with_all_gradients:
        for zero in find_zero_causes(evidence, call):
            if rule_for(call, zero) == RULE.name:
                yield _found(call, zero)


def _found(call: BackwardView, zero: ZeroCause) -> Finding:
    wrong, advice = _explained(call, zero)
    return RULE.found(
        f"{wrong}: no gradient passes",
        advice,
        at=Place(call.location(zero.node), call.index, (zero.node, zero.edge.target)),
        parameters=call.names(zero.leaves),
        evidence={"norm": call.arrived(zero.node)},
    )


def _explained(call: BackwardView, zero: ZeroCause) -> tuple[str, str]:
    """(message, advice) of the finding."""
    node = zero.node
    if is_nearest_sampling(call, zero.edge):
        return (
            "grid_sample with mode='nearest' has a derivative of zero with respect to the grid",
            "use mode='bilinear', whose result changes with the grid",
        )
    operation, _, overload = op(call, node).partition(".")
    if not is_of_kind(call, node, NodeKind.ROUNDS):
        return (
            "a softmax over a dimension of size 1 is always 1",
            "apply it over the class dimension; for a single output use sigmoid and a loss with logits",
        )
    if operation in _SAMPLES:
        return (
            f"{operation} draws a sample, which has a derivative of zero",
            "use a sample that is a function of the parameters (rsample, gumbel_softmax, mean + std * noise), or "
            "the log-probability of the sample, as in REINFORCE",
        )
    if overload.endswith("_mode"):
        mode = call.functions[node]["attributes"].get("rounding_mode")
        return (
            f"a division with rounding_mode={mode!r} has a derivative of zero everywhere",
            "divide without rounding in the loss, or use a straight-through gradient: x + (rounded - x).detach()",
        )
    return (
        f"{operation} has a derivative of zero everywhere",
        f"keep {operation} out of the loss, or use a straight-through gradient: "
        f"x + (x.{operation}() - x).detach()",
    )


_SAMPLES = ("bernoulli", "normal", "poisson")


RULE = Rule("zero-derivative", "warning", ("gradients",), check, __doc__)
