"""The lines below a graph, in columns: sums over the passes of a loop, gradients as products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.figure.box_shapes import LEADING, text_run, words_width
from inspector.layout.problem import Size
from inspector.scene.scene import Box, Rectangle
from inspector.styles.plan import CircuitPlan, Plan, StyledText

GAP = 18.0
"""Distance from the graph."""
_COLUMN_GAP = 36.0
_LINE_GAP = 4.0
_MOST_COLUMNS = 3


def lines_of(plan: Plan) -> tuple[StyledText, ...]:
    """The lines below the graph."""
    return (*plan.footer, *plan.formulas) if isinstance(plan, CircuitPlan) else ()


def size(plans: Sequence[Plan], room: float) -> Size:
    """Width and height over all moments. room: the maximum width of several columns."""
    sizes = [_size(columns) for plan in plans if (columns := _columns(lines_of(plan), room))]
    return max((wide for wide, _ in sizes), default=0.0), max((high for _, high in sizes), default=0.0)


def draw(plan: Plan, area: Rectangle, room: float) -> Box:
    """The lines as a plain box. room: as given to `size`."""
    texts, x = [], area.x
    for column in _columns(lines_of(plan), room):
        y = area.y
        for words in column:
            height = words.size * LEADING
            texts.append(text_run(words, x, y + height / 2, "start"))
            y += height + _LINE_GAP
        x += max(map(words_width, column)) + _COLUMN_GAP
    return Box("footer", area, "plain", texts=tuple(texts))


def _columns(lines: Sequence[StyledText], room: float) -> list[Sequence[StyledText]]:
    """As many columns as fit, filled one after the other."""
    for count in range(_MOST_COLUMNS, 0, -1):
        rows = -(-len(lines) // count)
        columns = [lines[start : start + rows] for start in range(0, len(lines), rows or 1)]
        if count == 1 or _size(columns)[0] <= room:
            return columns
    return []


def _size(columns: Sequence[Sequence[StyledText]]) -> Size:
    if not columns:
        return 0.0, 0.0
    width = sum(max(map(words_width, column)) for column in columns) + _COLUMN_GAP * (len(columns) - 1)
    height = max(sum(words.size * LEADING + _LINE_GAP for words in column) for column in columns)
    return width, height
