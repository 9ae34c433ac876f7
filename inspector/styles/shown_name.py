"""The name of a tensor or a constant, with its pass as an index."""

from __future__ import annotations

from inspector.styles.value_text import plain_text

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def shown_name(row: object) -> str:
    """The name in a row, with its pass as an index."""
    assert isinstance(row, dict)
    name, number = plain_text(row.get("symbol") or row.get("name") or ""), row.get("pass")
    return name if number is None or not name else name + str(number).translate(_SUBSCRIPTS)
