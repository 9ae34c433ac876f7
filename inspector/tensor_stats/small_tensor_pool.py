"""Measure small tensors in groups: reducing one takes as long as reducing sixteen.

A step of a small model has a thousand small tensors, and each of the five reductions of a summary has an overhead
of one or two microseconds. So the bytes of tensors of the same dtype and size are copied, which takes a tenth of
the time of a `clone`, and joined to the rows of a matrix, which is reduced row by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from ctypes import c_char
from functools import cached_property
from typing import Any, TypeAlias

import numpy
import torch

from inspector.tensor_stats.histogram import histogram, histograms, sample_step
from inspector.tensor_stats.memory_extent import largest_stride_first
from inspector.tensor_stats.precise_norm import precise_norms
from inspector.tensor_stats.row_shares import are_alike, are_surely_alike, harmless_share
from inspector.tensor_stats.statistics import REDUCED_AS_THEY_ARE, SMALL, TensorStatistics, mean_of, statistics
from inspector.torch_api.modes import unobserved

_BYTES = 1 << 20
"""Maximum size of a matrix: it stays in the processor's cache, and its memory is not given back each time."""

_ROWS = 256
"""Maximum rows of a matrix."""

MOST_POOLED = 1 << 16
"""Maximum elements of a tensor; for larger ones the overhead does not matter."""


Layout: TypeAlias = tuple[tuple[int, ...], tuple[int, ...] | None]
"""The shape, of at least one dimension, and the strides of a dense tensor; None if it is contiguous."""

NormsByKey: TypeAlias = dict[int, Any]
"""Receives the norms of the rows of tensors, in float64, each under its key."""


_Wanted: TypeAlias = tuple[int, NormsByKey, int]
"""The row of a tensor, and what receives the norms of the tensor's rows, with the key."""


class MeasuredTensor:
    """The numbers of some elements and a sample of them.

    numbers: those of `NAMES`, or only the norm. sample: None in a light recording.
    block_norms: of each `BLOCK` of elements in memory order, if there are several.
    """

    __slots__ = ("block_norms", "numbers", "sample")

    def __init__(
        self,
        numbers: Sequence[float] = (),
        sample: torch.Tensor | None = None,
        block_norms: Sequence[float] = (),
    ) -> None:
        self.numbers, self.sample, self.block_norms = numbers, sample, block_norms

    @property
    def histogram(self) -> dict[str, Any] | None:
        """That of the sample."""
        return None if self.sample is None else histogram(self.sample)

    @property
    def largest_share(self) -> float | None:
        """The largest share of one element of the square of the norm, if all elements are finite and this is known
        already."""
        if not isinstance(self.numbers, TensorStatistics):
            return None
        norm, _, least, most, *_ = self.numbers
        return (max(-least, most) / norm) ** 2 if 0 < norm < math.inf else None

    def request_row_norms(self, layout: Layout, norms: NormsByKey, key: int) -> bool:
        """Put the norms of the rows into `norms` when the numbers are computed.

        Not if the rows are alike.
        layout: of the tensor, which has these elements and no others between them. False if the norms cannot be
        computed with those of other tensors."""
        return False


class PooledTensor(MeasuredTensor):
    """The numbers and the sample of a tensor in a SmallTensorPool, computed on access.

    rows, row: where its copy is.
    """

    __slots__ = ("_row", "_rows")

    def __init__(self, rows: _Rows, row: int) -> None:
        self._rows, self._row = rows, row

    @property
    def numbers(self) -> Sequence[float]:  # type: ignore[override]
        return self._rows.numbers(self._row)

    @property
    def sample(self) -> torch.Tensor | None:  # type: ignore[override]
        return self._rows.sample(self._row)

    @property
    def histogram(self) -> dict[str, Any] | None:
        return self._rows.histogram(self._row)

    @property
    def largest_share(self) -> float | None:
        return None

    def request_row_norms(self, layout: Layout, norms: NormsByKey, key: int) -> bool:
        rows = self._rows
        if rows.columns:  # the copies are gone already
            return False
        rows.row_norms.setdefault(layout, []).append((self._row, norms, key))
        return True


