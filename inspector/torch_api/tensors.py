"""Undocumented attributes of a tensor: version, base, memory, wrappers."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import torch

from inspector.torch_api.capability import Capability


class NotCountedError(RuntimeError):
    """torch has no version counter for this tensor, or for any."""


def getter(name: str) -> Callable[[torch.Tensor], Any]:
    """The C function by which torch reads an attribute of a tensor, as fast as the attribute itself.

    Raises AttributeError if tensors have no such attribute.
    """
    descriptor: Any = getattr(torch.Tensor, name)
    read: Callable[[torch.Tensor], Any] = descriptor.__get__
    return read


def _find_versions() -> Callable[[torch.Tensor], int]:
    version: Callable[[torch.Tensor], int] = getter("_version")
    if version(torch.empty(0, device="cpu")) != 0:
        raise TypeError("a new tensor has a version already")
    return version


VERSIONS = Capability(
    "version counters",
    "in-place writes, and values and names of the forward, are unknown",
    _find_versions,
)


def _no_version(tensor: torch.Tensor) -> int:
    raise NotCountedError("this torch has no version counters")


def version_counter() -> Callable[[torch.Tensor], int]:
    """The function that returns the number of in-place writes to a tensor.

    This is torch's own function, since it is called for every operand. It raises RuntimeError for an inference
    tensor, and for every tensor if torch has no version counters.
    """
    return VERSIONS.parts or _no_version


class _Views(NamedTuple):
    is_view: Callable[[torch.Tensor], bool]
    base: Callable[[torch.Tensor], torch.Tensor | None]


def _find_views() -> _Views:
    return _Views(torch.Tensor._is_view, getter("_base"))


VIEWS = Capability(
    "view records",
    "values and names of the forward, and the memory that a graph holds, are unknown",
    _find_views,
)


def base_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tensor that this one is a view of; None if it is not a view, or torch cannot tell."""
    parts = VIEWS.parts
    if parts is None:
        return None
    try:
        return parts.base(tensor) if parts.is_view(tensor) else None
    except Exception as error:
        VIEWS.turn_off(error)
        return None


