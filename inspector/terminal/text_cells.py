"""Lines of terminal text: sanitized names, and columns of limited width.

Widths are in terminal cells: a wide character (漢) has two, a combining one none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from inspector.typography import sanitize

VALUE = "#1f7fbf"
GRADIENT = "#c85f0a"
QUIET = "#808080"
STRONG = "bold"
"""Two hues and grey with a contrast of at least 4 on white and on black."""

_GAP, _NARROW_GAP = 3, 2
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_LEFT_TO_RIGHT_MARK = "\u200e"


def fit_text(text: str, width: int = 32) -> str:
    """Text of the user's program in at most `width` cells: sanitized, with its middle left out if it is longer.

    A left-to-right mark after right-to-left text keeps the numbers that follow in order.
    """
    cut = _shorten(" ".join(sanitize(text).split()), width)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in cut):
        return cut + _LEFT_TO_RIGHT_MARK
    return cut


def fit_path(name: str, width: int = 32) -> str:
    """A parameter's name in at most `width` cells: `n.blocks.9.projection.weight`.

    If it is too long, its first components become initials: numbers and the end distinguish parameters.
    """
    parts = name.split(".")
    for position, part in enumerate(parts[:-1]):
        if cell_len(".".join(parts)) <= width:
            break
        parts[position] = part if part.isdigit() else part[:1]
    return fit_text(".".join(parts), width)


def _shorten(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, (width - 1) // 2)
    start = len(text)
    while start > 0 and cell_len(text[start - 1 :]) <= width - 1 - cell_len(head):
        start -= 1
    return f"{head}…{text[start:]}"


def natural_width(rows: Sequence[Sequence[Text]], at_most: dict[int, int]) -> int:
    """The full width of the rows, with the width of columns in `at_most` limited."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    counted: list[int] = [min(width, at_most.get(column, width)) for column, width in enumerate(widths)]
    return sum(counted) + _NARROW_GAP * (len(widths) - 1)


def columns(rows: Sequence[Sequence[Text]], width: int, shrink: Sequence[tuple[int, int]]) -> list[Text]:
    """Rows of cells as aligned lines of at most `width`.

    shrink: (column, minimum width) in the order in which columns are shortened.
    """
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    gaps = len(widths) - 1
    gap = _GAP if sum(widths) + _GAP * gaps <= width else _NARROW_GAP
    excess = sum(widths) + gap * gaps - width
    for column, least in shrink:
        given = max(0, min(excess, widths[column] - least))
        widths[column] -= given
        excess -= given
    return [_aligned(row, widths, gap) for row in rows]


def _aligned(row: Sequence[Text], widths: Sequence[int], gap: int) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=True):
        fitted = cell.copy()
        fitted.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(fitted).append(" " * gap)
    line.rstrip()
    return line


def wrapped(first: Text, text: Text, width: int) -> list[Text]:
    """`text` wrapped at spaces to the right of `first`, as lines of at most `width`."""
    room = max(20, width - first.cell_len)
    words, lines = text.split(" "), [Text()]
    for word in words:
        if lines[-1] and lines[-1].cell_len + 1 + word.cell_len > room:
            lines.append(Text())
        if lines[-1]:
            lines[-1].append(" ")
        word.truncate(room, overflow="ellipsis")
        lines[-1].append_text(word)
    margin = Text(" " * first.cell_len)
    return [Text.assemble(margin if position else first, line) for position, line in enumerate(lines)]
