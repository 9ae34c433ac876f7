"""The elements of a tensor as an ordinary tensor that the inspector's operations can read."""

from __future__ import annotations

import functools
from typing import TypeAlias

import torch

from inspector.torch_api.tensors import is_fake, is_transformed

ORDINARY = (torch.Tensor, torch.nn.Parameter)

Memory: TypeAlias = tuple[int, int, int]
"""Address of a storage, and from which to before which of its bytes a tensor lies in it."""


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


@functools.cache
def device_name(device: torch.device) -> str:
    """`cuda:0` for torch.device("cuda", 0)."""
    return str(device)


def memory_of(tensor: torch.Tensor) -> Memory | None:
    """Where the elements of a tensor lie, good while it lives; None where it has no memory of its own."""
    if type(tensor) not in ORDINARY or tensor.layout is not torch.strided or tensor.is_meta:
        return None
    address = tensor.untyped_storage().data_ptr()
    if address == 0 or tensor.numel() == 0:
        return None
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first, width = int(tensor.storage_offset()), tensor.element_size()
    return address, first * width, (first + int(reach) + 1) * width


def is_shared(tensor: torch.Tensor) -> bool:
    """Whether somebody else holds the memory of a tensor as well: torch lets no such storage grow or shrink, be it
    that an array was made of the tensor (`x.numpy()`) or the tensor of an array."""
    if type(tensor) is not torch.Tensor or tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return False
    return not tensor.untyped_storage().resizable()


def overlap(one: Memory, other: Memory) -> bool:
    """Whether two tensors reach over the same bytes."""
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def plain_tensor(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The ordinary tensor that holds the elements of `tensor`, of which autograd records nothing; or None, and why
    there is none."""
    if is_transformed(tensor):
        return None, "inside a torch.func transform"
    if tensor.is_nested:
        return None, "nested tensor"
    if not is_ordinary(tensor):
        if hasattr(tensor, "to_local"):  # a DTensor: its own statistics would be collectives, and could hang
            tensor = tensor.to_local()
        elif _is_wrapper(tensor):
            return None, f"a {type(tensor).__name__} wraps its data"
    if tensor.is_meta:
        return None, "a meta tensor has no data"
    if tensor.is_quantized:
        return None, "quantized tensor"
    if tensor.layout is torch.strided and tensor.untyped_storage().nbytes() == 0 and tensor.numel() > 0:
        return None, "its storage is empty (sharded or freed)"
    return tensor.detach() if tensor.requires_grad and torch.is_grad_enabled() else tensor, ""


def is_ordinary(tensor: torch.Tensor) -> bool:
    """Whether a tensor is of no subclass of the user's or a library's."""
    return type(tensor) in ORDINARY


def stored(tensor: torch.Tensor) -> torch.Tensor:
    """The elements that are stored: all of them, or those of a sparse tensor that may differ from zero."""
    if tensor.layout is torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()


def _is_wrapper(tensor: torch.Tensor) -> bool:
    """Whether a subclass keeps its elements in other tensors (`_make_wrapper_subclass`), or has none."""
    return (
        is_fake(tensor)
        or hasattr(tensor, "__tensor_flatten__")
        or (tensor.numel() > 0 and not tensor.is_meta and tensor.data_ptr() == 0)
    )
