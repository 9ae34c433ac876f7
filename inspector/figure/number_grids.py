"""Vectors and matrices as grids of numbers between brackets."""

from __future__ import annotations

from inspector.scene.scene import Band, Rectangle, TextRun
from inspector.styles.plan import NumberGrid
from inspector.typography import cap_height, width

_ROW = 1.3
"""Height of a row as a multiple of the text's size."""
_COLUMN_GAP = 0.6
"""Distance of two columns, likewise."""
_INSIDE = 0.25
"""Distance of the numbers from the brackets, likewise."""
_STROKE = 1.4
_TICK = 5.0
"""Length of the ends of a bracket."""
_ABOVE = 3.0
"""Distance from a grid to what stands above and below it."""


def grid_size(grid: NumberGrid) -> tuple[float, float]:
    """Width and height, including the distance to other lines."""
    columns = _columns(grid)
    inner = sum(columns) + _COLUMN_GAP * grid.size * (len(columns) - 1)
    return inner + 2 * _INSIDE * grid.size, len(grid.rows) * _ROW * grid.size + 2 * _ABOVE


def draw_grid(grid: NumberGrid, middle: float, top: float) -> tuple[list[Band], list[TextRun]]:
    """The fill and the brackets, and the numbers, centred at x = `middle`."""
    wide, high = grid_size(grid)
    area = Rectangle(middle - wide / 2, top + _ABOVE, wide, high - 2 * _ABOVE)
    bands = [Band(area, grid.fill)] if grid.fill != "ground" else []
    for edge, tick in ((area.x, area.x), (area.right - _STROKE, area.right - _TICK)):
        bands.append(Band(Rectangle(edge, area.y, _STROKE, area.height), grid.ink))
        for y in (area.y, area.bottom - _STROKE):
            bands.append(Band(Rectangle(tick, y, _TICK, _STROKE), grid.ink))
    texts = []
    columns = _columns(grid)
    for row, numbers in enumerate(grid.rows):
        baseline = area.y + (row + 0.5) * _ROW * grid.size + cap_height(grid.size, grid.face) / 2
        left = area.x + _INSIDE * grid.size
        for number, column in zip(numbers, columns, strict=True):
            x = left + column / 2
            texts.append(TextRun(x, baseline, number, grid.size, grid.face, grid.ink, "middle"))
            left += column + _COLUMN_GAP * grid.size
    return bands, texts


def _columns(grid: NumberGrid) -> list[float]:
    """The width of each column."""
    return [
        max(width(number, grid.size, grid.face) for number in column) for column in zip(*grid.rows, strict=True)
    ]
