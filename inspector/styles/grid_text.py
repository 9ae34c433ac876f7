"""Values as lines of a compact figure: numbers, small grids, or a shape and a norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_unknown
from inspector.styles.plan import MAIN_SIZE, NumberGrid, StyledText
from inspector.styles.value_text import UNKNOWN
from inspector.typography import format_number

MOST_SIDE = 4
"""Maximum rows and columns of a grid."""


def value_lines_in_grid(
    value: Value, shape: Sequence[int], look: tuple[str, str, str], digits: int
) -> tuple[StyledText, ...]:
    """A value on one line or as a grid; a large one as its shape and norm.

    look: ink, face, and fill of a grid. digits: significant digits of a number. Empty for None.
    """
    ink, face, fill = look
    if value is None:
        return ()
    if is_unknown(value):
        return (StyledText(UNKNOWN, ink, face),)
    if is_number(value):
        return (StyledText(format_number(value, digits), ink, face),)
    rows = number_rows(value, digits)
    if rows is not None:
        text = "; ".join(", ".join(row) for row in rows)
        length = value_norm(value)
        norm = "" if length is None else f" ‖{format_number(length, digits)}‖"
        short = ("×".join(map(str, shape)) or f"{len(rows)}×{len(rows[0])}") + norm  # noqa: RUF001
        return (NumberGrid(f"[{text}]", ink, face, MAIN_SIZE, rows, fill, short),)
    sides = list(shape) or list(value.get("shape", ())) if isinstance(value, dict) else list(shape)
    length = value_norm(value)
    lines = [StyledText("×".join(map(str, sides)) or "tensor", ink, face)]  # noqa: RUF001
    if length is not None:
        lines.append(StyledText(f"‖{format_number(length, digits)}‖", ink, face))
    return tuple(lines)


def number_rows(value: Value, digits: int) -> tuple[tuple[str, ...], ...] | None:
    """The rows of a small matrix, or of a vector as a column; None for other values."""
    if not isinstance(value, list) or not value:
        return None
    rows: list[list[Any]] = value if isinstance(value[0], list) else [[item] for item in value]
    if not 0 < len(rows) <= MOST_SIDE or not 0 < len(rows[0]) <= MOST_SIDE:
        return None
    if not all(isinstance(row, list) and len(row) == len(rows[0]) and all(map(is_number, row)) for row in rows):
        return None
    return tuple(tuple(format_number(item, digits) for item in row) for row in rows)
