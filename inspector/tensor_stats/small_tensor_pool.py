"""Measure small tensors in groups: reducing one takes as long as reducing sixteen.

A step of a small model has a thousand small tensors, and each of the five reductions of a summary has an overhead
of one or two microseconds. So tensors of the same dtype and shape are copied into the rows of a matrix and reduced
row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy
import torch

from inspector.tensor_stats.histogram import histogram, histograms, sample_step
from inspector.tensor_stats.memory_extent import largest_stride_first
from inspector.tensor_stats.precise_norm import precise_norms
from inspector.tensor_stats.row_shares import are_alike, are_surely_alike
from inspector.tensor_stats.statistics import REDUCED_AS_THEY_ARE, SMALL, TensorStatistics, mean_of, statistics
from inspector.torch_api.modes import unobserved

_BYTES = 1 << 19
"""Size of a matrix that stays in the processor's cache."""

_ROWS = 256
"""Maximum rows of a matrix."""

_MOST = 1 << 14
"""Maximum elements of a tensor; for larger ones the overhead does not matter."""


Layout: TypeAlias = tuple[tuple[int, ...], tuple[int, ...] | None]
"""The shape, of at least one dimension, and the strides of a dense tensor; None if it is contiguous."""

ReceiveNorms: TypeAlias = Callable[[numpy.ndarray], None]
"""Receives the norms of the rows of a tensor."""


class MeasuredTensor:
    """The numbers of some elements and a sample of them, available immediately or computed by a SmallTensorPool on
    access.

    numbers: those of `NAMES`, or only the norm.
    """

    __slots__ = ("_numbers", "_row", "_rows", "_sample")

    def __init__(
        self,
        numbers: Sequence[float] = (),
        sample: torch.Tensor | None = None,
        *,
        rows: _Rows | None = None,
        row: int = 0,
    ) -> None:
        self._numbers, self._sample = numbers, sample
        self._rows, self._row = rows, row

    @property
    def numbers(self) -> Sequence[float]:
        return self._numbers if self._rows is None else self._rows.numbers(self._row)

    @property
    def sample(self) -> torch.Tensor | None:
        """None in a light recording."""
        return self._sample if self._rows is None else self._rows.sample(self._row)

    @property
    def histogram(self) -> dict[str, Any] | None:
        """That of the sample."""
        if self._rows is not None:
            return self._rows.histogram(self._row)
        return None if self._sample is None else histogram(self._sample)

    @property
    def largest_share(self) -> float | None:
        """See `Pending.largest_share`."""
        if self._rows is not None or not isinstance(self._numbers, TensorStatistics):
            return None
        norm, _, least, most, *_ = self._numbers
        return (max(-least, most) / norm) ** 2 if 0 < norm < math.inf else None

    def request_row_norms(self, layout: Layout, receive: ReceiveNorms) -> bool:
        """Call `receive` with the norms of the rows, in float64, when the numbers are computed.

        Not if the rows are alike.
        layout: of the tensor, which has these elements and no others between them. False if the norms cannot be
        computed with those of other tensors."""
        return self._rows is not None and self._rows.request_row_norms(self._row, layout, receive)


