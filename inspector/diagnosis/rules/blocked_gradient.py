"""A Node returned None for an input that requires a gradient.

Why it matters: autograd treats None as zero. Everything before that input gets no gradient through this Node,
and no error is raised: its parameters do not change, or learn through other paths only.

How to fix it: return a gradient from `backward` for every input with `ctx.needs_input_grad`, in the order of
the arguments of `forward`. If the Node is one of torch's own, use the input in what it computes: a checkpointed
function, for example, does not use it.

Example:

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x, factor)
            return x * factor

        @staticmethod
        def backward(ctx, gradient):
            x, factor = ctx.saved_tensors
            return gradient * factor, None      # nothing for `factor`, which is a parameter
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_names import op_of, without_backward
from inspector.graph.values import is_unknown
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every Node that received a gradient and returned None for an input with leaves."""
    for call in evidence.calls_with_all_gradients:  # elsewhere None also means that it was not requested
        for node in call.functions:
            yield from _blocked(evidence, call, node)


def _blocked(evidence: Evidence, call: BackwardView, node: str) -> Iterator[Finding]:
    gradient = call.functions[node]["gradient"]
    if gradient is None or is_unknown(gradient) or _is_partial(gradient):
        return
    blocked = [edge for edge in call.next_edges.get(node, ()) if edge.gradient is None]
    if not blocked:
        return
    harmed = [
        name for name in call.leaves_affected_by(edge.target for edge in blocked) if evidence.is_trained(name)
    ]
    if not harmed:
        return
    name = call.functions[node]["name"]
    slots = ", ".join(str(edge.slot) for edge in blocked)
    yield RULE.found(
        f"{name} received a gradient and returned None for input {slots}, which requires one",
        _advice(without_backward(name), slots, of_torch=op_of(name) != name),
        at=Place(call.location(node), call.index, (node, *(edge.target for edge in blocked))),
        parameters=harmed,
        evidence={"slots": [edge.slot for edge in blocked]},
    )


def _is_partial(gradient: Any) -> bool:
    """Whether only some outputs of a Node received a gradient, so that it may have none for an input."""
    return isinstance(gradient, list) and any(item is None for item in gradient)


def _advice(function: str, slots: str, *, of_torch: bool) -> str:
    if function == "CheckpointFunction":
        return f"use input {slots} in the checkpointed function, or pass use_reentrant=False to checkpoint()"
    if of_torch or function in _OF_TORCH:
        why = "its result may not depend on it"
        return f"find out why torch's {function} passes no gradient to input {slots}: {why}"
    return f"return a gradient for input {slots} from {function}.backward"


_OF_TORCH = (
    "BackwardHookFunction",
    "Broadcast",
    "Gather",
    "NestedIOFunction",
    "Redistribute",
    "RegisterPostBackwardFunction",
    "RegisterPreBackwardFunction",
    "Scatter",
    "SyncBatchNorm",
    "_AllGather",
    "_AllReduce",
    "_AlltoAll",
    "_AlltoAllSingle",
    "_Broadcast",
    "_DDPSink",
    "_FromTorchTensor",
    "_Gather",
    "_Reduce",
    "_Reduce_Scatter",
    "_Scatter",
    "_ToTorchTensor",
)
"""Custom Functions of torch's own library."""


RULE = Rule("blocked-gradient", "error", ("gradients",), check, __doc__)
