"""Small tensors, measured many at a time: a reduction of one costs as much as that of sixteen.

A step of a small model has a thousand of them, and torch takes a microsecond or two to begin with any of the five
reductions that a summary needs. So they are copied, those of a kind into the rows of one matrix, and measured row
by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
import torch

from inspector.summaries.histogram import sample_step
from inspector.summaries.memory import largest_stride_first
from inspector.summaries.statistics import REDUCED_AS_THEY_ARE, SMALL, Numbers, statistics
from inspector.summaries.unobserved import unobserved

_BYTES = 1 << 18
"""Of one matrix: it stays in the processor's cache."""

_ROWS = 256
"""Of one matrix, at most."""

_MOST = 1 << 13
"""Elements of a tensor: from a larger one the reductions themselves take the time."""


class Measured:
    """The numbers of some elements and a sample of them: there at once, or as soon as somebody asks a Pool.

    numbers: those of `NAMES`, or the norm alone.
    """

    __slots__ = ("_numbers", "_pool", "_row", "_samples")

    def __init__(self, numbers: Sequence[float] = (), sample: torch.Tensor | None = None) -> None:
        self._numbers, self._samples = numbers, sample
        self._row: int | None = None
        self._pool: Pool | None = None

    @property
    def numbers(self) -> Sequence[float]:
        if self._pool is not None:
            self._pool.measure()
        return self._numbers

    @property
    def sample(self) -> torch.Tensor | None:
        """None in a light recording."""
        if self._pool is not None:
            self._pool.measure()
        return self._samples if self._row is None or self._samples is None else self._samples[self._row]

    def wait(self, pool: Pool) -> None:
        """It waits there."""
        self._pool = pool

    def fill(self, numbers: Sequence[float], samples: torch.Tensor, row: int) -> None:
        """It waits no more. samples: of several, with the row that is its own."""
        self._numbers, self._samples, self._row, self._pool = numbers, samples, row, None


class Pool:
    """Copies of tensors that wait to be measured."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[torch.dtype, torch.Size], _Waiting] = {}

    def add(self, elements: torch.Tensor) -> Measured:
        """Copy a tensor that `fits`. It is measured by the next `measure`, or before, where there are many."""
        if not elements.is_contiguous():
            elements = largest_stride_first(elements)  # as they lie: a view of them has the same numbers
        kind = (elements.dtype, elements.shape)
        waiting = self._kinds.get(kind)
        if waiting is None:
            most = max(1, min(_ROWS, _BYTES // (elements.numel() * elements.itemsize)))
            waiting = self._kinds[kind] = _Waiting(most)
        measured = Measured()
        measured.wait(self)
        waiting.copies.append(elements.clone(memory_format=torch.contiguous_format))
        waiting.measured.append(measured)
        if len(waiting.copies) >= waiting.most:
            waiting.measure()
        return measured

    def measure(self) -> None:
        """Measure all that wait."""
        if self._kinds:
            with unobserved():
                for waiting in self._kinds.values():
                    waiting.measure()
            self._kinds.clear()


@dataclass(slots=True)
class _Waiting:
    """Tensors of the same type and shape, up to so many, and what is to be filled for each."""

    most: int
    copies: list[torch.Tensor] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)

    def measure(self) -> None:
        if not self.copies:
            return
        matrix = torch.stack(self.copies).view(len(self.copies), -1)
        samples = matrix[:, :: sample_step(matrix.shape[1])].clone()
        for row, (measured, numbers) in enumerate(zip(self.measured, _numbers(matrix), strict=True)):
            measured.fill(numbers, samples, row)
        self.copies.clear()
        self.measured.clear()


def fits(elements: torch.Tensor) -> bool:
    """Whether a tensor may go into a Pool: elements on the processor, few and of a type that torch reduces."""
    return elements.numel() <= _MOST and elements.dtype in REDUCED_AS_THEY_ARE and elements.is_cpu


def _numbers(matrix: torch.Tensor) -> list[Numbers]:
    """Of each row, as `statistics` has them."""
    norms = torch.linalg.vector_norm(matrix, dim=1).tolist()
    totals = matrix.sum(1).tolist()
    least, most = matrix.amin(1).tolist(), matrix.amax(1).tolist()
    count = matrix.shape[1]
    nonzero = [int(numpy.count_nonzero(row)) for row in matrix.to(torch.bool).numpy()]
    return [
        Numbers(norm, total / count, low, high, count - nonzero[k], 0, 0)
        if SMALL < norm < math.inf and math.isfinite(total)
        else statistics(matrix[k])  # NaN, Inf, or squares that float32 cannot hold
        for k, (norm, total, low, high) in enumerate(zip(norms, totals, least, most, strict=True))
    ]
