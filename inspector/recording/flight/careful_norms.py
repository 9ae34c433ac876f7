"""The norms of many tensors to five digits, in the time that torch takes for them.

torch adds the squares of a tensor in float32, one after the other: of the norm of millions of elements, two or
three digits are right, and it is 0 or infinite where the squares are too small or too large for float32.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from inspector.torch_api.foreach import NARROW, norms_of

_LARGE = 1 << 16
"""Number of elements above which the norms of parts are computed first."""
LEAST = 1e-13
"""The squares of smaller norms, or of the many elements that make one, have few digits in float32, or none."""
_NARROWEST, _WIDEST = 256, 4_096
"""Number of elements in the rows of a tensor that need not be cut anew."""
_MOST_ROWS = 1 << 14
"""Number of rows above which these become wider: their norms are added in float32, too."""
_CHUNK = 1 << 20

_vector_norm = torch.linalg.vector_norm


class NormRows(NamedTuple):
    """How to compute the norm of a large tensor: that of the norms of its rows, in a dtype.

    width: of the rows that the elements are cut into; what is left is another row. dimensions: those of a row, if
    the elements cannot be cut.
    """

    width: int | None
    dimensions: tuple[int, ...]
    dtype: torch.dtype

    def norms(self, tensor: torch.Tensor) -> torch.Tensor:
        """The norms of the rows."""
        if self.width is None:
            return self._norms(tensor, self.dimensions)
        rest = tensor.numel() % self.width
        if not rest:
            return self._norms(tensor.view(-1, self.width), (1,))
        flat = tensor.view(-1)
        rows = self._norms(flat[:-rest].view(-1, self.width), (1,))
        return torch.cat([rows, self._norms(flat[-rest:].unsqueeze(0), (1,))])

    def _norms(self, rows: torch.Tensor, dimensions: tuple[int, ...]) -> torch.Tensor:
        norms: torch.Tensor = _vector_norm(rows, 2, dimensions, dtype=self.dtype)
        return norms


def rows_of(tensors: Sequence[torch.Tensor]) -> dict[int, NormRows]:
    """The large tensors on the CPU, by their index. On other devices, torch's sums have more digits."""
    found = {}
    for index, tensor in enumerate(tensors):
        if tensor.is_cpu and tensor.numel() > _LARGE:
            count, dimensions = tensor.numel(), _last_dimensions(tensor.shape)
            is_cut = not _are_rows(math.prod(tensor.shape[at] for at in dimensions), count)
            width = _width(count) if is_cut and tensor.is_contiguous() else None
            dtype = torch.float32 if tensor.dtype in NARROW else tensor.dtype
            if width is not None or tensor.dim() > 1:
                found[index] = NormRows(width, dimensions, dtype)
    return found


def _are_rows(width: int, count: int) -> bool:
    """Whether so many elements are summed in float32 with five digits in rows of a width."""
    return _NARROWEST <= width <= _WIDEST and count // width <= _MOST_ROWS


def careful_norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The 2-norms of ordinary tensors of one device, as a vector there.

    On the CPU, a finite tensor has a finite norm, and only one of zeros has the norm 0. On other devices this
    would have to wait.
    """
    parts = list(tensors)
    for index, rows in rows_of(tensors).items():
        parts[index] = rows.norms(tensors[index])
    found = norms_of(parts)
    if not found.is_cpu:
        return found
    numbers: list[float] = found.tolist()
    return found if are_right(numbers) else corrected(numbers, tensors)


def are_right(numbers: Sequence[float]) -> bool:
    """Whether no square can have underflowed or overflowed in these norms."""
    return math.isfinite(sum(numbers)) and min(numbers) >= LEAST


def corrected(numbers: Sequence[float], tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The norms of tensors on the CPU, computed again where they may be wrong. numbers: as they were computed."""
    again = [
        number if LEAST <= number < math.inf else _scaled(tensor, number)
        for tensor, number in zip(tensors, numbers, strict=True)
    ]
    return torch.tensor(again, dtype=torch.float64)


def _scaled(tensor: torch.Tensor, norm: float) -> float:
    """The norm of a tensor whose squares may underflow or overflow. norm: without that."""
    if not tensor.is_floating_point():
        return norm
    largest = float(_vector_norm(tensor, math.inf)) if tensor.numel() else 0.0
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    if tensor.dtype is not torch.float64:
        return float(_vector_norm(tensor, dtype=torch.float64))
    pieces = torch.split(tensor.reshape(-1), _CHUNK)
    return largest * math.hypot(*(float(_vector_norm(piece / largest)) for piece in pieces))


@functools.lru_cache(maxsize=1_024)
def _width(count: int) -> int:
    """A width of rows that so many elements can be cut into, if possible without a rest."""
    least = max(_NARROWEST, count // _MOST_ROWS)
    return next((width for width in range(least, 16 * least) if count % width == 0), 4 * least)


def _last_dimensions(shape: Sequence[int]) -> tuple[int, ...]:
    """The last dimensions, so that there are about as many rows as each has elements."""
    starts = range(1, len(shape))
    start = min(starts, key=lambda start: max(math.prod(shape[:start]), math.prod(shape[start:])), default=0)
    return tuple(range(start, len(shape)))