def reshaped_from(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tensor that has the same elements in the same order, if `tensor` is a view of all of it."""
    base = base_of(tensor)
    if base is None or base.numel() != tensor.numel():
        return None
    return base if base.is_contiguous() and tensor.is_contiguous() else None


def other_shape(base: torch.Tensor, view: torch.Tensor) -> tuple[int, ...] | None:
    """The shape of a tensor if that of its view is another one."""
    return None if base.shape == view.shape else tuple(base.shape)


def is_changed_view(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a view of memory that has been written in place since, so that reading its `grad_fn`
    could create a new Node (torch: `VariableHooks::grad_fn`). True if torch cannot tell."""
    parts, version = VIEWS.parts, VERSIONS.parts
    if parts is None or version is None:
        return True
    try:
        return parts.is_view(tensor) and version(tensor) > 0
    except Exception as error:
        VIEWS.turn_off(error)
        return True


def _find_storage_id() -> Callable[[torch.UntypedStorage], int]:
    if not isinstance(torch.empty(0, device="cpu").untyped_storage()._cdata, int):
        raise TypeError("_cdata is not a number")
    return attrgetter("_cdata")


STORAGE_IDENTITY = Capability(
    "storage identity", "storages without memory (meta tensors) cannot be distinguished", _find_storage_id
)


def storage_id(storage: torch.UntypedStorage) -> int:
    """A number that identifies this storage while it is alive."""
    parts = STORAGE_IDENTITY.parts
    if parts is not None:
        try:
            return parts(storage)
        except Exception as error:
            STORAGE_IDENTITY.turn_off(error)
    return storage.data_ptr()


_SPARSE_PARTS = {
    torch.sparse_coo: ("_indices", "_values"),  # the documented methods require a coalesced tensor
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


def sparse_parts(tensor: torch.Tensor) -> list[torch.Tensor] | None:
    """The dense tensors of a sparse tensor; None for other layouts, and if torch has no such access."""
    try:
        return [getattr(tensor, part)() for part in _SPARSE_PARTS[tensor.layout]]
    except (KeyError, AttributeError):
        return None


class _Transforms(NamedTuple):
    interpreters: Callable[[], Any]
    level: Callable[[], Any]
    is_wrapped: Callable[[torch.Tensor], bool]


def _find_transforms() -> _Transforms:
    functorch = torch._C._functorch
    found = _Transforms(
        functorch.peek_interpreter_stack, functorch.maybe_current_level, functorch.is_functorch_wrapped_tensor
    )
    found.interpreters(), found.level(), found.is_wrapped(torch.empty(0, device="cpu"))
    return found


TRANSFORMS = Capability(
    "torch.func transform records",
    "operations inside torch.func transforms are recorded as part of the script's graph",
    _find_transforms,
)


def in_transform() -> bool:
    """Whether the calling thread is inside a `torch.func` transform; False if torch cannot tell."""
    parts = TRANSFORMS.parts
    if parts is None:
        return False
    try:
        return parts.level() is not None or parts.interpreters() is not None
    except Exception as error:
        TRANSFORMS.turn_off(error)
        return False


in_trace: Callable[[], bool] = vars(torch.jit)["is_tracing"]
"""Whether `torch.jit.trace` is running."""


def is_transformed(tensor: torch.Tensor) -> bool:
    """Whether a tensor belongs to a `torch.func` transform; False if torch cannot tell."""
    parts = TRANSFORMS.parts  # inlined, since this is called for most tensors of a recording
    if parts is None:
        return False
    try:
        return parts.is_wrapped(tensor)
    except Exception as error:
        TRANSFORMS.turn_off(error)
        return False


class _Batches(NamedTuple):
    is_batched: Callable[[torch.Tensor], bool]
    remove: Callable[[torch.Tensor, int, int, int], torch.Tensor]


def _find_batches() -> _Batches:
    found = _Batches(torch._C._functorch.is_legacy_batchedtensor, torch._remove_batch_dim)
    found.is_batched(torch.empty(0, device="cpu"))
    return found


BATCHED_GRADIENTS = Capability(
    "batched gradients", "gradients of a call with is_grads_batched=True are unknown", _find_batches
)


def without_batching(tensor: torch.Tensor) -> torch.Tensor | None:
    """The elements of a gradient that `is_grads_batched=True` computes for several rows at once, the rows first;
    None for other tensors, for batches of batches, or if torch cannot tell."""
    parts = BATCHED_GRADIENTS.parts
    if parts is None:
        return None
    try:
        if not parts.is_batched(tensor):
            return None
        rows = parts.remove(tensor, 1, 1, 0)
        return None if parts.is_batched(rows) else rows
    except Exception as error:
        BATCHED_GRADIENTS.turn_off(error)
        return None


class _Fakes(NamedTuple):
    fake: type[Any]
    functional: type[Any]


def _find_fakes() -> _Fakes:
    from torch._subclasses.fake_tensor import FakeTensor
    from torch._subclasses.functional_tensor import FunctionalTensor

    return _Fakes(FakeTensor, FunctionalTensor)


FAKE_TENSORS = Capability(
    "traced tensors",
    "backward calls traced by torch.compile or torch.export are recorded as calls of the script",
    _find_fakes,
)


def is_fake(tensor: Any) -> bool:
    """Whether a tensor is a FakeTensor, which has a shape but no elements."""
    parts = FAKE_TENSORS.parts
    return parts is not None and isinstance(tensor, parts.fake)


def is_traced(tensor: Any) -> bool:
    """Whether a tensor belongs to a trace of the compiler: a FakeTensor or a FunctionalTensor."""
    parts = FAKE_TENSORS.parts
    return parts is not None and isinstance(tensor, parts)
