"""The memory range of a tensor's elements, whatever their arrangement."""

from __future__ import annotations

import functools
import itertools
from typing import TypeAlias

import torch

MemoryExtent: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""The memory positions of some elements, relative to the first: the fewest sizes and strides that describe them,
largest stride first. Views of the same elements in another shape or order have the same extent."""


def memory_extent(tensor: torch.Tensor) -> MemoryExtent:
    """The memory extent of a tensor that is not empty, relative to its `storage_offset`."""
    return extent_of(tensor, None if tensor.is_contiguous() else tensor.stride())


def extent_of(tensor: torch.Tensor, strides: tuple[int, ...] | None) -> MemoryExtent:
    """`memory_extent` of a tensor with these strides, None if it is contiguous."""
    return _whole(tensor.numel()) if strides is None else _merged(tensor.shape, strides)


def is_dense(shape: torch.Size, stride: tuple[int, ...]) -> bool:
    """Whether the elements of a tensor with these sizes and strides follow each other in memory, in any order."""
    return _merged(shape, stride) == _whole(shape.numel())


@functools.lru_cache(maxsize=4096)
def _whole(count: int) -> MemoryExtent:
    return (count,), (1,)


@functools.lru_cache(maxsize=4096)
def _merged(shape: torch.Size, stride: tuple[int, ...]) -> MemoryExtent:
    """Joins dimensions, sorted by stride, if the outer stride is the size of the inner one."""
    sizes: list[int] = []
    strides: list[int] = []
    for step, size in sorted(zip(stride, shape, strict=True)):
        if size == 1:
            continue
        if sizes and step == sizes[-1] * strides[-1]:
            sizes[-1] *= size
        else:
            sizes.append(size)
            strides.append(step)
    return tuple(reversed(sizes)), tuple(reversed(strides))


def in_memory_order(tensor: torch.Tensor, where: MemoryExtent) -> torch.Tensor:
    """The same elements in memory order, which torch reduces several times as fast."""
    return tensor.as_strided(*where)


def largest_stride_first(tensor: torch.Tensor) -> torch.Tensor:
    """The same elements with their dimensions in memory order."""
    order = _order(tensor.stride())
    return tensor if order is None else tensor.permute(order)


@functools.lru_cache(maxsize=4096)
def _order(strides: tuple[int, ...]) -> list[int] | None:
    """The dimensions by decreasing stride; None if they are already in this order."""
    if all(outer >= inner for outer, inner in itertools.pairwise(strides)):
        return None
    return sorted(range(len(strides)), key=strides.__getitem__, reverse=True)
