"""Small tensors as numpy arrays of float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy

from inspector.graph.elements import elements_of
from inspector.graph.values import Value, is_summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

SmallTensor: TypeAlias = "NDArray[numpy.float64]"

ROUNDING = 1e-6
"""Relative tolerance: a few units in the last place of a float32 (1.2e-7)."""


def small_tensor(value: Value) -> SmallTensor | None:
    """The array of a value that is stored in full; None for a summary, None, complex and unknown values."""
    try:
        array = numpy.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    return array.astype(numpy.float64) if array.dtype.kind in "biuf" else None


def full_tensor(value: Value) -> SmallTensor | None:
    """The same, also of a summary that has its elements."""
    elements = elements_of(value)
    if elements is None or not is_summary(value):
        return None if is_summary(value) else small_tensor(value)
    return numpy.array(elements).reshape(value["shape"])


def elementwise(function: Callable[..., float], operands: dict[str, SmallTensor]) -> SmallTensor | None:
    """Apply `function` to each element, with scalar operands broadcast; None if other shapes differ.

    function: takes the operands by keyword. An arithmetic error (0/0, log of -1) gives NaN.
    """
    shapes = {operand.shape for operand in operands.values() if operand.shape}
    if len(shapes) > 1:
        return None
    shape = shapes.pop() if shapes else ()
    columns = [numpy.broadcast_to(operand, shape).ravel().tolist() for operand in operands.values()]
    rows = zip(*columns, strict=True) if columns else [()]
    items = [number_or_nan(function, dict(zip(operands, row, strict=True))) for row in rows]
    return numpy.array(items).reshape(shape)


def number_or_nan(function: Callable[..., float], operands: dict[str, float]) -> float:
    """The result as a real number; NaN if it is complex, undefined or too large."""
    try:
        result = function(**operands)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(result) if isinstance(result, (int, float)) else math.nan


def values_agree(computed: float, measured: float, tolerance: float) -> bool:
    """Whether two numbers are equal, or differ by at most `tolerance` relative to the larger."""
    if computed == measured:
        return True
    return abs(computed - measured) <= tolerance * max(abs(computed), abs(measured))  # False for NaN
