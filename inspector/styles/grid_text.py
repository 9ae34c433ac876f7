"""Values as numbers, as grids of numbers, as heat maps, or as a shape and a norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from inspector.graph.elements import MOST_ELEMENTS, tiles_of
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_summary, is_unknown
from inspector.options.choices import Values
from inspector.styles.plan import MAIN_SIZE, DrawnTensor, HeatMap, NumberGrid, StyledText
from inspector.styles.value_text import UNKNOWN, matrix_rows, sides_text
from inspector.typography import format_number

MOST_SIDE = 4
"""Maximum rows and columns of a grid of numbers."""

MOST_IN_HEAT_MAP = 16
"""Maximum rows and columns of a heat map, and of each of its tiles."""

_LONGEST_WRITTEN = 45
"""Maximum characters of a tensor written in a line."""

_STEPS_OF_SCALE = 9

Tile = list[list[float]]


class ValueLook(NamedTuple):
    """How a value is written. ink, face: of its numbers. fill: of a grid. digits: significant digits of a number.
    form: the option `values`."""

    ink: str
    face: str
    fill: str
    digits: int
    form: Values


def value_lines_in_grid(value: Value, shape: Sequence[int], look: ValueLook) -> tuple[StyledText, ...]:
    """A value on one line, as a grid or as a heat map; a large one as its shape and norm. Empty for None."""
    if value is None:
        return ()
    if is_unknown(value):
        return (StyledText(UNKNOWN, look.ink, look.face),)
    if is_number(value):
        return (StyledText(format_number(value, look.digits), look.ink, look.face),)
    drawn = drawn_tensor(value, look)
    if drawn is not None:
        return (drawn,)
    sides = list(shape) or shape_of_value(value)
    length = value_norm(value)
    lines = [StyledText(sides_text(sides) or "tensor", look.ink, look.face)]
    if length is not None:
        lines.append(StyledText(f"‖{format_number(length, look.digits)}‖", look.ink, look.face))
    return tuple(lines)


def drawn_tensor(value: Value, look: ValueLook) -> DrawnTensor | None:
    """A tensor as a grid of numbers or as a heat map; None if the form or its size leaves only a shape."""
    if not isinstance(value, (list, dict)) or look.form == "shape":
        return None
    if look.form != "heat":
        rows = number_rows(value, look.digits)
        if rows is not None:
            text = "; ".join(", ".join(row) for row in rows)
            short = _in_short(value, shape_of_value(value), look.digits)
            return NumberGrid(f"[{text}]", look.ink, look.face, MAIN_SIZE, short, rows, look.fill)
    return None if look.form == "numbers" else _heat_map(value, look)


def beside_text(value: Value, look: ValueLook, most_rows: int = 3) -> DrawnTensor | None:
    """The same for a style that writes a few short rows of numbers as text, unless a heat map is wanted.

    most_rows: up to how many rows are text.
    """
    rows = matrix_rows(value) if look.form in ("auto", "numbers") else None
    return None if rows is not None and len(rows) <= most_rows else drawn_tensor(value, look)


def number_rows(value: Value, digits: int) -> tuple[tuple[str, ...], ...] | None:
    """The rows of a small matrix, or of a vector as a column; None for other values."""
    rows: list[list[Any]] | None
    if is_summary(value):
        tiles = tiles_of(value) if len(value["shape"]) <= 2 else None
        rows = tiles[0] if tiles else None
    else:
        rows = [item if isinstance(item, list) else [item] for item in value] if isinstance(value, list) else None
    if not rows or not 0 < len(rows) <= MOST_SIDE or not 0 < len(rows[0]) <= MOST_SIDE:
        return None
    if not all(len(row) == len(rows[0]) and all(map(is_number, row)) for row in rows):
        return None
    return tuple(tuple(format_number(item, digits) for item in row) for row in rows)


def written_value(value: Value, digits: int) -> str:
    """`0.9`, `[1, 2]`, `[[1, 0], [0.5, 2]]`; empty for a value that is longer, or not known."""
    if is_number(value):
        return format_number(value, digits)
    rows = None if is_unknown(value) else number_rows(value, digits)
    if rows is None:
        return ""
    is_matrix = len(shape_of_value(value)) > 1
    inner = ["[" + ", ".join(row) + "]" for row in rows] if is_matrix else [row[0] for row in rows]
    text = f"[{', '.join(inner)}]"
    return text if len(text) <= _LONGEST_WRITTEN else ""


def shape_of_value(value: Value) -> list[int]:
    """The shape of a tensor from its value."""
    if is_summary(value):
        return list(value["shape"])
    return [len(value), *shape_of_value(value[0] if value else None)] if isinstance(value, list) else []


def _in_short(value: Value, sides: Sequence[int], digits: int) -> str:
    """The shape and the norm."""
    length = value_norm(value)
    norm = "" if length is None else f" ‖{format_number(length, digits)}‖"
    return sides_text(sides) + norm


# ---- heat maps --------------------------------------------------------------------------------------------


def _heat_map(value: Value, look: ValueLook) -> HeatMap | None:
    """None for a tensor whose elements are not known, or too many or too far apart for a picture."""
    tiles = tiles_of(value)
    if tiles is None:
        return None
    rows, columns = len(tiles[0]), len(tiles[0][0])
    if max(rows, columns) > MOST_IN_HEAT_MAP or len(tiles) * rows * columns > MOST_ELEMENTS:
        return None
    sides = shape_of_value(value)
    finite = [item for tile in tiles for row in tile for item in row if math.isfinite(item)]
    most = max(map(abs, finite), default=0.0)
    ends = sorted({max(finite), min(finite)}, reverse=True) if finite else []
    return HeatMap(
        _in_short(value, sides, look.digits),
        look.ink,
        look.face,
        MAIN_SIZE,
        _in_short(value, sides, look.digits),
        tuple(tuple(tuple(_share(item, most) for item in row) for row in tile) for tile in tiles),
        tiles_per_row=_tiles_per_row(sides, len(tiles)),
        scale=tuple(_share(item, most) for item in _scale(*ends)),
        ends=tuple(format_number(item, look.digits) for item in ends),
        caption=_caption(sides, tiles),
    )


def _share(item: float, most: float) -> float:
    """An element as a share of the largest absolute value."""
    return item / most if most and math.isfinite(item) else item


def _scale(high: float | None = None, low: float | None = None) -> list[float]:
    """Evenly spaced numbers from the largest to the smallest element."""
    if high is None or low is None:
        return [] if high is None else [high]
    shares = [step / (_STEPS_OF_SCALE - 1) for step in range(_STEPS_OF_SCALE)]
    return [high * (1 - share) + low * share for share in shares]


def _tiles_per_row(sides: Sequence[int], count: int) -> int:
    """Of a convolution's kernels, those of one output channel; of other stacks, as many as make one row."""
    inputs = sides[-3] if len(sides) >= 4 else 1
    return inputs if 1 < inputs <= _MOST_TILES else min(count, _MOST_TILES)


_MOST_TILES = 8
"""Maximum number of tiles in a row."""


def _caption(sides: Sequence[int], tiles: list[Tile]) -> str:
    """The shape, and how many elements are hatched."""
    items = [item for tile in tiles for row in tile for item in row]
    odd = [
        f"{count} {name}"
        for name, count in (
            ("NaN", sum(map(math.isnan, items))),
            ("inf", items.count(math.inf)),
            ("−inf", items.count(-math.inf)),  # noqa: RUF001
        )
        if count
    ]
    shape = sides_text(sides)
    return f"{shape}, {', '.join(odd)} hatched" if odd else shape
