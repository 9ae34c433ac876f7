"""A column [n, 1] and a vector [n] were broadcast to [n, n] on the path to the loss.

Why it matters: a model output of shape [n, 1] and targets of shape [n] broadcast to all n * n pairs. The loss
then compares each prediction with every target, and its minimum is the mean of the targets: the model learns
that mean and nothing else, without an error.

How to fix it: give both the same shape: `prediction.squeeze(1)` or `target.unsqueeze(1)`.

Example:

    prediction = model(x)                        # [32, 1]
    loss = ((prediction - target) ** 2).mean()   # target is [32]: the difference is [32, 32]
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import operation
from inspector.report import Finding

_ON_THE_WAY = {
    "AbsBackward0",
    "AddBackward0",
    "AddcmulBackward0",
    "ClampBackward0",
    "ClampBackward1",
    "ClampMaxBackward0",
    "ClampMinBackward0",
    "DivBackward0",
    "ExpBackward0",
    "HuberLossBackward0",
    "KlDivBackward0",
    "L1LossBackward0",
    "LogBackward0",
    "LogCoshBackward0",
    "MaximumBackward0",
    "MeanBackward0",
    "MeanBackward1",
    "MinimumBackward0",
    "MseLossBackward0",
    "MulBackward0",
    "NegBackward0",
    "PowBackward0",
    "SmoothL1LossBackward0",
    "SqrtBackward0",
    "SubBackward0",
    "SumBackward0",
    "SumBackward1",
    "ViewBackward0",
    "WhereBackward0",
}
"""What a loss does with a difference: elementwise operations, then a reduction to one number. Anything else (a
matrix product, a selection, a softmax over the pairs) means that the pairs are intended."""

_MEANT = re.compile(r"unsqueeze|None|newaxis|broadcast|expand|outer")
"""Source text which shows that the author knew the shapes."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every operation of [n, 1] and [n] whose result only goes straight into a root."""
    for call in evidence.calls_recorded_in_full:
        for node, row in call.functions.items():
            shapes = row.get("operands")
            if shapes and _is_column_and_vector(*shapes) and not _is_meant(call, node) and _to_loss(call, node):
                yield _found(call, node, shapes)


def _is_column_and_vector(first: list[int], second: list[int]) -> bool:
    """Whether they have the same number of elements but not of dimensions, and the longer shape ends in 1."""
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    return len(longer) != len(shorter) and longer[-1] == 1 and longer[:-1] == shorter


def _is_meant(call: BackwardView, node: str) -> bool:
    source = call.location(node)
    if isinstance(source, dict) and _MEANT.search(source.get("code", "")):
        return True
    below = [call.functions[edge.target]["name"] for edge in call.next_edges.get(node, ())]
    return "UnsqueezeBackward0" in below


def _to_loss(call: BackwardView, node: str) -> bool:
    return all(call.functions[above]["name"] in _ON_THE_WAY for above in call.towards_root([node]))


def _found(call: BackwardView, node: str, shapes: list[list[int]]) -> Finding:
    first, second = shapes
    longer = first if len(first) > len(second) else second
    pairs = [*longer[:-1], longer[-2]]
    return RULE.found(
        f"{operation(call.functions[node]['name'])} of {first} and {second} is broadcast to {pairs} on the path "
        f"to the loss: {math.prod(pairs):,} elements instead of {math.prod(longer):,}",
        "give both the same shape: call squeeze(-1) on the one that ends in 1, or unsqueeze(-1) on the other",
        at=Place(call.location(node), call.index, (node,)),
        parameters=call.leaves_affected_by([node]),
        evidence={"operands": shapes},
    )


RULE = Rule("accidental-broadcast", "warning", ("forward",), check, __doc__)
