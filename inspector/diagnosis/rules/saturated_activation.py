"""A sigmoid, tanh or softmax is saturated.

Why it matters: sigmoid and tanh are flat far from zero, and so is a softmax whose rows put all weight on one
entry. Little gradient passes, whatever the loss, and the layers before it hardly learn.

How to fix it: reduce the scale of its inputs: normalise the data, scale the initial weights by the number of
inputs, divide attention scores by the square root of the width, raise the temperature. For a loss on
probabilities, use the version that takes logits.

Example:

    x = images.float()                      # 0 ... 255, not 0 ... 1
    h = torch.tanh(model.hidden(x))         # +1 or -1 nearly everywhere
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from inspector.diagnosis.analysis.activation_stats import passed, result, slope
from inspector.diagnosis.analysis.node_ops import is_flat_softmax, is_of_kind, op
from inspector.diagnosis.analysis.node_order import only_behind
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.graph.values import is_summary
from inspector.report import Finding
from inspector.typography import format_number

FLAT = 0.05
"""Mean slope as a share of its maximum. Healthy models at initialisation have at least 0.78
(`benchmarks/healthy_norms.py`); a sigmoid with inputs spread over 32, a tanh over 16, and a softmax with 97 % on
one entry have 0.05."""

WRONG_ANSWER = 100.0
"""Gradient of a binary cross entropy for a probability p, times the number of probabilities: 1 / p for the true
class. Above this limit, p is nearly 0 for the true class, and the saturated sigmoid prevents learning it."""

_GATED = ("mul", "mul.Scalar", "prod", "prod.dim_int")
_LIKELIHOODS = ("log", "nll_loss", "nll_loss2d")
_BINARY = "binary_cross_entropy"


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every activation that is saturated nearly everywhere, with the leaves that depend on it alone."""
    for call in evidence.calls_recorded_in_full:
        if call in evidence.calls_with_all_gradients:
            yield from _in_call(evidence, call)


def _in_call(evidence: Evidence, call: BackwardView) -> Iterator[Finding]:
    for node in call.functions:
        if not is_of_kind(call, node, NodeKind.SQUASHES) or is_flat_softmax(call, node):
            continue
        share = slope(call, node)
        if share is None or share >= FLAT or _is_at_work(call, node):
            continue
        harmed = [name for name in call.names(only_behind(call, [node])) if evidence.is_trained(name)]
        if harmed:
            yield _found(call, node, share, harmed)


def _is_at_work(call: BackwardView, node: str) -> bool:
    """Whether saturation is harmless: a gate or a router (its output multiplies another tensor with a gradient),
    or a probability whose likelihood is the loss, which compensates for the small slope."""
    users = [edge.source for edge in call.incoming.get(node, ())]
    if any(op(call, user) in _LIKELIHOODS for user in users):
        return True
    if any(op(call, user) == _BINARY for user in users):
        return _largest(call.functions[node]["gradient"]) < WRONG_ANSWER
    return bool(users) and all(_weighs(call, user) for user in users)


def _weighs(call: BackwardView, user: str) -> bool:
    """Whether a Node multiplies the activation by another tensor that requires a gradient."""
    return op(call, user) in _GATED and len(call.next_edges.get(user, ())) > 1


def _largest(gradient: object) -> float:
    """The largest absolute element times the number of elements; 0 if unknown."""
    if not isinstance(gradient, dict) or not is_summary(gradient) or "max" not in gradient:
        return 0.0
    return float(max(abs(gradient["min"]), abs(gradient["max"])) * math.prod(gradient["shape"]))


def _found(call: BackwardView, node: str, share: float, harmed: list[str]) -> Finding:
    name, value, through = call.functions[node]["name"], result(call, node), passed(call, node)
    return RULE.found(
        f"{name} is saturated: its mean slope is {format_number(100 * share)}% of its maximum, and "
        f"{format_number(100 * (through or 0.0))}% of the gradient's norm passes",
        "reduce the scale of its inputs: normalise the data, scale the initial weights or the scores (for "
        "attention by the square root of the width), or use a loss that takes logits",
        at=Place(call.location(node), call.index, (node,)),
        parameters=harmed,
        evidence={"slope": share, "passed": through, "min": value["min"], "max": value["max"]},
    )


RULE = Rule("saturated-activation", "warning", ("values", "gradients"), check, __doc__)
