"""Statistics of a CPU tensor in one pass over its memory.

All numbers of a block are computed while it is in the processor's cache, so a large tensor takes little more time
than reading it once. torch sums float32 and float64 pairwise in their own dtype, which is exact to a few units in
the last place (`precise_norm` sees to the norm); other dtypes (integers, complex and 8-bit numbers) are converted
block by block. A mean is rounded to the digits that such a sum leaves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy
import torch

from inspector.graph.values import FULL
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.tensor_stats.precise_norm import precise_norm, without_repetitions
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, is_profiling

NAMES = ("norm", "mean", "min", "max", "zeros", "nans", "infinities")
COUNTS = ("zeros", "nans", "infinities")

REDUCED_AS_THEY_ARE = (torch.float32, torch.float64)
HALVES = (torch.float16, torch.bfloat16)
SUMMED_IN_FLOAT32 = (torch.float32, *HALVES)

BLOCK = 1 << 17
"""Elements per block: half a megabyte of float32."""

FEW = 1 << 14
"""Number of elements up to which fewer calls are faster than calls with vector instructions."""

SMALL = 1e-15
"""Norm below which squares of elements (below 1e-18) may have underflowed in float32."""

NormFacts: TypeAlias = tuple[torch.Size, torch.dtype, float]
"""Shape, dtype and norm of a tensor."""

_ROUNDING = 1.2e-7
"""Relative rounding error of float32."""


class TensorStatistics(NamedTuple):
    """The numbers of `NAMES`."""

    norm: float
    mean: float
    least: float
    most: float
    zeros: int
    nans: int
    infinities: int


def tensor_norm(tensor: torch.Tensor) -> float:
    """The 2-norm, the only number of a light recording."""
    tensor, times = without_repetitions(tensor)
    if tensor.dtype in REDUCED_AS_THEY_ARE:
        found = precise_norm(tensor)
        if SMALL < found < math.inf:
            return found * math.sqrt(times)
    return _root([_norm(block) for block in _blocks(tensor)]) * math.sqrt(times)


def quick_norm(tensor: torch.Tensor | None, *, computed: bool = False) -> NormFacts | None:
    """Shape, dtype and 2-norm of a large dense CPU tensor, the fast path for most tensors.

    None for other tensors, for tensors that need more checks, and if user code would observe the operations.
    computed: whether torch has just computed the tensor, so that its storage cannot be freed.
    """
    if type(tensor) not in ORDINARY or tensor is None:
        return None
    if function_mode_count() or dispatch_mode_count() or is_profiling():  # each in C: Dynamo evaluates others
        return None
    try:
        if (
            tensor.dtype not in REDUCED_AS_THEY_ARE
            or not tensor.is_cpu
            or tensor.requires_grad
            or tensor.numel() <= FULL
            or not (computed or tensor.untyped_storage().nbytes())
        ):
            return None
        elements, times = without_repetitions(tensor)
        found = precise_norm(elements)
        if found <= SMALL or found == math.inf:  # squares outside of float32, or zeros
            found = _root([_norm(block) for block in _blocks(elements)])
    except RuntimeError:  # sparse, nested, or inside a torch.func transform
        return None
    return tensor.shape, tensor.dtype, found * math.sqrt(times)


def sums(tensor: torch.Tensor) -> tuple[float, float]:
    """Norm and mean, the two fastest numbers. The same elements in the same memory give the same bits."""
    tensor, times = without_repetitions(tensor)
    rows = [(_norm(block), _total(block)) for block in _blocks(tensor)]
    norm, total = _root([norm for norm, _ in rows]), sum(total for _, total in rows)
    return norm * math.sqrt(times), mean_of(total, norm, tensor.numel(), tensor.dtype)


def statistics(
    tensor: torch.Tensor, implied: int = 0, block_norms: list[float] | None = None
) -> TensorStatistics:
    """The numbers of all elements of `tensor`, and of `implied` zeros that are not stored.

    For a complex tensor those of its absolute values. NaN and Inf are only counted if the extremes are not finite.
    block_norms: receives the norm of each `BLOCK` elements, if there are several.
    """
    tensor, times = (tensor, 1) if implied else without_repetitions(tensor)
    if _is_one_block(tensor) and tensor.numel() and not implied:
        norm, total, least, most, *counts = _of_block(tensor)
        mean = mean_of(total, norm, tensor.numel(), tensor.dtype)
        return TensorStatistics(norm * math.sqrt(times), mean, least, most, *(count * times for count in counts))
    rows = [_of_block(block) for block in _blocks(tensor)] if tensor.numel() else []
    if implied:
        rows.append((0.0, 0.0, 0.0, 0.0, implied, 0, 0))
    columns = list(zip(*rows, strict=True))
    norm = _root(columns[0])
    if block_norms is not None:
        block_norms += columns[0]
    return TensorStatistics(
        norm * math.sqrt(times),
        mean_of(sum(columns[1]), norm, tensor.numel() + implied, tensor.dtype),
        _extreme(min, columns[2]),
        _extreme(max, columns[3]),
        *(int(sum(counts)) * times for counts in columns[4:]),
    )


def mean_of(total: float, norm: float, count: int, dtype: torch.dtype) -> float:
    """The mean of `count` elements, rounded to the digits that are certain.

    total: their sum, computed in float32 for the dtypes of `SUMMED_IN_FLOAT32`. norm: their 2-norm.
    """
    mean = total / count
    if dtype not in SUMMED_IN_FLOAT32 or not 0 < norm < math.inf or not math.isfinite(mean):
        return mean
    error = _ROUNDING * norm / math.sqrt(count)  # of a sum, for each element
    return 0.0 if abs(mean) < 2 * error else round(mean, -math.floor(math.log10(error)))


def _is_one_block(tensor: torch.Tensor) -> bool:
    return tensor.numel() <= BLOCK and tensor.dtype in REDUCED_AS_THEY_ARE


def _blocks(tensor: torch.Tensor) -> Iterable[torch.Tensor]:
    """The tensor in blocks that torch can reduce."""
    pieces = torch.split(tensor, BLOCK) if tensor.dim() == 1 else halved(tensor, BLOCK)
    if tensor.dtype in REDUCED_AS_THEY_ARE or tensor.dtype in HALVES:
        return pieces
    return (reducible(piece) for piece in pieces)


def halved(tensor: torch.Tensor, most: int) -> Iterator[torch.Tensor]:
    """The tensor in pieces of at most `most` elements, halved along the longest dimension."""
    if tensor.numel() <= most:
        yield tensor
        return
    longest = max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension])
    for piece in tensor.chunk(2, longest):
        yield from halved(piece, most)


def reducible(tensor: torch.Tensor) -> torch.Tensor:
    """In float64; absolute values for complex numbers."""
    return tensor.abs().to(torch.float64) if tensor.is_complex() else tensor.to(torch.float64)


def _of_block(block: torch.Tensor) -> tuple[float, float, float, float, int, int, int]:
    """The numbers of `NAMES`, with the sum instead of the mean."""
    least, most = _extremes(block)
    zeros = block.numel() - _nonzero(block) if least <= 0 <= most else 0
    if math.isfinite(least) and math.isfinite(most):
        return _norm(block), _total(block), least, most, zeros, 0, 0
    nans = int(torch.count_nonzero(torch.isnan(block))) if math.isnan(least) else 0
    if nans:
        zeros = block.numel() - _nonzero(block)
    infinities = int(torch.count_nonzero(torch.isinf(block)))
    return math.nan if nans else math.inf, least + most, least, most, zeros, nans, infinities


def _extremes(block: torch.Tensor) -> tuple[float, float]:
    if block.numel() > FEW and not block.is_contiguous():  # which torch would copy
        return block.amin().item(), block.amax().item()
    least, most = torch.aminmax(block)
    return least.item(), most.item()


def _nonzero(block: torch.Tensor) -> int:
    if block.numel() <= FEW:
        return int(torch.count_nonzero(block).item())
    return int(numpy.count_nonzero(block.to(torch.bool).numpy()))


def _norm(block: torch.Tensor) -> float:
    found = precise_norm(block.to(torch.float32) if block.dtype in HALVES else block)
    if not SMALL < found < math.inf and block.dtype is not torch.float64:
        # The squares of large float32 numbers overflow, and those of small ones underflow.
        found = precise_norm(block.to(torch.float64))
    return found


def _total(block: torch.Tensor) -> float:
    found: float = block.sum(dtype=torch.float32 if block.dtype in HALVES else None).item()
    return found if math.isfinite(found) else block.sum(dtype=torch.float64).item()


def _root(norms: Sequence[float]) -> float:
    """The norm of all blocks, from their norms; NaN if one of them is."""
    if len(norms) == 1:
        return norms[0]
    return math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)


def _extreme(choose: Callable[[Sequence[float]], float], found: Sequence[float]) -> float:
    return math.nan if any(map(math.isnan, found)) else choose(found)
