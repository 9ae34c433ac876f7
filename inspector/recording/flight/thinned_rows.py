"""A table of numbers over the steps of a run, in memory that does not grow with the steps.

Each row is one step at first. When there are too many, two rows become one, so that all rows stand for equally
many steps. A row keeps the smallest, the middle and the largest finite value of each column, and how many values
were not finite.
"""

from __future__ import annotations

import torch
from msgspec import Struct

MOST_ROWS = 400
"""Maximum number of rows: with `MOST_COLUMNS` gradients some 1 MB of JSON."""


class RowColumns(Struct):
    """The rows, as tensors [rows, columns] on the CPU.

    middle: the median of the steps, of a joined row the mean of the medians. bad: number of values not finite.
    steps: [rows], the number of steps in each.
    """

    low: torch.Tensor
    middle: torch.Tensor
    high: torch.Tensor
    bad: torch.Tensor
    steps: torch.Tensor

    def __len__(self) -> int:
        return len(self.steps)

    def slice(self, start: int, end: int | None, stride: int = 1) -> RowColumns:
        """Some of the rows."""
        part = slice(start, end, stride)
        return RowColumns(self.low[part], self.middle[part], self.high[part], self.bad[part], self.steps[part])

    def widened(self, columns: int) -> RowColumns:
        """The rows with more columns, in which nothing was recorded."""
        more = columns - self.low.shape[1]
        if more <= 0:
            return self
        none = torch.full((len(self), more), torch.nan, dtype=torch.float64)
        zeros = torch.zeros((len(self), more), dtype=torch.int64)
        low, middle, high = (torch.cat([part, none], 1) for part in (self.low, self.middle, self.high))
        return RowColumns(low, middle, high, torch.cat([self.bad, zeros], 1), self.steps)


class ThinnedRows:
    """The table. `add` appends steps; `rows` is what is left of them."""

    def __init__(self) -> None:
        none = torch.empty((0, 0), dtype=torch.float64)
        self.rows = RowColumns(none, none, none, none.long(), torch.empty(0, dtype=torch.int64))
        self._size = 1  # steps in a full row

    def add(self, values: torch.Tensor, known: torch.Tensor) -> None:
        """Append steps, in order.

        values: [steps, columns], float64 on the CPU. known: [steps, columns], whether a value was recorded.
        """
        rows = self.rows.widened(values.shape[1])
        start = 0
        if len(rows) and (room := self._size - int(rows.steps[-1])) > 0:
            start = min(room, len(values))
            first = _summary(values[:start].unsqueeze(0), known[:start].unsqueeze(0))
            rows = _joined(rows.slice(0, -1), _merged(rows.slice(-1, None), first))
        whole = (len(values) - start) // self._size * self._size
        for begin, end, size in ((start, start + whole, self._size), (start + whole, len(values), None)):
            if end > begin:
                shape = (-1, size or end - begin, values.shape[1])
                rows = _joined(rows, _summary(values[begin:end].reshape(shape), known[begin:end].reshape(shape)))
        while len(rows) > MOST_ROWS:
            rows = _halved(rows)
            self._size *= 2
        self.rows = rows


def _summary(values: torch.Tensor, known: torch.Tensor) -> RowColumns:
    """values, known: [rows, steps, columns]."""
    finite = known & values.isfinite()
    low = torch.where(finite, values, torch.inf).amin(1)
    high = torch.where(finite, values, -torch.inf).amax(1)
    middle = torch.where(finite, values, torch.nan).nanmedian(1).values
    none, bad = ~finite.any(1), (known & ~finite).sum(1)
    steps = torch.full((len(values),), values.shape[1], dtype=torch.int64)
    return RowColumns(low.masked_fill(none, torch.nan), middle, high.masked_fill(none, torch.nan), bad, steps)


def _merged(one: RowColumns, other: RowColumns) -> RowColumns:
    """Each row of one table with the same row of another."""
    weights = one.steps.unsqueeze(1), other.steps.unsqueeze(1)
    mean = (one.middle * weights[0] + other.middle * weights[1]) / (weights[0] + weights[1])
    middle = torch.where(one.middle.isnan(), other.middle, torch.where(other.middle.isnan(), one.middle, mean))
    low, high = torch.fmin(one.low, other.low), torch.fmax(one.high, other.high)
    return RowColumns(low, middle, high, one.bad + other.bad, one.steps + other.steps)


def _joined(one: RowColumns, other: RowColumns) -> RowColumns:
    """The rows of one table, then those of another."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return RowColumns(*(torch.cat(pair) for pair in pairs))


def _halved(rows: RowColumns) -> RowColumns:
    """Every two rows as one; an odd one at the end stays as it is."""
    even = len(rows) // 2 * 2
    pairs = _merged(rows.slice(0, even, 2), rows.slice(1, even, 2))
    return _joined(pairs, rows.slice(even, None))


def _parts(rows: RowColumns) -> tuple[torch.Tensor, ...]:
    return rows.low, rows.middle, rows.high, rows.bad, rows.steps
