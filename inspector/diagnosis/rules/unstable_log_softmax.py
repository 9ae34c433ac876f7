"""log(softmax(x)) is used instead of log_softmax(x).

Why it matters: in float32 the softmax of a logit that is more than about 104 below the largest one is exactly
0. Its logarithm is -inf, and the gradient NaN. Adding a small number hides this and gives those entries no
gradient. `log_softmax` stays in log space and is exact.

How to fix it: use `F.log_softmax(x, dim)` instead of both.

Example:

    loss = F.nll_loss(torch.log(F.softmax(logits, dim=1)), y)
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import op
from inspector.diagnosis.analysis.upstream_node import GUARDS, find_producer
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding

_LOGARITHMS = ("log", "log2", "log10")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every logarithm of the output of a softmax."""
    for call in evidence.calls:
        for node in call.functions:
            if op(call, node) in _LOGARITHMS:
                yield from _found(call, node)


def _found(call: BackwardView, node: str) -> Iterator[Finding]:
    producer = find_producer(call, node, GUARDS)
    if producer is None or op(call, producer.node) != "softmax":
        return
    yield RULE.found(
        "log of a softmax: -inf where a probability is rounded to zero",
        "use log_softmax instead of both",
        at=Place(call.location(node), call.index, (node, producer.node)),
        parameters=call.leaves_affected_by([node]),
    )


RULE = Rule("unstable-log-softmax", "note", ("gradients",), check, __doc__)
