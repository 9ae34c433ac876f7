"""The name of a tensor or a constant, with its pass as an index."""

from __future__ import annotations

from inspector.typography import one_line

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def shown_name(row: object) -> str:
    """The name in a row, with its pass as an index."""
    assert isinstance(row, dict)
    name, number = one_line(row.get("symbol") or row.get("name") or ""), row.get("pass")
    return name if number is None or not name else name + str(number).translate(_SUBSCRIPTS)
