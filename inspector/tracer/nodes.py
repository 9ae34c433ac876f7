"""What one autograd Node says of itself, in plain values: its name, its outputs, what it saved.

Reading must never run the user's code: a saved tensor with an unpack hook (checkpointing, save_on_cpu) is not
read, and a custom Function's `saved_tensors` never is, since one access may forbid the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from inspector.graph.row_types import SavedState
from inspector.summaries import dtype_name
from inspector.tracer.walk import AutogradNode

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
"""Functions whose output holds the elements of their input, each once, perhaps in another order."""

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

_RAW, _SAVED = "_raw_saved_", "_saved_"
_UNSIGNED_END = 1 << 64
_SIGN = 1 << 63


@dataclass(slots=True)
class Saved:
    """One tensor that a Node keeps. `tensor` is alive, and None where the state is not held or modified."""

    name: str
    state: SavedState  # held, modified (in place since), packed (by a hook), released, empty
    tensor: torch.Tensor | None
    is_output: bool = False
    output_nr: int = 0


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """What a Node knows of one of its forward outputs."""

    dtype: str
    shape: list[int] | None  # None where torch cannot tell (nested tensors)
    device: str


UNREAD = OutputFacts("unknown", None, "unknown")
"""Of an output that was not looked at."""


@dataclass(slots=True)
class _Attributes:
    """The names to read on every Node of one class."""

    plain: list[str] = field(default_factory=list)
    tensors: list[str] = field(default_factory=list)


_attributes_by_type: dict[type, _Attributes] = {}


def outputs_of(node: AutogradNode) -> list[OutputFacts]:
    """One entry for each output of the forward, by output number."""
    return [_output(item) for item in node._input_metadata]


def _output(metadata: Any) -> OutputFacts:
    try:
        shape = [int(size) for size in metadata.shape]
    except (AttributeError, RuntimeError, TypeError, ValueError):  # nested: no shape, or one with symbols
        shape = None
    return OutputFacts(dtype_name(metadata.dtype), shape, str(metadata.device))


def attributes_of(node: AutogradNode) -> dict[str, Any]:
    """What a Node saved beside tensors, as plain values: `{"exponent": 2}`."""
    found = {}
    for name in _names(type(node)).plain:
        try:
            found[name] = _plain(getattr(node, _SAVED + name))
        except RuntimeError:  # some are released with the tensors
            continue
    return found


def saved_by(node: AutogradNode) -> list[Saved]:
    """The tensors a Node saved, and the state each is in now."""
    if hasattr(type(node), "_raw_saved_tensors"):
        return _saved_by_custom(node)
    found = []
    for name in _names(type(node)).tensors:
        try:
            raw = getattr(node, _RAW + name)
        except RuntimeError:  # a list of tensors can be asked for no more once it is released
            found.append(Saved(name, "released", None))
            continue
        if isinstance(raw, tuple):
            found += [_saved(node, f"{name}[{k}]", item, None) for k, item in enumerate(raw)]
        else:
            found.append(_saved(node, name, raw, _SAVED + name))
    return found


def _saved_by_custom(node: AutogradNode) -> list[Saved]:
    try:
        raws = node._raw_saved_tensors
    except RuntimeError:  # "Trying to backward through the graph a second time"
        return [Saved("saved_tensors", "released", None)]
    return [_saved(node, f"saved_tensors[{k}]", raw, None) for k, raw in enumerate(raws or ())]


def _saved(node: AutogradNode, name: str, raw: Any, attribute: str | None) -> Saved:
    """attribute: where torch unpacks it, if reading there runs nothing of the user's."""
    if raw.unpack_hook is not None:
        return Saved(name, "packed", None)
    data = raw.data
    if not isinstance(data, torch.Tensor):
        return Saved(name, _state_without_data(node, attribute), None)
    if attribute is None:
        return Saved(name, "held", data)
    try:
        tensor = getattr(node, attribute)
    except RuntimeError:
        return Saved(name, "modified", data)
    if tensor.grad_fn is node:
        return Saved(name, "held", tensor, is_output=True, output_nr=tensor.output_nr)
    return Saved(name, "held", tensor)


def _state_without_data(node: AutogradNode, attribute: str | None) -> SavedState:
    if attribute is None:
        return "empty"
    try:
        getattr(node, attribute)
    except RuntimeError:
        return "released"
    return "empty"


def _names(node_type: type) -> _Attributes:
    """`dir` of a Node takes 6 microseconds: once a class."""
    known = _attributes_by_type.get(node_type)
    if known is None:
        known = _attributes_by_type[node_type] = _Attributes()
        if hasattr(node_type, "_raw_saved_tensors"):
            return known  # a custom Function: what else it has is the user's own
        names = dir(node_type)
        known.tensors = [name.removeprefix(_RAW) for name in names if name.startswith(_RAW)]
        known.plain = [
            name.removeprefix(_SAVED)
            for name in names
            if name.startswith(_SAVED) and _RAW + name.removeprefix(_SAVED) not in names
        ]
    return known


def _plain(value: Any) -> Any:
    """A saved attribute as JSON can hold it. Torch hands out negative integers as unsigned ones."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, float, complex)):
        return value
    if isinstance(value, int):
        return value - _UNSIGNED_END if value >= _SIGN else value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value).removeprefix("torch.")
