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

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import op
from inspector.diagnosis.analysis.upstream_node import Producer, SeenModules, find_producer, same_dimension
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
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
            producer = find_producer(call, node) if is_candidate else None
            if producer is not None and op(call, producer.node) == _SOFTMAX and defects.add(call, producer.node):
                yield from _found(call, node, producer)


def _found(call: BackwardView, node: str, producer: Producer) -> Iterator[Finding]:
    user = op(call, node)
    if user in _AGAIN and not same_dimension(call, node, producer):
        return
    if user in _LOGS_WANTED:
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