class SmallTensorPool:
    """Copies of tensors that are not measured yet."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[torch.dtype, int], _Rows] = {}

    def add(self, elements: torch.Tensor) -> PooledTensor:
        """Copy a tensor that `fits`. It is measured by the next call of `measure`, or earlier if there are
        many."""
        if not elements.is_contiguous():
            elements = largest_stride_first(elements).contiguous()  # a transposed view has the same numbers
        if not (address := elements.data_ptr()):  # zeros that torch does not store, of a forward derivative
            elements = elements.clone()
            address = elements.untyped_storage().data_ptr()  # raises where there are no elements
        return self.add_at(address, elements.dtype, elements.numel())

    def add_at(self, address: int, dtype: torch.dtype, count: int) -> PooledTensor:
        """Copy `count` elements that follow each other in memory, as `add` does."""
        kind = dtype, count
        rows = self._kinds.get(kind)
        if rows is None or rows.columns:
            rows = self._kinds[kind] = _Rows(kind)
        copies = rows.copies
        copies.append(rows.bytes_at(address).raw)
        measured = PooledTensor(rows, len(copies) - 1)
        if len(copies) >= rows.most:
            rows.measure()
            del self._kinds[kind]
        return measured

    def measure(self) -> None:
        """Measure all copies."""
        kinds, self._kinds = self._kinds, {}  # another thread may add some meanwhile
        for rows in kinds.values():
            rows.measure()


class _Rows:
    """At most `most` tensors of the same dtype and size: copies of their bytes until they are measured, then their
    numbers.

    bytes_at: the bytes of such a tensor at an address. columns: the numbers, empty until they are measured.
    row_norms: whose rows are measured, too.
    """

    __slots__ = ("_kind", "_samples", "_special", "bytes_at", "columns", "copies", "most", "row_norms")

    def __init__(self, kind: tuple[torch.dtype, int]) -> None:
        self._kind, size = kind, kind[1] * kind[0].itemsize
        self.most = max(1, min(_ROWS, _BYTES // size))
        self.bytes_at = (c_char * size).from_address
        self.copies: list[bytes] = []
        self.columns: list[Sequence[float]] = []
        self._special: dict[int, TensorStatistics] = {}
        self._samples: _Samples | None = None
        self.row_norms: dict[Layout, list[_Wanted]] = {}

    def measure(self) -> None:
        """Measure the copies. Called again, it does nothing."""
        if not self.copies:
            return
        with unobserved():
            joined = bytearray().join(self.copies)
            dtype, count = self._kind
            matrix = torch.frombuffer(joined, dtype=dtype).view(-1, count)
            self.copies.clear()
            self._samples = _Samples(matrix[:, :: sample_step(count)].clone())
            norms, squares = precise_norms(matrix)
            totals = matrix.sum(1).tolist()
            nonzero = _nonzero(matrix)
            self.columns = [norms, totals, matrix.amin(1).tolist(), matrix.amax(1).tolist(), nonzero]
            for row, (norm, total, some) in enumerate(zip(norms, totals, nonzero, strict=True)):
                if some and not (SMALL < norm < math.inf and math.isfinite(total)):
                    self._special[row] = statistics(matrix[row])  # NaN, Inf, or squares outside of float32
            for layout, wanted in self.row_norms.items():
                if left := self._may_stand_out(wanted, layout[0][0]):
                    squares = matrix.square() if squares is None else squares
                    _send_row_norms(matrix, squares, layout, left)
            self.row_norms.clear()

    def _may_stand_out(self, wanted: list[_Wanted], count: int) -> list[_Wanted]:
        """Those of `wanted` of whose `count` rows one may stand out."""
        special, harmless = self._special, harmless_share(count, self._kind[1])
        norms, _, leasts, mosts, _ = self.columns
        return [
            item
            for item in wanted
            if (row := item[0]) in special
            or (norms[row] and (max(-leasts[row], mosts[row]) / norms[row]) ** 2 >= harmless)
        ]

    def numbers(self, row: int) -> TensorStatistics:
        """The numbers of a row, as from `statistics`."""
        self.measure()
        if row in self._special:
            return self._special[row]
        norm, total, least, most, nonzero = (column[row] for column in self.columns)
        dtype, count = self._kind
        return TensorStatistics(norm, mean_of(total, norm, count, dtype), least, most, count - int(nonzero), 0, 0)

    def sample(self, row: int) -> torch.Tensor | None:
        """A sample of the elements of a row."""
        self.measure()
        with unobserved():
            return None if self._samples is None else self._samples.matrix[row]

    def histogram(self, row: int) -> dict[str, Any] | None:
        """The histogram of that sample."""
        self.measure()
        return None if self._samples is None else self._samples.histogram(row)


_SINGLY = 8
"""Rows of a matrix whose histograms are counted one by one. A folded picture asks for few, a report for all."""


class _Samples:
    """Samples of the elements of several tensors, the rows of a matrix."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix = matrix
        self._asked = 0

    def histogram(self, row: int) -> dict[str, Any]:
        """The histogram of a row."""
        self._asked += 1
        if self._asked > _SINGLY:
            return self._histograms[row]
        with unobserved():
            return histogram(self.matrix[row])

    @cached_property
    def _histograms(self) -> list[dict[str, Any]]:
        """One for each row."""
        return histograms(self.matrix)


def _send_row_norms(
    matrix: torch.Tensor, squares: torch.Tensor, layout: Layout, wanted: list[_Wanted]
) -> None:
    """Send the norms of the rows of some of the tensors in a matrix, apart from those that are alike, which the
    sums of their squares nearly always show. squares: of the elements of the matrix."""
    sums = _sums_of_rows(squares, layout)
    alike = are_surely_alike(sums.numpy()).tolist()
    wanted = [item for item in wanted if not alike[item[0]]]
    if not wanted:
        return
    norms = _norms_of_rows(_rows_of(matrix, layout, wanted)).numpy()
    for (_, receives, key), found, is_alike in zip(wanted, norms, are_alike(norms).tolist(), strict=True):
        if not is_alike:
            receives[key] = found


def _sums_of_rows(matrix: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The sums of the rows of the tensors in a matrix."""
    shape, strides = layout
    if strides is not None and len(shape) > 2 and strides[-1] == 1:  # first in the order of memory, twice as fast
        matrix = matrix.view(len(matrix), -1, shape[-1]).sum(2)
        shape, strides = shape[:-1], tuple(step // shape[-1] for step in strides[:-1])
    tensors = _arranged(matrix, (shape, strides))
    return tensors if tensors.dim() == 2 else tensors.sum(tuple(range(2, tensors.dim())))


def _rows_of(matrix: torch.Tensor, layout: Layout, wanted: list[_Wanted]) -> torch.Tensor:
    """Some of the tensors in a matrix, with their rows flat."""
    tensors = _arranged(matrix.index_select(0, torch.tensor([row for row, _, _ in wanted], device="cpu")), layout)
    return tensors.reshape(len(wanted), layout[0][0], -1)


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
    return elements.numel() <= MOST_POOLED and elements.dtype in REDUCED_AS_THEY_ARE and elements.is_cpu