class SmallTensorPool:
    """Copies of tensors that are not measured yet.

    holds: whether the tensors stay as they are until `measure`: then they are held, and not copied.
    """

    def __init__(self, *, holds: bool = False) -> None:
        self._holds = holds
        self._kinds: dict[tuple[torch.dtype, torch.Size], _Rows] = {}

    def add(self, elements: torch.Tensor) -> MeasuredTensor:
        """Copy a tensor that `fits`. It is measured by the next call of `measure`, or earlier if there are
        many."""
        if not elements.is_contiguous():
            elements = largest_stride_first(elements)  # so that a transposed view has the same numbers
        kind = (elements.dtype, elements.shape)
        rows = self._kinds.get(kind)
        if rows is None or rows.is_measured:
            most = max(1, min(_ROWS, _BYTES // (elements.numel() * elements.itemsize)))
            rows = self._kinds[kind] = _Rows(most)
        copy = elements if self._holds else elements.clone(memory_format=torch.contiguous_format)
        rows.copies.append(copy)
        measured = MeasuredTensor(rows=rows, row=len(rows.copies) - 1)
        if len(rows.copies) >= rows.most:
            rows.measure()
            del self._kinds[kind]
        return measured

    def measure(self) -> None:
        """Measure all copies."""
        kinds, self._kinds = self._kinds, {}  # another thread may add some meanwhile
        for rows in kinds.values():
            rows.measure()


class _Rows:
    """At most `most` tensors of the same dtype and shape: copies until they are measured, then their numbers."""

    __slots__ = ("_columns", "_count", "_dtype", "_row_norms", "_samples", "_special", "copies", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.copies: list[torch.Tensor] = []
        self._count, self._dtype = 0, torch.float32
        self._columns: list[Sequence[float]] = []
        self._special: dict[int, TensorStatistics] = {}
        self._samples: _Samples | None = None
        self._row_norms: dict[Layout, list[tuple[int, ReceiveNorms]]] = {}

    @property
    def is_measured(self) -> bool:
        """Whether the copies have been measured; no more are added then."""
        return bool(self._columns)

    def measure(self) -> None:
        """Measure the copies. Called again, it does nothing."""
        if not self.copies:
            return
        with unobserved():
            matrix = torch.stack(self.copies).view(len(self.copies), -1)
            self.copies.clear()
            self._count, self._dtype = matrix.shape[1], matrix.dtype
            self._samples = _Samples(matrix[:, :: sample_step(self._count)].clone())
            squares = matrix.square()
            norms = precise_norms(matrix, squares)
            totals = matrix.sum(1).tolist()
            nonzero = _nonzero(matrix)
            for layout, wanted in self._row_norms.items():
                _send_row_norms(matrix, squares, layout, wanted)
            self._row_norms.clear()
            self._columns = [norms, totals, matrix.amin(1).tolist(), matrix.amax(1).tolist(), nonzero]
            for row, (norm, total, count) in enumerate(zip(norms, totals, nonzero, strict=True)):
                if count and not (SMALL < norm < math.inf and math.isfinite(total)):
                    self._special[row] = statistics(matrix[row])  # NaN, Inf, or squares outside of float32

    def numbers(self, row: int) -> TensorStatistics:
        """The numbers of a row, as from `statistics`."""
        self.measure()
        if row in self._special:
            return self._special[row]
        norm, total, least, most, nonzero = (column[row] for column in self._columns)
        mean = mean_of(total, norm, self._count, self._dtype)
        return TensorStatistics(norm, mean, least, most, self._count - int(nonzero), 0, 0)

    def request_row_norms(self, row: int, layout: Layout, receive: ReceiveNorms) -> bool:
        """`MeasuredTensor.request_row_norms` for the tensor in a row; False if the copies are gone already."""
        if self.is_measured:
            return False
        self._row_norms.setdefault(layout, []).append((row, receive))
        return True

    def sample(self, row: int) -> torch.Tensor | None:
        """A sample of the elements of a row."""
        self.measure()
        with unobserved():
            return None if self._samples is None else self._samples.matrix[row]

    def histogram(self, row: int) -> dict[str, Any] | None:
        """The histogram of that sample."""
        self.measure()
        return None if self._samples is None else self._samples.histograms[row]


class _Samples:
    """Samples of the elements of several tensors, the rows of a matrix."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix = matrix

    @cached_property
    def histograms(self) -> list[dict[str, Any]]:
        """One for each row."""
        return histograms(self.matrix)


def _send_row_norms(
    matrix: torch.Tensor, squares: torch.Tensor, layout: Layout, wanted: list[tuple[int, ReceiveNorms]]
) -> None:
    """Tell the norms of the rows of some of the tensors in a matrix, in float64, apart from those that are alike,
    which the sums of their squares nearly always show.

    squares: of the elements. wanted: the rows of the matrix, each with the function that receives its norms.
    """
    dimensions = tuple(range(2, len(layout[0]) + 1))  # an empty one would mean all
    sums = _arranged(squares, layout).sum(dimensions) if dimensions else squares
    alike = are_surely_alike(sums.numpy()[[row for row, _ in wanted]]).tolist()
    others = [asked for asked, is_alike in zip(wanted, alike, strict=True) if not is_alike]
    if not others:
        return
    tensors = _arranged(matrix[[row for row, _ in others]], layout)
    norms = _norms_of_rows(tensors.reshape(len(tensors), layout[0][0], -1)).numpy()
    for (_, receive), found, is_alike in zip(others, norms, are_alike(norms).tolist(), strict=True):
        if not is_alike:
            receive(found)


def _arranged(matrix: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The tensors in the rows of a matrix, in a layout."""
    shape, strides = layout
    if strides is None:
        return matrix.view(len(matrix), *shape)
    return matrix.as_strided((len(matrix), *shape), (matrix.shape[1], *strides))


def _norms_of_rows(matrices: torch.Tensor) -> torch.Tensor:
    """The norms of the rows of some matrices, in float64."""
    norms: torch.Tensor = torch.linalg.vector_norm(matrices, dim=2)
    largest = norms.amax(1)
    if bool(((largest > SMALL) & (largest < math.inf)).all()):
        return norms.double()
    # NaN, Inf, or squares outside of float32
    exact: torch.Tensor = torch.linalg.vector_norm(matrices, dim=2, dtype=torch.float64)
    return exact


def _nonzero(matrix: torch.Tensor) -> list[int]:
    """Number of nonzero elements of each row. Usually all are nonzero, which is checked first."""
    differ = matrix.to(torch.bool).numpy()
    if numpy.count_nonzero(differ) == matrix.numel():
        return [matrix.shape[1]] * len(matrix)
    return [int(numpy.count_nonzero(row)) for row in differ]


def fits(elements: torch.Tensor) -> bool:
    """Whether a tensor can go into a SmallTensorPool: a small CPU tensor of float32 or float64."""
    return elements.numel() <= _MOST and elements.dtype in REDUCED_AS_THEY_ARE and elements.is_cpu
