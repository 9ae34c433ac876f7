"""Norms of values, stored in full or as a summary."""

from __future__ import annotations

import math
from collections.abc import Iterator

from inspector.graph.values import Value, is_summary


def value_norm(value: Value) -> float | None:
    """The 2-norm of a value, of several outputs together; an output that is None adds nothing.

    None if the value is None, unknown as a whole or in part, or has no elements.
    """
    if isinstance(value, (int, float)):  # nearly all values of a large graph are this, a summary or unknown
        return float(abs(value))
    if isinstance(value, dict):
        return _norm_in(value)
    sizes: list[float] = []
    for size in _sizes(value):
        if size is None:
            return None
        sizes.append(size)
    # hypot scales its arguments: the squares of 1e-30 do not underflow, those of 1e200 do not overflow
    return math.hypot(*sizes) if sizes else None


def is_zero(value: Value) -> bool:
    """Whether the value is known and every element is exactly zero."""
    if is_summary(value):
        return (
            value_norm(value) == 0.0 if "zeros" not in value else bool(value["zeros"] == math.prod(value["shape"]))
        )
    return value is not None and all(size == 0 for size in _sizes(value))


def is_finite(value: Value) -> bool:
    """False if an element is known to be NaN or infinite."""
    if is_summary(value):
        if "nans" not in value:  # light recording: the norm is finite if all elements are
            return math.isfinite(value_norm(value) or 0.0)
        return not (value["nans"] or value["infinities"])
    return all(size is None or math.isfinite(size) for size in _sizes(value))


def _sizes(value: Value) -> Iterator[float | None]:
    """The absolute value of every element, and the norm of every summary; None for an unknown one."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, (bool, int, float, complex)):
            yield abs(item)
        elif item is not None:
            yield _norm_in(item)


def _norm_in(value: Value) -> float | None:
    """The norm of a summary; None if it, or the value, is unknown."""
    norm = value.get("norm")
    return float(norm) if isinstance(norm, (int, float)) else None
