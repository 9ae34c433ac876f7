"""Tensors as heat maps: coloured cells, and a scale from the largest to the smallest element beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from inspector.scene.scene import Band, Rectangle, TextRun
from inspector.scene.theme import DIVERGING
from inspector.styles.plan import HeatMap
from inspector.typography import cap_height, width

_CELL, _SMALL_CELL = 13.0, 9.0
_FEW = 8
"""Rows and columns of a map up to which its cells are large."""
_LINE = 1.0
"""Distance of two cells."""
_TILE_GAP = 5.0
_BESIDE = 6.0
"""Distance of the scale from the cells, and of its numbers from the scale."""
_SCALE = 8.0
_ABOVE = 3.0
"""Distance from a map to what stands above and below it."""
_LEADING = 1.15
_STRIPES = 3
_STRIPE = 1.3
GRID_INK = "faded"
NAN_INK = "error"


def heat_size(words: HeatMap) -> tuple[float, float]:
    """Width and height, including the distance to other lines."""
    cells = _cells_size(words)
    wide = cells[0] + _scale_width(words)
    caption = width(words.caption, words.size, words.face)
    return max(wide, caption), 2 * _ABOVE + _body_height(words) + _caption_height(words)


def draw_heat(words: HeatMap, middle: float, top: float) -> tuple[list[Band], list[TextRun]]:
    """The cells and the scale, and their texts, centred at x = `middle`."""
    wide, high = _cells_size(words)
    left, body = middle - (wide + _scale_width(words)) / 2, _body_height(words)
    bands = list(_cells(words, left, top + _ABOVE + (body - high) / 2))
    texts: list[TextRun] = []
    if words.scale:
        x = left + wide + _BESIDE
        bands += _scale(words, Rectangle(x, top + _ABOVE, _SCALE, body))
        texts += _ends(words, Rectangle(x + _SCALE + _BESIDE, top + _ABOVE, 0.0, body))
    if words.caption:
        room = _caption_height(words) + _ABOVE
        baseline = top + _ABOVE + body + room / 2 + cap_height(words.size, words.face) / 2
        texts.append(TextRun(middle, baseline, words.caption, words.size, words.face, words.ink, "middle"))
    return bands, texts


# ---- cells ------------------------------------------------------------------------------------------------


def _layout(words: HeatMap) -> tuple[int, int, int, int]:
    """Rows and columns of tiles, and of cells in each."""
    columns = min(words.tiles_per_row, len(words.tiles))
    return -(-len(words.tiles) // columns), columns, len(words.tiles[0]), len(words.tiles[0][0])


def _cell(words: HeatMap) -> float:
    tile_rows, tile_columns, rows, columns = _layout(words)
    return _CELL if max(tile_rows * rows, tile_columns * columns) <= _FEW else _SMALL_CELL


def _tile_size(words: HeatMap) -> tuple[float, float]:
    _, _, rows, columns = _layout(words)
    return columns * _cell(words) + _LINE, rows * _cell(words) + _LINE


def _cells_size(words: HeatMap) -> tuple[float, float]:
    tile_rows, tile_columns, _, _ = _layout(words)
    wide, high = _tile_size(words)
    return tile_columns * (wide + _TILE_GAP) - _TILE_GAP, tile_rows * (high + _TILE_GAP) - _TILE_GAP


def _cells(words: HeatMap, left: float, top: float) -> Iterator[Band]:
    """Every tile on the colour of its lines."""
    (wide, high), cell = _tile_size(words), _cell(words)
    for index, tile in enumerate(words.tiles):
        row, column = divmod(index, _layout(words)[1])
        x, y = left + column * (wide + _TILE_GAP), top + row * (high + _TILE_GAP)
        yield Band(Rectangle(x, y, wide, high), GRID_INK)
        for i, shares in enumerate(tile):
            for j, share in enumerate(shares):
                area = Rectangle(x + j * cell + _LINE, y + i * cell + _LINE, cell - _LINE, cell - _LINE)
                yield from _filled(area, share)


def ink_of(share: float) -> str:
    """The ink of an element: zero has the middle of the scale. share: of the largest absolute value."""
    middle = len(DIVERGING) // 2
    return DIVERGING[middle + round(share * middle)]


def _filled(area: Rectangle, share: float) -> Iterator[Band]:
    """A cell: coloured, or with stripes for NaN (along) and infinity (upright, in the colour of its sign)."""
    if math.isfinite(share):
        yield Band(area, ink_of(share))
        return
    yield Band(area, "ground")
    for index in range(_STRIPES):
        place = (index + 0.5) / _STRIPES
        if math.isnan(share):
            yield Band(Rectangle(area.x, area.y + place * area.height - _STRIPE / 2, area.width, _STRIPE), NAN_INK)
        else:
            x = area.x + place * area.width - _STRIPE / 2
            yield Band(Rectangle(x, area.y, _STRIPE, area.height), ink_of(math.copysign(1.0, share)))


# ---- scale and caption ------------------------------------------------------------------------------------


def _scale_width(words: HeatMap) -> float:
    if not words.scale:
        return 0.0
    return 2 * _BESIDE + _SCALE + max(width(end, words.size, words.face) for end in words.ends)


def _body_height(words: HeatMap) -> float:
    return max(_cells_size(words)[1], len(words.ends) * _LEADING * words.size)


def _caption_height(words: HeatMap) -> float:
    return _LEADING * words.size + _ABOVE if words.caption else 0.0


def _scale(words: HeatMap, area: Rectangle) -> Iterator[Band]:
    yield Band(area, GRID_INK)
    inside = Rectangle(area.x + _LINE, area.y + _LINE, area.width - 2 * _LINE, area.height - 2 * _LINE)
    step = inside.height / len(words.scale)
    for index, share in enumerate(words.scale):
        yield Band(Rectangle(inside.x, inside.y + index * step, inside.width, step), ink_of(share))


def _ends(words: HeatMap, area: Rectangle) -> Iterator[TextRun]:
    """The largest element at the top of the scale, the smallest at its bottom; one number in the middle."""
    cap = cap_height(words.size, words.face)
    baselines = (area.y + cap, area.bottom) if len(words.ends) > 1 else (area.center[1] + cap / 2,)
    for end, baseline in zip(words.ends, baselines, strict=True):
        yield TextRun(area.x, baseline, end, words.size, words.face, words.ink)
