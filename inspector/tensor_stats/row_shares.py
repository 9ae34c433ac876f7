"""Whether one row of a gradient carries most of it, from the norms of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
import torch

CARRIES = 0.9
"""Share of the square of the gradient's norm from which a row stands out."""

LEAST = 4
"""Minimum number of rows: one of two carries most of many healthy gradients."""

_TINY = 1e-280
_LEAST_SQUARE = 1e-30
"""Above it, what float32 loses of smaller squares does not matter."""

_MARGIN = 0.999
"""For the rounding of a norm."""


_FEW = 32
"""Numbers that Python adds faster than numpy."""


def are_alike(norms: numpy.ndarray) -> numpy.ndarray:
    """Whether all rows are finite and none carries most of the gradient; False if squares leave float64.

    norms: those of the rows of one gradient, or of several as the rows of a matrix. Returns one answer for each.
    """
    with numpy.errstate(all="ignore"):
        square, largest = (norms * norms).sum(-1), norms.max(-1)
        found: numpy.ndarray = (square > _TINY) & (square < math.inf) & (largest * largest < CARRIES * square)
    return found


def are_surely_alike(squares: numpy.ndarray) -> numpy.ndarray:
    """`are_alike` from the squares of norms, summed in float32 or float64. False if that is uncertain."""
    square, largest = squares.sum(-1, dtype=numpy.float64), squares.max(-1)
    found: numpy.ndarray = (largest > _LEAST_SQUARE) & (square < math.inf) & (largest < CARRIES * _MARGIN * square)
    return found


def are_norms_surely_alike(norms: torch.Tensor) -> bool:
    """Whether all rows are finite and none carries most of the gradient, from norms in float32, in which the
    squares of large and small numbers are lost. False if that is uncertain."""
    if len(norms) > _FEW:
        row = norms.numpy()
        square, largest = float(numpy.dot(row, row)), float(row.max())
    else:
        numbers: list[float] = norms.tolist()
        square, largest = sum([number * number for number in numbers]), max(numbers)
    return _TINY < square < math.inf and largest * largest < CARRIES * _MARGIN * square


def blocks_are_alike(norms: Sequence[float], size: int, rows: int, count: int) -> bool:
    """Whether no row of a finite gradient can stand out, from the norms of its blocks of `size` elements.

    Each row is counted with all of the blocks that it shares with others. count: of the elements, row after row.
    """
    if 2 * rows > len(norms):
        return False
    sums = numpy.concatenate(([0.0], numpy.square(norms).cumsum()))
    starts = numpy.arange(rows) * (count // rows)
    most = sums[-(-(starts + count // rows) // size)] - sums[starts // size]
    return bool(most.max() < CARRIES * _MARGIN * sums[-1])


def must_be_alike(rows: int, count: int, share: float) -> bool:
    """Whether no row of a finite gradient can stand out, whatever its norm.

    count: of the elements. share: the largest share of one element of the gradient's square.
    """
    return share < harmless_share(rows, count)


def harmless_share(rows: int, count: int) -> float:
    """The share of one element of a finite gradient's square below which no row can stand out."""
    return math.inf if rows < LEAST else CARRIES * _MARGIN * rows / count
