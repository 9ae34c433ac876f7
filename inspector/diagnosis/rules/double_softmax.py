"""Probabilities are passed to a loss that expects logits: softmax is applied twice.

Why it matters: `cross_entropy` applies log_softmax itself. The second softmax turns probabilities between 0
and 1 into nearly equal ones, so the loss cannot approach zero and its gradients are small: the model learns
slowly, or stops well before it could.

How to fix it: pass logits to the loss. Remove the softmax from the model (apply it to predictions only), or
use `log_softmax` with `nll_loss`.

Example:

    model = nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1))
    loss = F.cross_entropy(model(x), y)      # softmax in the model, and in the loss
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import op
from inspector.diagnosis.analysis.upstream_node import Producer, SeenModules, find_producer, same_dimension
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.values import is_summary
from inspector.report import Finding

_SOFTMAX = "softmax"
_AGAIN = {
    "log_softmax": "the loss applies log_softmax",
    "softmax": "a second softmax is applied",
}
_LOGS_WANTED = ("nll_loss", "nll_loss2d")
_ADVICE = "pass logits to the loss, and apply this softmax to predictions only"


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every softmax whose result goes straight into another one, or into a loss that expects logarithms."""
    defects = SeenModules()
    for call in evidence.calls:
        for node in call.functions:
            is_candidate = op(call, node) in _AGAIN or op(call, node) in _LOGS_WANTED
            producer = find_producer(call, node) if is_candidate else _kl_input(call, node)
            if producer is not None and op(call, producer.node) == _SOFTMAX and defects.add(call, producer.node):
                yield from _found(call, node, producer)


def _kl_input(call: BackwardView, node: str) -> Producer | None:
    """The producer of the first argument of kl_div, whose terms are `xlogy(target, target) - target * input`.

    node: the difference, of which torch's own code, not the user's, made the constant.
    """
    below = call.inputs_of(node)
    if op(call, node) != "sub" or not below or op(call, below[-1]) != "mul" or "constants" in call.functions[node]:
        return None
    if len(below) == 2 and op(call, below[0]) != "xlogy":
        return None
    factors = call.next_edges.get(below[-1], [])
    if len(factors) == 1 and _is_distribution(call, below[-1]):
        return Producer(factors[0].target, ())
    return Producer(factors[1].target, ()) if len(below) == 2 and len(factors) == 2 else None


def _is_distribution(call: BackwardView, node: str) -> bool:
    """Whether the constant factor of a product has the sums of probabilities along its last dimension."""
    for row in call.functions[node].get("constants", ()):
        value = row["value"]
        if row["position"] == 0 and is_summary(value) and value["shape"] and value.get("min", -1) >= 0:
            return math.isclose(value["mean"] * value["shape"][-1], 1, rel_tol=1e-3)
    return False


def _found(call: BackwardView, node: str, producer: Producer) -> Iterator[Finding]:
    user = op(call, node)
    if user in _AGAIN and not same_dimension(call, node, producer):
        return
    if user == "sub":
        problem = "kl_div expects log probabilities as its first argument, but got probabilities"
        advice = "use log_softmax instead of this softmax"
    elif user in _LOGS_WANTED:
        problem = "nll_loss expects log probabilities, but got probabilities"
        advice = "use log_softmax instead of this softmax, or cross_entropy with logits"
    else:
        problem = f"softmax is applied twice: its probabilities are used as logits, and {_AGAIN[user]} to them"
        advice = _ADVICE
    yield RULE.found(
        problem,
        advice,
        at=Place(call.location(producer.node), call.index, (producer.node, node)),
        parameters=call.leaves_affected_by([producer.node]),
    )


RULE = Rule("double-softmax", "warning", ("gradients",), check, __doc__)
