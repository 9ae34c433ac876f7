"""The norms of the rows of gradients: which row of the first dimension carries them, and which is not finite."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence

import numpy
import torch

from inspector.graph.row_types import GradientRows
from inspector.tensor_stats.batch import Batch, Pending
from inspector.tensor_stats.on_device import widest
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.tensor_stats.row_shares import CARRIES, LEAST, are_alike, are_norms_surely_alike
from inspector.torch_api.modes import hidden
from inspector.torch_api.tensors import is_transformed

MOST_ROWS = 4096
"""Gradients with more rows are left out."""

LISTED = 8
_LARGE = 1 << 14
"""Elements: below, the norms take longer to ask for than to compute."""

_vector_norm = torch.linalg.vector_norm

_MOST_KEPT = 1 << 17
"""Numbers kept for one call."""


def row_norms(gradient: torch.Tensor | None) -> torch.Tensor | None:
    """The 2-norm of each row, on the gradient's device, in float64 where it has that; None if the gradient has no
    rows, and if it has more than MOST_ROWS."""
    if gradient is None or type(gradient) not in ORDINARY:
        return None
    with hidden():
        return _measured(gradient) if _has_rows(gradient) else None


def _has_rows(gradient: torch.Tensor) -> bool:
    if is_transformed(gradient):
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
    if _is_large(rows):  # much faster; squares may overflow
        quick: torch.Tensor = _vector_norm(rows, dim=1)
        if float(quick.max()) < math.inf or not bool(quick.isinf().any()):  # the first is false with NaN, too
            return quick.double()
    sizes = rows.abs() if rows.is_complex() else rows
    norms: torch.Tensor = _vector_norm(sizes, dim=1, dtype=widest(rows.device))
    return norms


def _is_large(gradient: torch.Tensor) -> bool:
    return gradient.numel() > _LARGE and gradient.is_cpu and gradient.dtype is torch.float32


def _stand_out(gradient: torch.Tensor) -> torch.Tensor | None:
    """The norms of the rows; None if they are alike, which one reduction usually shows on the CPU."""
    if _is_large(gradient) and gradient.dim() > 1 and not gradient.requires_grad:
        with contextlib.suppress(RuntimeError):
            if are_norms_surely_alike(_vector_norm(gradient, dim=tuple(range(1, gradient.dim())))):
                return None
    return _measured(gradient)


def outstanding_rows(norms: Sequence[float]) -> GradientRows | None:
    """What the norms of the rows of one gradient say, as a row of a report; None if they say nothing: no row
    carries most of it, and all rows are finite, or none is."""
    if are_alike(numpy.asarray(norms)):
        return None
    count, bad = len(norms), [row for row, norm in enumerate(norms) if not math.isfinite(norm)]
    if len(bad) == count:
        return None
    if bad:
        return {"count": count, "not_finite": bad[:LISTED], "more": len(bad[LISTED:])}
    largest = max(range(count), key=norms.__getitem__)
    total = math.hypot(*norms)
    share = (norms[largest] / total) ** 2 if total else 0.0
    return {"count": count, "largest": largest, "share": share} if count >= LEAST and share >= CARRIES else None


class RowNorms:
    """The norms of the rows of the gradients of one call, by position.

    batch: reads back those on a device. left_out: positions that are not measured.
    """

    def __init__(self, batch: Batch) -> None:
        self.left_out: set[int] = set()
        self._batch = batch
        self._norms: dict[int, numpy.ndarray | Pending] = {}
        self._left = _MOST_KEPT

    def add(self, position: int, gradient: torch.Tensor, value: Pending) -> None:
        """Measure the gradient that arrived at a Node. value: of this gradient."""
        if position in self.left_out or self._left <= 0 or type(gradient) not in ORDINARY or gradient.is_nested:
            return
        if value.request_row_norms(MOST_ROWS, self._norms, position):
            self._left -= gradient.shape[0]
            return
        with hidden():
            norms = self._measure(gradient, value)
        if norms is not None:
            self._norms[position] = norms
            self._left -= gradient.shape[0]

    def _measure(self, gradient: torch.Tensor, value: Pending) -> numpy.ndarray | Pending | None:
        """The norms of rows that are not measured with others, pending on a device; None if none can stand out."""
        if not _has_rows(gradient):
            return None
        if value.has_alike_rows():
            return None
        norms = _stand_out(gradient)
        if norms is None:
            return None
        if not norms.is_cpu:
            return self._batch.numbers(norms)
        found = norms.numpy()
        return None if are_alike(found) else found

    def outstanding(self, order: Iterable[int]) -> dict[int, GradientRows]:
        """Position of a Node → its rows, if one carries most of the gradient or some are not finite.

        In the engine's order, nothing follows the first Node with rows that are not finite. Call it when the batch
        has been read.

        order: the positions of the Nodes as they ran.
        """
        found: dict[int, GradientRows] = {}
        for position in order:
            norms = self._norms.get(position)
            if isinstance(norms, Pending):
                norms = None if norms.is_unknown else numpy.array(norms.value)
            if norms is None:
                continue
            if (rows := outstanding_rows(norms.tolist())) is not None:
                found[position] = rows
            if not numpy.isfinite(norms).all():
                break  # what follows comes from here
        return found
