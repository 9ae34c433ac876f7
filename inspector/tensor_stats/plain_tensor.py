"""The elements of a tensor as an ordinary tensor that the inspector's operations can read."""

from __future__ import annotations

import functools
from typing import TypeAlias

import torch

from inspector.torch_api.tensors import is_traced, is_transformed, without_batching

ORDINARY = (torch.Tensor, torch.nn.Parameter)

Memory: TypeAlias = tuple[int, int, int]
"""Address of a storage, and the range of bytes (end excluded) that a tensor covers in it."""


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


@functools.cache
def device_name(device: torch.device) -> str:
    """`cuda:0` for torch.device("cuda", 0)."""
    return str(device)


def memory_of(tensor: torch.Tensor) -> Memory | None:
    """The memory range of a tensor, valid while it is alive; None if it has no storage of its own."""
    if not has_memory(tensor) or tensor.is_meta:
        return None
    try:
        address, count = tensor.untyped_storage().data_ptr(), tensor.numel()
    except RuntimeError:  # the zeros of forward mode, which torch makes without memory
        return None
    if address == 0 or count == 0:
        return None
    if tensor.is_contiguous():
        reach = count - 1
    else:
        reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first, width = int(tensor.storage_offset()), tensor.element_size()
    return address, first * width, (first + int(reach) + 1) * width


def has_memory(tensor: torch.Tensor) -> bool:
    """Whether a tensor is an ordinary one with a storage, a shape and strides: not sparse, nested or traced."""
    if not is_ordinary(tensor) or is_transformed(tensor):
        return False
    return tensor.layout is torch.strided and not tensor.is_nested


def lacks_memory(tensor: torch.Tensor, memory: torch.UntypedStorage) -> bool:
    """Whether the storage of a tensor was resized to less than its elements, which must not be read then."""
    available = memory.nbytes() // tensor.itemsize - tensor.storage_offset()
    if tensor.is_contiguous():
        return 0 < tensor.numel() > available
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return reach >= 0 and reach + 1 > available


def is_shared(tensor: torch.Tensor) -> bool:
    """Whether a tensor shares its memory with a numpy array, in either direction. torch does not resize such
    storages."""
    if type(tensor) is not torch.Tensor or not tensor.is_cpu or not has_memory(tensor):
        return False
    return not tensor.untyped_storage().resizable()


def overlap(one: Memory, other: Memory) -> bool:
    """Whether two memory ranges have common bytes."""
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def plain_tensor(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """An ordinary tensor with the elements of `tensor`, not recorded by autograd; or None and the reason.

    Of a nested tensor it holds the values of all its parts, of a batched gradient the rows of the batch.
    """
    if is_transformed(tensor):
        return None, "inside a torch.func transform"
    if is_traced(tensor):
        return None, f"a {type(tensor).__name__} has no elements"
    if tensor.is_nested:
        return _values_of_nested(tensor)
    if not is_ordinary(tensor):
        if hasattr(tensor, "to_local"):  # a DTensor: its statistics would be collectives, which can hang
            tensor = tensor.to_local()
        elif _is_wrapper(tensor):
            inner = inner_tensors(tensor)
            wrapped = _wrapped(tensor, inner)
            if wrapped is None:
                return None, f"a {type(tensor).__name__} {_kept_in(inner)}"
            tensor = wrapped
    if tensor.is_meta:
        return None, "a meta tensor has no data"
    if tensor.is_quantized:
        return None, "quantized tensor"
    try:
        is_freed = tensor.layout is torch.strided and lacks_memory(tensor, tensor.untyped_storage())
    except NotImplementedError:  # a batched gradient has no storage
        rows = without_batching(tensor)
        return (None, f"a {type(tensor).__name__} without a storage") if rows is None else (rows.detach(), "")
    if is_freed:
        state = "too small" if tensor.untyped_storage().nbytes() else "empty"
        return None, f"its storage is {state} (sharded or freed)"
    return tensor.detach() if tensor.requires_grad and torch.is_grad_enabled() else tensor, ""


def _values_of_nested(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The values of all parts of a nested tensor, as `values()` returns them; None if there are gaps."""
    if tensor.layout is torch.strided:
        has_gaps = not tensor.is_contiguous()
    else:
        has_gaps = getattr(tensor, "lengths", lambda: None)() is not None
    return (None, "nested tensor with gaps") if has_gaps else (tensor.values().detach(), "")


def is_ordinary(tensor: torch.Tensor) -> bool:
    """Whether a tensor is not of a subclass of the user or a library."""
    return type(tensor) in ORDINARY


def stored(tensor: torch.Tensor) -> torch.Tensor:
    """The stored elements: all of them, or the explicit elements of a sparse tensor."""
    if tensor.layout is torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()


def _is_wrapper(tensor: torch.Tensor) -> bool:
    """Whether a subclass keeps its elements in other tensors (`_make_wrapper_subclass`), or has none."""
    return (
        hasattr(tensor, "__tensor_flatten__")
        or (tensor.numel() > 0 and not tensor.is_meta and tensor.data_ptr() == 0)
    )


def inner_tensors(tensor: torch.Tensor) -> dict[str, torch.Tensor] | None:
    """The tensors in which a subclass keeps its elements, by attribute name; None if it does not say so.

    Raises whatever its `__tensor_flatten__` raises.
    """
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        return None
    inner = {name: getattr(tensor, name) for name in flatten()[0]}  # of a DTensor also its mesh
    return {name: item for name, item in inner.items() if isinstance(item, torch.Tensor)}


def _wrapped(tensor: torch.Tensor, inner: dict[str, torch.Tensor] | None) -> torch.Tensor | None:
    """The one ordinary tensor that a subclass wraps, of its shape and type; None for other wrappers.

    How several tensors make one is known to the subclass alone, and its operations are the script's.
    """
    if inner is None or len(inner) != 1:
        return None
    (found,) = inner.values()
    is_same = is_ordinary(found) and (found.shape, found.dtype) == (tensor.shape, tensor.dtype)
    return found if is_same else None


def _kept_in(inner: dict[str, torch.Tensor] | None) -> str:
    return f"keeps its elements in {', '.join(inner)}" if inner else "wraps its data"
