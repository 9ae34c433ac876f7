"""Probabilities are passed to a loss that expects logits: sigmoid is applied twice.

Why it matters: `binary_cross_entropy_with_logits` applies sigmoid itself. The second sigmoid maps 0 to 1 onto
0.5 to 0.73, so the model can never be certain of either class, and its gradients are small.

How to fix it: pass logits to the loss and apply the sigmoid to predictions only; or use
`binary_cross_entropy` with the probabilities.

Example:

    model = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
    loss = F.binary_cross_entropy_with_logits(model(x), y)      # sigmoid in the model, and in the loss
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import op
from inspector.diagnosis.analysis.upstream_node import SeenModules, find_producer
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding

_SIGMOID = "sigmoid"
_WITH_LOGITS = "binary_cross_entropy_with_logits"
_OF_PROBABILITIES = "binary_cross_entropy"


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every sigmoid whose result a loss uses as logits, and every second sigmoid before a loss on probabilities.
    """
    defects = SeenModules()
    for call in evidence.calls:
        for loss in call.functions:
            node = loss if op(call, loss) == _WITH_LOGITS else None
            if op(call, loss) == _OF_PROBABILITIES:
                node = _sigmoid_before(call, loss)
            producer = None if node is None else _sigmoid_before(call, node)
            if node is not None and producer is not None and defects.add(call, producer):
                yield _found(call, loss, node, producer)


def _sigmoid_before(call: BackwardView, node: str) -> str | None:
    producer = find_producer(call, node)
    return producer.node if producer is not None and op(call, producer.node) == _SIGMOID else None


def _found(call: BackwardView, loss: str, node: str, producer: str) -> Finding:
    """node: uses its input as logits: the loss itself, or the sigmoid before it. producer: the first sigmoid."""
    again = "the loss applies sigmoid" if node == loss else "a second sigmoid is applied"
    return RULE.found(
        f"sigmoid is applied twice: its probabilities are used as logits, and {again} to them",
        "pass logits to the loss, and apply this sigmoid to predictions only",
        at=Place(call.location(producer), call.index, (producer, *dict.fromkeys((node, loss)))),
        parameters=call.leaves_affected_by([producer]),
    )


RULE = Rule("double-sigmoid", "warning", ("gradients",), check, __doc__)
