"""What is compared of a tensor: read from a value of report.json."""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from inspector.graph.value_norms import is_finite, value_norm
from inspector.graph.values import decode, is_summary, is_unknown

_CLOSE = 1e-5
"""Relative difference of two norms of equal elements that were added in another order, or on another device."""


class TensorOnRank(Struct, frozen=True):
    """A tensor on one rank.

    norm: of a root that is one real number, the number itself. extremes: the least and the greatest element, or
    None if they are not known.
    """

    norm: float
    extremes: tuple[float, float] | None
    finite: bool

    def differs_from(self, other: TensorOnRank) -> bool:
        """Whether the elements are certainly not the same: the extremes are exact, a norm is rounded."""
        if not (self.finite and other.finite):
            return self.finite != other.finite
        if self.extremes is not None and other.extremes is not None and self.extremes != other.extremes:
            return True
        return not math.isclose(self.norm, other.norm, rel_tol=_CLOSE)


def measure(raw: Any) -> TensorOnRank | None:
    """The measures of a value as it is in report.json; None for None. Raises LookupError if it is unknown."""
    value = decode(raw)
    if value is None:
        return None
    norm = None if is_unknown(value) else value_norm(value)
    if norm is None:
        raise LookupError("unknown")
    return TensorOnRank(norm, _extremes(value), is_finite(value))


def _extremes(value: Any) -> tuple[float, float] | None:
    if is_summary(value):
        low, high = value.get("min"), value.get("max")
        return (low, high) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None
    elements, waiting = list[float](), [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, (bool, int, float)):
            elements.append(float(item))
        else:
            return None
    return (min(elements), max(elements)) if elements else None
