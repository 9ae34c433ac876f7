"""Round tick values for an axis."""

from __future__ import annotations

import math

_STEPS = (1.0, 2.0, 5.0, 10.0)


def axis_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Up to `most` multiples of 1, 2 or 5 times a power of ten from `low` to `high`."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return []
    power = 10.0 ** math.floor(math.log10(span / most))
    for factor in (*_STEPS, *(10 * step for step in _STEPS)):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [_round(position * step, step) for position in range(first, last + 1)]
    return []


def _round(value: float, step: float) -> float:
    """0.3 instead of 0.30000000000000004."""
    digits = max(0, 1 - math.floor(math.log10(step)))
    return round(value, digits) + 0.0  # -0.0 becomes 0.0
