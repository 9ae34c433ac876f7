"""Classify Nodes by name: what each kind does to a gradient."""

from __future__ import annotations

from typing import Any

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.values import is_summary

RECTIFIERS = frozenset(
    [
        "ReluBackward0",
        "LeakyReluBackward0",
        "RreluWithNoiseBackward0",
        "PreluKernelBackward0",
        "ThresholdBackward0",
        "HardtanhBackward0",  # also relu6
        "HardswishBackward0",
        "HardsigmoidBackward0",
        "HardshrinkBackward0",
        "SoftshrinkBackward0",
        "EluBackward0",  # also selu
        "CeluBackward0",
        "GeluBackward0",
        "SiluBackward0",
        "MishBackward0",
        "SoftplusBackward0",
        "GluBackward0",
    ]
)
"""Activations that are flat, or nearly flat, on one side."""

SQUASHERS = frozenset(["SigmoidBackward0", "TanhBackward0", "SoftmaxBackward0"])
"""Activations that are flat at both ends."""

ROUNDERS = {
    "RoundBackward0": "round",
    "RoundBackward1": "round",
    "FloorBackward0": "floor",
    "CeilBackward0": "ceil",
    "TruncBackward0": "trunc",
    "SignBackward0": "sign",
    "SgnBackward0": "sgn",
}
"""Functions whose derivative is zero wherever it exists."""

ADDED_SLOT = {
    "AddmmBackward0": 0,
    "AddmvBackward0": 0,
    "AddbmmBackward0": 0,
    "BaddbmmBackward0": 0,
    "ConvolutionBackward0": 2,
    "NativeBatchNormBackward0": 2,
    "CudnnBatchNormBackward0": 2,
    "NativeLayerNormBackward0": 2,
    "NativeGroupNormBackward0": 2,
    "LinearBackward0": 2,
}
"""Inputs that are only added (a bias): their gradient is a sum, which may cancel but is never masked."""

SUMS = frozenset(
    ["AddBackward0", "SubBackward0", "RsubBackward1", "ExpandBackward0", "RepeatBackward0", "CatBackward0"]
)
"""Functions whose gradient is passed on or summed: it is zero only if the terms of the sum cancel."""

DISTANCES = frozenset(
    [
        "MseLossBackward0",
        "L1LossBackward0",
        "SmoothL1LossBackward0",
        "HuberLossBackward0",
        "KlDivBackward0",
        "AbsBackward0",
        "PowBackward0",
        "LinalgVectorNormBackward0",
        "NormBackward1",
        "DistBackward0",
    ]
)
"""Functions whose gradient is zero at their minimum: equal inputs, or an input of zero."""

MASKS = ("Where", "MaskedFill", "MaskedScatter", "Clamp")
"""Prefixes of functions that pass a gradient at some elements only."""

CHOOSERS = ("Maximum", "Minimum", "Max", "Min", "Index", "Select", "Slice", "Gather", "Amax", "Amin")
"""Prefixes of functions that pass the gradient to the chosen elements, and intentionally zeros to all others."""

HALF = "float16"
"""The dtype whose smallest number is 6e-8; bfloat16 has the range of float32."""

VIEWS = ("TBackward", "ViewBackward", "TransposeBackward", "ExpandBackward", "ToCopyBackward", "PermuteBackward")
"""Prefixes of functions that show a leaf in another form (`weight.t()`)."""


def is_flat_softmax(call: BackwardView, node: str) -> bool:
    """Whether a Node is a softmax over a dimension of size 1, which is always 1."""
    function = call.functions[node]
    if function["name"] not in ("SoftmaxBackward0", "LogSoftmaxBackward0"):
        return False
    dimension = function["attributes"].get("dim")
    shapes = [call.tensors[tensor]["shape"] for tensor in call.outputs.get(node, ())]
    if not shapes or not isinstance(dimension, int) or not shapes[0] or shapes[0][dimension] != 1:
        return False
    return not _is_summed_over(call, node)


def _is_summed_over(call: BackwardView, node: str) -> bool:
    """Whether a matrix product sums over what a Node makes: attention to the only token there is."""
    users = [edge.source for edge in call.incoming.get(node, ())]
    while users:
        user = users.pop()
        name = call.functions[user]["name"]
        if name.startswith(("Bmm", "Mm")) and len(call.next_edges.get(user, ())) > 1:
            return True
        if name.startswith((*VIEWS, "Mul", "Unsafe", "Reshape")):  # views, and dropout
            users += [edge.source for edge in call.incoming.get(user, ())]
    return False


def dtype(call: BackwardView, node: str, value: Any) -> str | None:
    """The dtype of a gradient for the output of `node`; None if unknown."""
    if is_summary(value):
        return str(value["dtype"])
    known = [call.tensors[tensor]["dtype"] for tensor in call.outputs.get(node, ())]
    return known[0] if known else None
