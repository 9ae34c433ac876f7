"""Numbers and tensors as written in figures and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from inspector.graph.values import Value, flat_elements, is_number, is_summary, is_unknown

MINUS = "\N{MINUS SIGN}"
IN_FULL = 10**6  # integers below this keep all of their digits
UNKNOWN = "?"


def format_number(value: bool | int | float | complex, digits: int = 4) -> str:
    """One number: `2`, `0.7311`, `1.234e-5`, `nan`, `-inf`, `True`, `1 + 2i`.

    Integers of up to 6 digits are written in full, whatever their type. Other numbers have 4 significant digits,
    and an exponent from 10,000 on and below 0.0001. The minus sign is U+2212, and `-0.0` is `0`.

    digits: significant digits, if fewer fit; no digit before the decimal point is rounded.
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, complex):
        return _complex(value)
    whole = abs(value) < IN_FULL and value == int(value)
    return (str(int(value)) if whole else _significant(value, digits)).replace("-", MINUS)


def factor_text(value: bool | int | float | complex) -> str:
    """One number as a factor of a product: `(-1)` for -1."""
    text = format_number(value)
    return f"({text})" if text.startswith(MINUS) else text


def change_text(before: Value, after: Value) -> str:
    """`13 → 130`, `[1, 2] → [0.1, 0.2]`, for more than three elements `norm 4 → norm 0.01`."""
    if is_summary(before) and is_summary(after):
        return f"norm {value_text(before['norm'])} → norm {value_text(after['norm'])}"
    flat = flat_elements(before), flat_elements(after)
    if len(flat[0]) > _WRITTEN:
        norms = [math.hypot(*map(abs, numbers)) for numbers in flat]
        return f"norm {format_number(norms[0])} → norm {format_number(norms[1])}"
    return f"{value_text(before)} → {value_text(after)}"


_WRITTEN = 3
"""Maximum number of elements that are written."""


def value_text(value: Value) -> str:
    """A value of the model (`inspector.graph.values`) in one line.

    None → `None`, unknown → `?`, a number → `format_number`, a full tensor → `[[1, 2], [3, 4]]`, a summary →
    `float32[64, 784] norm 1.2`; a string (an argument that a function saved) is unchanged.
    """
    if value is None:
        return "None"
    if is_unknown(value):
        return UNKNOWN
    if is_summary(value):
        return f"{shape_text(value['dtype'], value['shape'])} norm {value_text(value['norm'])}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(value_text(item) for item in value)}]"
    return format_number(value) if is_number(value) else str(value)


def shape_text(dtype: str, shape: Sequence[int]) -> str:
    """Dtype and shape of a tensor: `float32[64, 784]`, or `float32` without dimensions."""
    return f"{dtype}[{', '.join(map(str, shape))}]" if shape else dtype


def bytes_text(count: int) -> str:
    """A number of bytes: `512 B`, `1.5 KiB`, `12.3 MiB`."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1023.95:  # a larger size would be written as 1024.0
            break
        size, unit = size / 1024, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def _significant(value: int | float, digits: int) -> str:
    """So many significant digits. Uses Decimal, since an integer can be larger than any float."""
    exact = Decimal(value)
    if not exact.is_finite():
        return str(value)
    if 1e-4 <= abs(exact) < 9999.5:
        return f"{value:.{max(digits, len(str(abs(int(exact)))))}g}"
    mantissa, _, exponent = f"{exact:.{digits - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _complex(value: complex) -> str:
    sign = MINUS if value.imag < 0 else "+"
    imaginary = format_number(abs(value.imag))
    unit = "i" if math.isfinite(value.imag) else " i"
    return f"{format_number(value.real)} {sign} {imaginary}{unit}"


def pluralize(count: int, one: str, many: str = "") -> str:
    """`1 box`, `2 boxes`, `3,000 boxes`. many: the plural; by default `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
