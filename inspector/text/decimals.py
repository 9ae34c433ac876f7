"""Lengths as text: the same two decimals in every file and every process."""

from __future__ import annotations


def decimal(value: float) -> str:
    """`value` rounded to two decimals, without trailing zeros and without `-0`.

    Raises ValueError for nan and OverflowError for an infinity: neither is a place.
    """
    hundredths = round(value * 100)
    whole, rest = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"
