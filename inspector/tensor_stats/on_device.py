"""Statistics of a tensor on its device, as tensors, without waiting for the device.

They are computed in the widest dtype of the device: in float32 the squares of large elements can overflow, and a
test for that would have to wait for the device.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch

from inspector.tensor_stats.histogram import sample
from inspector.tensor_stats.statistics import halved

CHUNK_BYTES = 64 << 20
"""Maximum size of a temporary tensor."""


def summary_on_device(tensor: torch.Tensor, implied: int) -> torch.Tensor:
    """The numbers of `NAMES` over the elements of `tensor` and `implied` zeros that are not stored, followed by a
    sample of the elements.

    For a complex tensor those of its absolute values. NaN and Inf are always counted, since a test for them would
    have to wait for the device.
    """
    rows = [_of_piece(piece) for piece in _pieces(tensor)] if tensor.numel() else []
    if implied:
        rows.append((implied, [_number(value, tensor) for value in (0, 0, 0, 0, implied, 0, 0)]))
    return torch.cat([torch.stack(_combined(rows)), _widened(sample(tensor))])


def norm_on_device(tensor: torch.Tensor) -> torch.Tensor:
    """The 2-norm, the only number of a light recording."""
    return _root([_norm(piece) for piece in _pieces(tensor)])


_Row = tuple[int, list[torch.Tensor]]
"""Number of elements, and their statistics."""


def _combined(rows: list[_Row]) -> list[torch.Tensor]:
    """The statistics of all pieces together."""
    if len(rows) == 1:
        return rows[0][1]
    table = torch.stack([torch.stack(numbers) for _, numbers in rows])
    total = sum(count for count, _ in rows)
    mean = sum(numbers[1] * (count / total) for count, numbers in rows)
    assert isinstance(mean, torch.Tensor)
    extremes = [table[:, 2].amin(), table[:, 3].amax()]
    return [_root([numbers[0] for _, numbers in rows]), mean, *extremes, *table[:, 4:].sum(0)]


def _of_piece(piece: torch.Tensor) -> _Row:
    least, most = torch.aminmax(piece)
    zeros, nans, infinities = piece == 0, piece.isnan(), piece.isinf()
    counts = [torch.count_nonzero(found).to(piece.dtype) for found in (zeros, nans, infinities)]
    return piece.numel(), [_norm(piece), piece.mean(), least, most, *counts]


def _norm(piece: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.vector_norm(piece)
    if piece.dtype is not torch.float64 and piece.numel():  # squares may overflow or underflow
        most = torch.linalg.vector_norm(piece, ord=math.inf)
        scale = torch.where(torch.isfinite(most) & (most > 0), most, torch.ones_like(most))
        found = torch.linalg.vector_norm(piece / scale) * scale
    return found


def _root(norms: list[torch.Tensor]) -> torch.Tensor:
    """The norm of all pieces, from their norms."""
    return norms[0] if len(norms) == 1 else _norm(torch.stack(norms))


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensor in the widest dtype, in pieces of at most `CHUNK_BYTES`."""
    return map(_widened, halved(tensor, CHUNK_BYTES // widest(tensor.device).itemsize))


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    """In the widest dtype; absolute values for complex numbers."""
    return (tensor.abs() if tensor.is_complex() else tensor).to(widest(tensor.device))


def _number(value: float, like: torch.Tensor) -> torch.Tensor:
    return torch.full((), value, dtype=widest(like.device), device=like.device)


@functools.lru_cache(maxsize=64)
def widest(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device without float64, such as MPS."""
    try:
        torch.empty(0, dtype=torch.float64, device=device)
    except (TypeError, RuntimeError):
        return torch.float32
    return torch.float64
