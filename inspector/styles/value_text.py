"""Short texts for values, names and gradients, for all styles. Nothing here has a size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_summary, is_unknown
from inspector.options.choices import Derivatives
from inspector.typography import format_number, one_line, shape_text
from inspector.typography.formula_format import format_formula, is_sum
from inspector.typography.number_format import MINUS, factor_text

UNKNOWN = "?"
AGREEMENT = 1e-6
"""Relative tolerance: a local derivative is shown only if local times upstream equals the measured gradient."""

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MATRIX_SIDE = 3
_MOST_SUMMANDS = 4
_LONGEST_SYMBOL = 24


def superscript(exponent: float) -> str:
    """`²` for 2; `^0.5` if there are no superscript digits."""
    if exponent == int(exponent) and exponent >= 0:
        return str(int(exponent)).translate(_SUPERSCRIPTS)
    return f"^{factor_text(exponent)}"


def sides_text(shape: Sequence[int]) -> str:
    """`4×3`; `[3]` for a vector: its length alone would be read as its value. Empty for a scalar."""  # noqa: RUF002
    return f"[{shape[0]}]" if len(shape) == 1 else "×".join(map(str, shape))  # noqa: RUF001


def matrix_rows(value: Value) -> tuple[str, ...] | None:
    """A vector or matrix of up to 3 by 3 as one text per row; None for other values."""
    if not isinstance(value, list) or not value or len(value) > _MATRIX_SIDE:
        return None
    rows = value if isinstance(value[0], list) else [value]
    if any(not isinstance(row, list) or len(row) > _MATRIX_SIDE for row in rows):
        return None
    if not all(is_number(item) for row in rows for item in row):
        return None
    return tuple("[" + ", ".join(format_number(item) for item in row) + "]" for row in rows)


def value_lines(value: Value, dtype: str, shape: Sequence[int]) -> tuple[str, ...]:
    """A full value on one or more lines, or its dtype, shape and norm; `?` if it is unknown.

    dtype, shape: of the tensor, for a value too large to be written out.
    """
    if value is None:
        return ("None",)
    if is_unknown(value):
        return (UNKNOWN,)
    if is_number(value):
        return (format_number(value),)
    rows = matrix_rows(value)
    if rows is not None:
        return rows
    if is_summary(value):
        dtype, shape = value.get("dtype", dtype), value.get("shape", shape)
        if not shape and "norms" in value:
            return (_norm(value) or UNKNOWN,)
    length = _norm(value)
    described = shape_text(dtype, shape) or "tensor"
    return (described,) if length is None else (described, f"norm {length}")


def value_inline(value: Value, dtype: str, shape: Sequence[int]) -> str:
    """A value on one line."""
    rows = matrix_rows(value)
    if rows is not None and len(rows) > 1:
        return "[" + ", ".join(rows) + "]"
    return value_lines(value, dtype, shape)[0]


def _norm(value: Value) -> str | None:
    """`0.123`, or `0.118…0.131` for the norms on several ranks; None if the norm is unknown."""
    if is_summary(value) and "norms" in value:
        return "…".join(format_number(norm) for norm in value["norms"])
    length = value_norm(value)
    return None if length is None else format_number(length)


def norm_in_bars(value: Value) -> str:
    """`‖0.123‖`; `?` if the norm is unknown."""
    length = _norm(value)
    return UNKNOWN if length is None else f"‖{length}‖"


def gradient_text(gradient: Value) -> str:
    """A gradient as a short text: a number, a short vector, or a norm; empty if it is unknown."""
    if gradient is None or is_unknown(gradient):
        return ""
    if is_number(gradient):
        return format_number(gradient)
    rows = matrix_rows(gradient)
    if rows is not None and len(rows) == 1:
        return rows[0]
    length = _norm(gradient)
    return "" if length is None else f"‖g‖ = {length}"


def edge_text(gradient: Value, local: Any, upstream: Value, wanted: Derivatives = "both") -> str:
    """The text at an edge: `2x · 1 = 4`, or only the gradient if the product does not equal it.

    gradient: the gradient along the edge. local: `{"symbol", "value"}` or None. upstream: the gradient of the
    function that the edge leaves. wanted: `numbers` gives `4 · 1 = 4`, `symbols` gives `2x`, `none` gives the
    gradient.
    """
    alone = gradient_text(gradient)
    if not alone or wanted == "none" or not _holds(gradient, local, upstream):
        return alone
    name = local["symbol"]
    if name.replace(" ", "") in ("1", "-1"):
        return alone
    if wanted == "symbols":
        return _symbol_in_short(name)
    shown = _symbol_in_short(name) if wanted == "both" else factor_text(local["value"])
    return f"{shown} · {factor_text(upstream)} = {alone}"


def derivative_text(gradient: Value, local: Any, upstream: Value) -> str:
    """A local derivative as symbol and number, `2x = 4`, or as a number, `2`; empty if it does not give the
    gradient."""
    if not _holds(gradient, local, upstream):
        return ""
    value = format_number(local["value"])
    name = _symbol_in_short(local["symbol"])
    name = name[1:-1] if name.startswith("(") and _closes_at_end(name) else name
    return value if not any(letter.isalpha() for letter in name) else f"{name} = {value}"


def product_text(gradient: Value, local: Any, upstream: Value) -> str:
    """`2 · 1 = 2` in numbers, for an edge with its derivative beside it; else only the gradient."""
    alone = gradient_text(gradient)
    if not alone or not _holds(gradient, local, upstream) or abs(local["value"]) == 1:
        return alone
    return f"{format_number(local['value'])} · {factor_text(upstream)} = {alone}"


def _holds(gradient: Value, local: Any, upstream: Value) -> bool:
    """Whether a local derivative is known, and times upstream equals the measured gradient."""
    if not isinstance(local, dict) or not is_number(upstream) or not is_number(gradient):
        return False
    factor, name = local.get("value"), local.get("symbol")
    if not is_number(factor) or not isinstance(name, str):
        return False
    return agree(factor * upstream, gradient)


def _closes_at_end(text: str) -> bool:
    """Whether the last character of a text closes its first bracket."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return position == len(text) - 1
    return False


def sum_text(contributions: Sequence[Value], total: Value, sign: str = "=") -> str:
    """`2 + 2 = 4`; empty unless two or more known numbers add up to the total. sign: another one than `=`, before
    a total that differs from the sum."""
    if len(contributions) < 2 or not all(is_number(item) for item in (*contributions, total)):
        return ""
    if sign == "=" and not agree(sum(contributions), total):
        return ""
    shown = [format_number(contributions[0]), *(factor_text(item) for item in contributions[1:])]
    if len(shown) > _MOST_SUMMANDS:
        shown = [*shown[: _MOST_SUMMANDS - 1], "…"]
    return f"{' + '.join(shown)} {sign} {format_number(total)}"


def symbol_text(expression: str) -> str:
    """A derivative in mathematical notation: `2*x` as 2x, `3*x**2` as 3x², a sum in brackets."""
    text = format_formula(one_line(expression))
    return f"({text})" if is_sum(text) or text.startswith(MINUS) else text


def _symbol_in_short(expression: str) -> str:
    """A derivative, shortened if it is long, so that its value and the gradient stay readable."""
    text = symbol_text(expression)
    return text if len(text) <= _LONGEST_SYMBOL else text[: _LONGEST_SYMBOL - 1].rstrip() + "…"


def agree(computed: Any, measured: Any) -> bool:
    """Whether two numbers are equal, up to rounding."""
    if computed == measured:
        return True
    return bool(abs(computed - measured) <= AGREEMENT * max(abs(computed), abs(measured)))
