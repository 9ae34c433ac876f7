"""Kinds of Nodes, and plain values about their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inspector.tensor_stats import dtype_name
from inspector.torch_api.nodes import output_metadata
from inspector.tracing.walk import AutogradNode

ACCUMULATE_GRAD = "AccumulateGrad"
REARRANGES = {
    "ViewBackward0",
    "UnsafeViewBackward0",
    "ReshapeAliasBackward0",
    "AliasBackward0",
    "TBackward0",
    "TransposeBackward0",
    "PermuteBackward0",
    "UnsqueezeBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "SqueezeBackward2",
    "CloneBackward0",
}
"""Functions whose output contains each element of their input once, possibly in another order."""

ONE_OUTPUT = frozenset(
    {
        "AbsBackward0",
        "AdaptiveAvgPool2DBackward0",
        "AddBackward0",
        "AddBackward1",
        "AddmmBackward0",
        "AliasBackward0",
        "AvgPool2DBackward0",
        "BaddbmmBackward0",
        "BmmBackward0",
        "CatBackward0",
        "ClampBackward1",
        "ClampMinBackward0",
        "CloneBackward0",
        "ConstantPadNdBackward0",
        "ConvolutionBackward0",
        "CosBackward0",
        "CumsumBackward0",
        "DivBackward0",
        "DivBackward1",
        "EluBackward0",
        "EmbeddingBackward0",
        "ExpBackward0",
        "ExpandBackward0",
        "GatherBackward0",
        "GeluBackward0",
        "GluBackward0",
        "HardtanhBackward0",
        "IndexBackward0",
        "IndexSelectBackward0",
        "LeakyReluBackward0",
        "LogBackward0",
        "LogSoftmaxBackward0",
        "LogsumexpBackward0",
        "MaskedFillBackward0",
        "MaxPool2DWithIndicesBackward0",
        "MaximumBackward0",
        "MeanBackward0",
        "MeanBackward1",
        "MmBackward0",
        "MseLossBackward0",
        "MulBackward0",
        "MulBackward1",
        "NativeBatchNormBackward0",
        "NativeLayerNormBackward0",
        "NegBackward0",
        "NllLossBackward0",
        "PermuteBackward0",
        "PowBackward0",
        "ReciprocalBackward0",
        "ReluBackward0",
        "RepeatBackward0",
        "ReshapeAliasBackward0",
        "RsqrtBackward0",
        "RsubBackward0",
        "SelectBackward0",
        "SigmoidBackward0",
        "SiluBackward0",
        "SinBackward0",
        "SliceBackward0",
        "SoftmaxBackward0",
        "SoftplusBackward0",
        "SqrtBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "StackBackward0",
        "SubBackward0",
        "SubBackward1",
        "SumBackward0",
        "SumBackward1",
        "TBackward0",
        "TanhBackward0",
        "ThresholdBackward0",
        "ToCopyBackward0",
        "TopkBackward0",
        "TransposeBackward0",
        "TransposeBackward1",
        "TrilBackward0",
        "TriuBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "UpsampleBilinear2DBackward0",
        "UpsampleNearest2DBackward0",
        "ViewBackward0",
        "WhereBackward0",
    }
)
"""Functions with one differentiable output, whatever their arguments: most Nodes of most graphs."""

@dataclass(frozen=True, slots=True)
class OutputFacts:
    """What a Node knows about one of its forward outputs."""

    dtype: str
    shape: list[int] | None  # None if torch cannot tell (nested tensors)
    device: str


UNREAD = OutputFacts("unknown", None, "unknown")
"""For an output that was not read."""


def outputs_of(node: AutogradNode) -> list[OutputFacts] | None:
    """One entry per output of the forward, by output number; None if torch cannot tell."""
    metadata = output_metadata(node)
    return None if metadata is None else [_output(item) for item in metadata]


def _output(metadata: Any) -> OutputFacts:
    try:
        shape = [int(size) for size in metadata.shape]
    except (AttributeError, RuntimeError, TypeError, ValueError):  # nested: no shape, or one with symbols
        shape = None
    return OutputFacts(dtype_name(metadata.dtype), shape, str(metadata.device))
