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

from inspector.diagnosis.analysis.node_ops import op, operation
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding

_ON_THE_WAY = {
    "abs",
    "add",
    "addcmul",
    "clamp",
    "clamp.Tensor",
    "clamp_max",
    "clamp_min",
    "div",
    "exp",
    "huber_loss",
    "log",
    "maximum",
    "mean",
    "mean.dim",
    "minimum",
    "mse_loss",
    "mul",
    "neg",
    "pow.Tensor_Scalar",
    "smooth_l1_loss",
    "sqrt",
    "sub",
    "sum",
    "sum.dim_IntList",
    "view",
    "where",
}
"""Operations of a loss on a difference: elementwise ones, then a reduction to one number. Any other operation (a
matrix product, a selection, a softmax over the pairs) means that the pairs are intended."""

_MEANT = re.compile(r"unsqueeze|None|newaxis|broadcast|expand|outer")
"""Source text which shows that the author knew the shapes."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every operation of [n, 1] and [n] whose result is used only for a loss."""
    for call in evidence.calls_recorded_in_full:
        for node, row in call.functions.items():
            shapes = row.get("operands")
            if shapes and _is_column_and_vector(*shapes) and not _is_meant(call, node) and _to_loss(call, node):
                yield _found(call, node, shapes)


def _is_column_and_vector(first: list[int], second: list[int]) -> bool:
    """Whether the shapes have the same elements but not the same dimensions, and the longer shape ends in 1."""
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    return len(longer) != len(shorter) and longer[-1] == 1 and longer[:-1] == shorter


def _is_meant(call: BackwardView, node: str) -> bool:
    source = call.location(node)
    if isinstance(source, dict) and _MEANT.search(source.get("code", "")):
        return True
    return any(op(call, edge.target) == "unsqueeze" for edge in call.next_edges.get(node, ()))


def _to_loss(call: BackwardView, node: str) -> bool:
    return all(op(call, above) in _ON_THE_WAY for above in call.towards_root([node]))


def _found(call: BackwardView, node: str, shapes: list[list[int]]) -> Finding:
    first, second = shapes
    longer = first if len(first) > len(second) else second
    pairs = [*longer[:-1], longer[-2]]
    return RULE.found(
        f"{operation(call, node)} of {first} and {second} is broadcast to {pairs} on the path "
        f"to the loss: {math.prod(pairs):,} elements instead of {math.prod(longer):,}",
        "give both the same shape: call squeeze(-1) on the one that ends in 1, or unsqueeze(-1) on the other",
        at=Place(call.location(node), call.index, (node,)),
        parameters=call.leaves_affected_by([node]),
        evidence={"operands": shapes},
    )


RULE = Rule("accidental-broadcast", "warning", ("forward",), check, __doc__)
