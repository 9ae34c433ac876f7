"""The norms of the rows of gradients: which row of the first dimension carries them, and which is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy
import torch

from inspector.graph.row_types import GradientRows
from inspector.tensor_stats.batch import Batch, Pending
from inspector.tensor_stats.on_device import widest
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.torch_api.modes import any_mode_active
from inspector.torch_api.tensors import is_transformed

MOST_ROWS = 4096
"""Gradients with more rows are left out."""

CARRIES = 0.9
"""A row is told from this share of the gradient's square on."""
_LEAST = 4
"""Of so many rows at least: one of two carries most of many healthy gradients."""
LISTED = 8
_LARGE = 1 << 14
"""Elements: below, the norms take longer to ask for than to compute."""

_TINY = 1e-280

_MOST_KEPT = 1 << 17
"""Numbers kept for one call."""


def row_norms(gradient: torch.Tensor | None) -> torch.Tensor | None:
    """The 2-norm of each row, on the gradient's device, in float64 where it has that; None if the gradient has no
    rows, if it has more than MOST_ROWS, and if user code would observe the operations."""
    return _measured(gradient) if gradient is not None and _has_rows(gradient) else None


def _has_rows(gradient: torch.Tensor) -> bool:
    if type(gradient) not in ORDINARY or any_mode_active() or is_transformed(gradient):
        return False
    if gradient.layout is not torch.strided or gradient.is_nested or gradient.is_neg():
        return False
    if gradient.dim() < 1 or not 1 < gradient.shape[0] <= MOST_ROWS or not gradient.numel():
        return False
    return gradient.is_floating_point() or gradient.is_complex()


def _measured(gradient: torch.Tensor) -> torch.Tensor | None:
    try:
        return _norms(gradient.detach().reshape(gradient.shape[0], -1))
    except RuntimeError:  # a batch of gradients (`is_grads_batched`), whose rows are not those of the forward
        return None


def _norms(rows: torch.Tensor) -> torch.Tensor:
    if rows.numel() > _LARGE and rows.is_cpu and rows.dtype is torch.float32:  # much faster; squares may overflow
        quick: torch.Tensor = torch.linalg.vector_norm(rows, dim=1)
        if float(quick.max()) < math.inf or not bool(quick.isinf().any()):  # the first is false with NaN, too
            return quick.double()
    sizes = rows.abs() if rows.is_complex() else rows
    norms: torch.Tensor = torch.linalg.vector_norm(sizes, dim=1, dtype=widest(rows.device))
    return norms


def rows_told(norms: Sequence[float]) -> GradientRows | None:
    """What the norms of the rows of one gradient say, as a row of a report; None if they say nothing: no row
    carries most of it, and all rows are finite, or none is."""
    if _are_alike(numpy.asarray(norms)):
        return None
    count, bad = len(norms), [row for row, norm in enumerate(norms) if not math.isfinite(norm)]
    if len(bad) == count:
        return None
    if bad:
        return {"count": count, "not_finite": bad[:LISTED], "more": len(bad[LISTED:])}
    largest = max(range(count), key=norms.__getitem__)
    total = math.hypot(*norms)
    share = (norms[largest] / total) ** 2 if total else 0.0
    return {"count": count, "largest": largest, "share": share} if count >= _LEAST and share >= CARRIES else None


def _are_alike(norms: numpy.ndarray) -> bool:
    """Whether all rows are finite and none carries most of the gradient; False if squares leave float64."""
    square, largest = float(norms @ norms), float(norms.max())
    return _TINY < square < math.inf and largest * largest < CARRIES * square


class RowNorms:
    """The norms of the rows of the gradients of one call, by position. They are read back with those of `batch`.

    left_out: positions that are not measured.
    """

    def __init__(self, batch: Batch) -> None:
        self.left_out: set[int] = set()
        self._batch = batch
        self._norms: dict[int, Callable[[], numpy.ndarray] | Pending] = {}
        self._left = _MOST_KEPT

    def add(self, position: int, gradient: torch.Tensor, value: Pending) -> None:
        """Measure the gradient that arrived at a Node. value: of this gradient."""
        if position in self.left_out or self._left <= 0 or not _has_rows(gradient):
            return
        of_value = value.row_norms()
        if of_value is not None:
            self._norms[position] = of_value
        elif (norms := _measured(gradient)) is not None:
            self._norms[position] = self._batch.numbers(norms)
        self._left -= gradient.shape[0]

    def told(self, order: Iterable[int]) -> dict[int, GradientRows]:
        """What is told, by position: of each Node at which one row carries most of the gradient, up to the first
        in the engine's order at which rows are not finite. The batch has been read.

        order: the positions of the Nodes as they ran.
        """
        found: dict[int, GradientRows] = {}
        for position in order:
            norms = self._norms.get(position)
            if isinstance(norms, Pending):
                norms = None if norms.is_unknown else partial(numpy.array, norms.value)
            if norms is None or _are_alike(of_rows := norms()):
                continue
            if (rows := rows_told(of_rows.tolist())) is not None:
                found[position] = rows
            if not numpy.isfinite(of_rows).all():
                break  # what follows comes from here
        return found
