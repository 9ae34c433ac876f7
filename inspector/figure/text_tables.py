"""Texts in rows and columns inside a box."""

from __future__ import annotations

from inspector.scene.scene import Anchor, TextRun
from inspector.styles.plan import TextTable
from inspector.typography import cap_height, width

_ROW = 1.22
"""Height of a row as a multiple of the text's size."""
_COLUMN_GAP = 0.55
"""Distance of two columns, likewise."""


def table_size(table: TextTable) -> tuple[float, float]:
    """Width and height in points."""
    columns = _columns(table)
    return sum(columns) + _COLUMN_GAP * table.size * (len(columns) - 1), len(table.cells) * _ROW * table.size


def draw_table(table: TextTable, middle: float, top: float) -> list[TextRun]:
    """The texts, centred at x = `middle`; each column starts at its left, the last one ends at the right."""
    columns, texts = _columns(table), []
    start = middle - table_size(table)[0] / 2
    for number, row in enumerate(table.cells):
        left = start
        for place, (words, wide) in enumerate(zip(row, columns, strict=True)):
            baseline = top + (number + 0.5) * _ROW * table.size + cap_height(words.size, words.face) / 2
            is_last = place == len(columns) - 1 > 0
            x = left + wide if is_last else left
            anchor: Anchor = "end" if is_last else "start"
            if words.text:
                texts.append(TextRun(x, baseline, words.text, words.size, words.face, words.ink, anchor))
            left += wide + _COLUMN_GAP * table.size
    return texts


def _columns(table: TextTable) -> list[float]:
    """The width of each column."""
    columns = zip(*table.cells, strict=True)
    return [max(width(words.text, words.size, words.face) for words in column) for column in columns]
