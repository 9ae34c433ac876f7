"""Statistics of a tensor, where it lives, without a copy of it.

Torch reduces float32 and float64 in their own type by pairs, which is exact to a few units in the last place; to
reduce in a wider type would copy the whole tensor first (and take 13 times as long). What cannot be reduced as it
is (integers, complex and 8-bit numbers) is converted piece by piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

CHUNK_BYTES = 64 << 20
"""No temporary of ours is larger."""

NAMES = ("norm", "mean", "min", "max", "zeros", "nans", "infinities")
COUNTS = ("zeros", "nans", "infinities")

_REDUCED_AS_THEY_ARE = (torch.float32, torch.float64)
_HALVES = (torch.float16, torch.bfloat16)
_WIDE_BYTES = 8


def statistics(tensor: torch.Tensor, implied: int) -> list[torch.Tensor]:
    """The numbers of `NAMES`, over the elements of `tensor` and `implied` zeros that are not stored.

    Of a complex tensor those of its absolute values. On the CPU NaN and Inf are counted only where the extremes
    show that there are any; to ask would make a device wait, so there they always are.
    """
    rows = [_of_piece(piece) for piece in _pieces(tensor)] if tensor.numel() else []
    if len(rows) == 1 and not implied:
        return rows[0]
    return _combined(rows, [piece.numel() for piece in _pieces(tensor)], implied, tensor.device)


def norm(tensor: torch.Tensor) -> torch.Tensor:
    """The 2-norm, the one number of a light recording."""
    norms = [_norm(piece) for piece in _pieces(tensor)]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms).to(torch.float64))


def _combined(
    rows: list[list[torch.Tensor]], sizes: list[int], implied: int, device: torch.device
) -> list[torch.Tensor]:
    """The numbers of all pieces together, and of `implied` zeros."""
    zero = torch.zeros(7, dtype=torch.float64, device=device)
    parts = [torch.stack([number.to(torch.float64) for number in row]) for row in rows]
    sizes = sizes[: len(parts)]
    if implied:
        parts.append(zero + torch.tensor([0, 0, 0, 0, implied, 0, 0], device=device))
        sizes = [*sizes, implied]
    table = torch.stack(parts) if parts else zero[None]
    weights = torch.tensor(sizes or [1], dtype=torch.float64, device=device)
    mean = (table[:, 1] * weights).sum() / weights.sum()
    least, most = table[:, 2].amin(), table[:, 3].amax()
    return [torch.linalg.vector_norm(table[:, 0]), mean, least, most, *table[:, 4:].sum(0)]


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensor as it is where torch reduces it so; else converted, in pieces of at most `CHUNK_BYTES`."""
    if tensor.dtype in _REDUCED_AS_THEY_ARE or tensor.dtype in _HALVES:
        yield tensor
    elif tensor.numel() * _WIDE_BYTES > CHUNK_BYTES and tensor.dim():
        longest = max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension])
        for piece in tensor.chunk(2, longest):
            yield from _pieces(piece)
    else:
        yield tensor.abs().to(torch.float64) if tensor.is_complex() else tensor.to(torch.float64)


def _of_piece(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The numbers of `NAMES` for one piece."""
    least, most = torch.aminmax(tensor)
    zeros = tensor.numel() - torch.count_nonzero(tensor)
    dtype = torch.float32 if tensor.dtype in _HALVES else None
    numbers = [_norm(tensor), tensor.mean(dtype=dtype), least, most, zeros]
    if tensor.device.type == "cpu" and math.isfinite(least) and math.isfinite(most):
        return [*numbers, _NONE, _NONE]
    return [*numbers, _count(tensor, torch.isnan), _count(tensor, torch.isinf)]


_NONE = torch.zeros(())


def _norm(tensor: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if tensor.dtype in _HALVES else None
    found: torch.Tensor = torch.linalg.vector_norm(tensor, dtype=dtype)
    if tensor.device.type == "cpu" and tensor.dtype is not torch.float64 and not math.isfinite(found):
        # The squares of large float32 overflow where the elements do not; rare, so it may cost a copy.
        norms = [torch.linalg.vector_norm(piece, dtype=torch.float64) for piece in _small_pieces(tensor)]
        found = torch.linalg.vector_norm(torch.stack(norms))
    return found


def _count(tensor: torch.Tensor, test: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """How many elements pass `test`, without a mask of more than `CHUNK_BYTES`."""
    return torch.stack([torch.count_nonzero(test(piece)) for piece in _small_pieces(tensor)]).sum()


def _small_pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Pieces of which even a copy in float64 stays within `CHUNK_BYTES`."""
    if tensor.numel() * _WIDE_BYTES > CHUNK_BYTES and tensor.dim():
        longest = max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension])
        for piece in tensor.chunk(2, longest):
            yield from _small_pieces(piece)
    else:
        yield tensor
