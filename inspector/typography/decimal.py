"""Lengths as text with two decimals, the same in every file and every process."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=65_536)  # half of the lengths in a figure occur more than once; 1,500 boxes have 30,000
def decimal(value: float) -> str:
    """`value` rounded to two decimals, without trailing zeros and without `-0`.

    Raises ValueError for nan and OverflowError for an infinity: neither is a position.
    """
    hundredths = round(value * 100)
    if not hundredths % 100:
        return str(hundredths // 100)
    return f"{hundredths / 100:.{2 if hundredths % 10 else 1}f}"
