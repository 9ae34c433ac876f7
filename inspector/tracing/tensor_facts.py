"""Facts about the tensors of a graph, before and after backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from msgspec import Struct, field

from inspector.graph import row_types
from inspector.graph.values import FULL, Value, unknown
from inspector.tensor_stats import NOTHING, Batch, Pending, device_name, dtype_name, is_shared
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.sharding import LocalPart, part_of
from inspector.torch_api.tensor_references import NO_TENSOR, TensorReference, reference_to
from inspector.torch_api.tensors import NotCountedError, version_counter
from inspector.tracing.uses import Use

_count = version_counter()
_LIGHT = Pending(unknown("large tensors are not read in light mode (gradients only)"))
_NOTHING_SEEN = {"data": _LIGHT, "grad": NOTHING}
"""The state of most leaves before backward in a light recording; one shared object."""
_GONE = Pending(unknown("the script had already deleted the tensor"))
_WORKSPACE = Pending(unknown("a workspace of torch, which fills it only partly"))
_IN_USE = Pending(unknown("another thread was running backward"))


class TensorFacts(Struct):
    """The attributes of a tensor, with torch's names and values; written out on request."""

    dtype: torch.dtype
    shape: Sequence[int]
    device: torch.device
    version: Value
    is_leaf: bool
    requires_grad: bool
    retains_grad: bool
    part: LocalPart | None

    def row(self) -> row_types.TensorFactsRow:
        """The facts that a graph has for every tensor."""
        return {
            "retains_grad": self.retains_grad,
            "dtype": dtype_name(self.dtype),
            "shape": list(map(int, self.shape)),
            "device": device_name(self.device),
            "version": self.version,
        }


class SeenInForward(Struct):
    """What the forward recorded of a tensor that it did not compute.

    source: where a leaf was created. use: where it was used under a name; of a leaf or a constant.
    content: of a shared tensor without requires_grad, when it was last used.
    """

    source: Any = None
    use: Use | None = None
    content: Pending | None = None


class TensorSnapshot(Struct):
    """One tensor met while tracing, which this does not keep alive.

    reference: to the tensor; to none if the trace ends before anything happens to it.

    before, after: `data` and `grad` before and after backward; `snapshot_after` fills in the latter.
    shared: whether an array may share its memory; only in a full trace, if the script runs on before its end.
    """

    reference: TensorReference
    facts: TensorFacts
    name: str | None
    before: dict[str, Pending]
    after: dict[str, Pending] = field(default_factory=dict)
    shared: bool = False
    forward: SeenInForward = field(default_factory=SeenInForward)


def snapshot_before(tensor: torch.Tensor, name: str | None, batch: Batch) -> TensorSnapshot:
    """Take the snapshot of a tensor before backward."""
    facts = _facts(tensor)
    state = _state(tensor, batch, facts.is_leaf or facts.retains_grad)
    if batch.holds:
        return TensorSnapshot(NO_TENSOR, facts, name, state)
    shared = batch.level == "full" and is_shared(tensor)
    return TensorSnapshot(reference_to(tensor), facts, name, state, shared=shared)


def workspace_snapshot(tensor: torch.Tensor) -> TensorSnapshot:
    """Take the snapshot of memory that torch has only partly filled: the rest of it differs from run to run."""
    state = {"data": _WORKSPACE, "grad": NOTHING}
    return TensorSnapshot(reference_to(tensor), _facts(tensor), None, state)


def snapshot_after(seen: TensorSnapshot, batch: Batch) -> None:
    """Add the state after backward, which is unknown if the script has deleted the tensor.

    Backward does not change a deleted tensor without requires_grad, such as the 2 of `2*x`.
    """
    tensor = seen.reference()
    if seen.before["data"] is _WORKSPACE or (tensor is None and not seen.facts.requires_grad):
        seen.after = seen.before
    elif tensor is None:
        seen.after = {"data": seen.before["data"], "grad": _GONE}
    elif _version(tensor) == seen.facts.version:
        seen.after = {"data": seen.before["data"], "grad": _grad(tensor, batch, _may_have_grad(tensor))}
    else:
        seen.after = _state(tensor, batch, _may_have_grad(tensor))


def _may_have_grad(tensor: torch.Tensor) -> bool:
    """Whether a tensor can have a `grad`; for another one, torch would warn if it was read."""
    return tensor.is_leaf or tensor.retains_grad


def _state(tensor: torch.Tensor, batch: Batch, may_have_grad: bool) -> dict[str, Pending]:
    data, grad = _data(tensor, batch), _grad(tensor, batch, may_have_grad)
    if data is _LIGHT and grad is NOTHING:
        return _NOTHING_SEEN
    return {"data": data, "grad": grad}


def _data(tensor: torch.Tensor, batch: Batch) -> Pending:
    if batch.level == "light" and tensor.numel() > FULL:
        return _LIGHT
    return batch.add(tensor, counted=True)


def _grad(tensor: torch.Tensor, batch: Batch, may_have_grad: bool) -> Pending:
    """`tensor.grad`; None for a tensor that cannot have one."""
    if not may_have_grad:
        return NOTHING
    if tensor in LEAVES_IN_USE:
        return _IN_USE
    grad = tensor.grad
    return NOTHING if grad is None else batch.add(grad)


def _facts(tensor: torch.Tensor) -> TensorFacts:
    return TensorFacts(
        tensor.dtype,
        shape_of(tensor) or (),
        tensor.device,
        _version(tensor),
        tensor.is_leaf,
        tensor.requires_grad,
        tensor.retains_grad,
        None if type(tensor) in ORDINARY else part_of(tensor),
    )


def shape_of(tensor: torch.Tensor) -> Sequence[int] | None:
    """The shape; None for a nested tensor, which has no shape or a symbolic one."""
    try:
        return tensor.shape if type(tensor) in ORDINARY else list(map(int, tensor.shape))
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None


def _version(tensor: torch.Tensor) -> Any:
    try:
        return _count(tensor)
    except NotCountedError as error:
        return unknown(str(error))
    except RuntimeError:  # inference tensors have no version counter
        return unknown("an inference tensor has no version counter")
