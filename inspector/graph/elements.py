"""The elements of a summary: all numbers of a small tensor, packed into a short text."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Sequence

from inspector.graph.values import Summary, Value, is_number, is_summary

MOST_ELEMENTS = 256
"""Tensors of up to this many elements may be kept with their elements (16 x 16)."""

_TYPES = {4: "f", 8: "d"}
"""Bytes of an element -> the type code of `array`."""


def pack(little_endian: bytes) -> str:
    """The text for elements in row-major order, as little-endian float32 or float64."""
    return base64.b64encode(little_endian).decode("ascii")


def elements_of(value: Value) -> list[float] | None:
    """The elements of a summary in row-major order; None if it has none, or not as many as its shape says."""
    numbers = _numbers(value)
    return None if numbers is None else numbers.tolist()


def with_elements(summary: Summary, flat: Sequence[float] | None) -> Summary:
    """A summary that has elements, with others in the same precision; without any for None."""
    numbers = _numbers(summary)
    changed = summary.copy()
    changed.pop("elements", None)
    if flat is not None and numbers is not None:
        changed["elements"] = pack(_little_endian(array(numbers.typecode, flat)).tobytes())
    return changed


def _numbers(value: Value) -> array[float] | None:
    packed = value.get("elements") if is_summary(value) else None
    if not isinstance(packed, str):
        return None
    count = math.prod(value["shape"])
    try:
        content = base64.b64decode(packed, validate=True)
    except ValueError:
        return None
    size = len(content) // count if count else 0
    if size not in _TYPES or size * count != len(content):
        return None
    return _little_endian(array(_TYPES[size], content))


def _little_endian(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def tiles_of(value: Value) -> list[list[list[float]]] | None:
    """A tensor as matrices: a vector as one column, a matrix as itself, a stack of matrices (such as the kernels
    of a convolution) as all of them in row-major order.

    None for a number, for complex elements, and for a tensor whose elements are not known.
    """
    shape, flat = _shape_and_elements(value)
    if flat is None or not flat:
        return None
    height, width = (shape[0], 1) if len(shape) == 1 else (shape[-2], shape[-1])
    rows = [flat[start : start + width] for start in range(0, len(flat), width)]
    return [rows[start : start + height] for start in range(0, len(rows), height)]


def _shape_and_elements(value: Value) -> tuple[Sequence[int], list[float] | None]:
    if is_summary(value):
        return value["shape"], elements_of(value) if value["shape"] else None
    shape: list[int] = []
    flat = value
    if not isinstance(value, list):
        return (), None
    flat = [value]
    while flat and all(isinstance(item, list) for item in flat):
        if len({len(item) for item in flat}) != 1:
            return (), None  # the outputs of a function
        shape.append(len(flat[0]))
        flat = [element for item in flat for element in item]
    is_real = all(is_number(item) and not isinstance(item, complex) for item in flat)
    return shape, flat if is_real else None
