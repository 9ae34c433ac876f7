"""Statistics of a tensor on a device, where it lives: as tensors, so that nobody waits for the device.

What torch cannot reduce as it is (integers, complex and 8-bit numbers) is converted piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from inspector.summaries.statistics import HALVES, REDUCED_AS_THEY_ARE, reducible

CHUNK_BYTES = 64 << 20
"""No temporary of ours is larger."""

_WIDE_BYTES = 8


def statistics(tensor: torch.Tensor, implied: int) -> list[torch.Tensor]:
    """The numbers of `NAMES`, over the elements of `tensor` and `implied` zeros that are not stored.

    Of a complex tensor those of its absolute values. NaN and Inf are always counted: to ask whether there are any
    would make the device wait.
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
    if tensor.dtype in REDUCED_AS_THEY_ARE or tensor.dtype in HALVES:
        yield tensor
    elif tensor.numel() * _WIDE_BYTES > CHUNK_BYTES and tensor.dim():
        longest = max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension])
        for piece in tensor.chunk(2, longest):
            yield from _pieces(piece)
    else:
        yield reducible(tensor)


def _of_piece(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The numbers of `NAMES` for one piece."""
    least, most = torch.aminmax(tensor)
    zeros = tensor.numel() - torch.count_nonzero(tensor)
    mean = tensor.mean(dtype=torch.float32 if tensor.dtype in HALVES else None)
    return [_norm(tensor), mean, least, most, zeros, _count(tensor, torch.isnan), _count(tensor, torch.isinf)]


def _norm(tensor: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.vector_norm(tensor, dtype=torch.float32 if tensor.dtype in HALVES else None)
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
