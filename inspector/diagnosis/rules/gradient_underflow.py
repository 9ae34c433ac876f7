"""Half-precision gradients are flushed to zero.

Why it matters: the smallest positive float16 number is 6e-8. Gradients are often smaller, for example after a
mean over many elements. Smaller values silently become zero, and their parameters do not learn. bfloat16 does
not have this problem.

How to fix it: use `torch.amp.GradScaler`, which multiplies the loss and divides the grads before the step; or
use bfloat16; or compute the loss in float32.

Example:

    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(x), y)
    loss.backward()                      # without scaler.scale(loss)
    optimizer.step()
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.analysis.gradient_dtype import HALF, gradient_dtype
from inspector.diagnosis.analysis.node_order import topological_order
from inspector.diagnosis.analysis.zero_origin import find_zero_causes, rule_for
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.values import is_summary
from inspector.report import Finding
from inspector.typography import format_number

SMALLEST = 2.0**-24
"""The smallest positive number of float16."""

AT_THE_END = 4 * SMALLEST
"""Limit of the root mean square of the non-zero elements. Elements below half of SMALLEST become zero."""

MOST_FLUSHED = 0.25
"""Minimum share of zeros. A relu sets half of its gradient to zero, so zeros alone are not sufficient."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first Node of a call whose float16 gradients are at the end of their range, with the affected leaves."""
    for call in evidence.calls_with_all_gradients:
        blamed = [zero for zero in find_zero_causes(evidence, call) if rule_for(call, zero) == RULE.name]
        flushing = {zero.node: zero.leaves for zero in blamed} | dict.fromkeys(_flushing(call), ())
        lost = [leaf for zero in blamed for leaf in zero.leaves]
        lost += [leaf for leaf in call.leaves_under(flushing) if _is_flushed(call.tensors[leaf]["gradient"])]
        harmed = [name for name in call.names(dict.fromkeys(lost)) if evidence.is_trained(name)]
        first = next((node for node in topological_order(call) if node in flushing), None)
        if first is not None and harmed:
            yield _found(call, first, harmed)


def _flushing(call: BackwardView) -> Iterator[str]:
    """The Nodes whose incoming gradient fits into float16 and whose outgoing gradient does not."""
    for node, edges in call.next_edges.items():
        if _is_flushed(call.functions[node]["gradient"]):
            continue
        lost = [edge for edge in edges if _is_flushed(edge.gradient)]
        if any(gradient_dtype(call, edge.target, edge.gradient) == HALF for edge in lost):
            yield node


def _is_flushed(value: Any) -> bool:
    """Whether many elements are zero and the others close to it."""
    if not is_summary(value) or "zeros" not in value:
        return False
    count = math.prod(value["shape"])
    left = count - value["zeros"]
    if not left or value["zeros"] < MOST_FLUSHED * count:
        return False
    return bool(value["norm"] / math.sqrt(left) < AT_THE_END)


def _found(call: BackwardView, node: str, harmed: list[str]) -> Finding:
    """The finding, at the line of backward(), where the loss should be scaled, whichever Node flushes first."""
    name, scale = call.functions[node]["name"], call.row.setting.scale
    scaled = f" (scaled by {format_number(scale)})" if scale else ""
    return RULE.found(
        f"float16 gradients{scaled} are flushed to zero from {name} on: the smallest float16 number is 6e-8",
        "scale the loss with torch.amp.GradScaler, or use bfloat16, and compute the mean of the loss in float32",
        at=Place(call.row.location, call.index, (node,)),
        parameters=harmed,
        evidence={"norm": call.arrived(node)} | ({} if scale is None else {"scale": scale}),
    )


RULE = Rule("gradient-underflow", "warning", ("saved", "gradients"), check, __doc__)
