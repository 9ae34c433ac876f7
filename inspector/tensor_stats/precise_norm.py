"""The 2-norm of a float32 tensor to all the digits of float32, as fast as torch's.

`torch.linalg.vector_norm` adds the squares one after the other, so of the norm of a million equal
elements three digits are right. Its sums are pairwise: tensors that fit into the processor's cache are squared and
summed. Of larger ones, the norms of short rows are combined in float64.
"""

from __future__ import annotations

import math

import torch

from inspector.tensor_stats.memory_extent import largest_stride_first

_SHORT = 256
"""Number of elements up to which torch's own norm is exact to a few units in the last place."""

_SQUARED = 1 << 15
"""Number of elements up to which squares, which are a temporary tensor, stay in the processor's cache."""

_vector_norm = torch.linalg.vector_norm


def precise_norm(tensor: torch.Tensor) -> float:
    """The 2-norm of a float32 or float64 tensor on the CPU.

    It is 0 or infinite if the squares of the elements underflow or overflow in this dtype.
    """
    count = tensor.numel()
    if count <= _SHORT or tensor.dtype is torch.float64:
        return float(_vector_norm(tensor))
    if count <= _SQUARED:
        return math.sqrt(float(tensor.square().sum()))
    if not tensor.is_contiguous():
        tensor = largest_stride_first(tensor)
    if not tensor.is_contiguous():
        halves = tensor.chunk(2, max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension]))
        return math.hypot(*map(precise_norm, halves))
    flat = tensor.view(-1)
    whole = count - count % _SHORT
    rows = _vector_norm(flat[:whole].view(-1, _SHORT), dim=1)
    norm = float(_vector_norm(rows, dtype=torch.float64))
    return norm if whole == count else math.hypot(norm, float(_vector_norm(flat[whole:])))


def precise_norms(matrix: torch.Tensor) -> tuple[list[float], torch.Tensor | None]:
    """The norms of the rows of a matrix, as from `precise_norm`, and the squares of its elements if these were
    computed."""
    count = matrix.shape[1]
    if count <= _SHORT or matrix.dtype is torch.float64:
        norms: list[float] = _vector_norm(matrix, dim=1).tolist()
        return norms, None
    if count <= _SQUARED:
        squares = matrix.square()
        return [math.sqrt(square) for square in squares.sum(1).tolist()], squares
    whole = count - count % _SHORT
    rows = _vector_norm(matrix[:, :whole].view(len(matrix), -1, _SHORT), dim=2)
    norms = _vector_norm(rows, dim=1, dtype=torch.float64).tolist()
    if whole < count:
        norms = list(map(math.hypot, norms, _vector_norm(matrix[:, whole:], dim=1).tolist()))
    return norms, None


def without_repetitions(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The elements of an expanded tensor without their repetitions, and how often each occurs."""
    if 0 not in tensor.stride():
        return tensor, 1
    times = 1
    for dimension, (size, step) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if step == 0 and size > 1:
            tensor, times = tensor.narrow(dimension, 0, 1), times * size
    return tensor, times
