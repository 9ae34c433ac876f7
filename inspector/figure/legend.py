"""Place the legend: in a free corner of the graph, below it, or in a column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from inspector.figure.box_shapes import LEADING, text_run, words_width, wrapped
from inspector.layout.problem import Size
from inspector.scene.scene import Badge, Box, Rectangle, TextRun, Wire
from inspector.scene.splines import straight
from inspector.styles.plan import LegendEntry, Plan, StyledText
from inspector.typography import width

ROW_HEIGHT = 29.0
_SIGN_WIDTHS = {"badge": 24.0, "arrow": 44.0, "dashed": 34.0}
_SIGN_GAP = 10.0
_ENTRY_GAP = 26.0
_CLEARANCE = 14.0
_ABOVE = 10.0
_BADGE_CENTER = 12.0
_NARROWEST = 170.0
"""Minimum width of the texts in a column."""

_Rows = list[list[LegendEntry]]


class LegendPlace(Struct, frozen=True):
    """The area of the legend, its entries by row (of the moment with most entries), and the maximum text width."""

    area: Rectangle
    rows: _Rows
    widest: float = math.inf


def find_room(
    plans: Sequence[Plan], content: Rectangle, obstacles: Sequence[Rectangle], widest: float = 0.0
) -> LegendPlace:
    """A free corner at the bottom of `content`, or a strip below it.

    widest: maximum width of the strip, if larger than the content.
    """
    entries = _entries(plans)
    if not entries:
        return LegendPlace(Rectangle(content.x, content.bottom, 0.0, 0.0), [])
    options = _arrangements(entries)
    for rows in options:
        wide, high = _size(rows)
        for x in (content.x, content.right - wide):
            area = Rectangle(x, content.bottom - high, wide, high)
            if x >= content.x and area.y >= content.y and not any(map(area.grown(_CLEARANCE).overlaps, obstacles)):
                return LegendPlace(area, rows)
    room = max(content.width, widest)
    rows = next((rows for rows in options if _size(rows)[0] <= room), options[-1])
    return LegendPlace(Rectangle(content.x, content.bottom + _ABOVE, *_size(rows)), rows)


def find_column(plans: Sequence[Plan], room: float) -> LegendPlace | None:
    """The legend as a column of at most `room` points; None if that is too narrow."""
    rows = [[entry] for entry in _entries(plans)]
    widest = room - (_column(rows) + _SIGN_GAP if rows else 0.0)
    if widest < _NARROWEST:
        return None
    if not rows:
        return LegendPlace(Rectangle(0.0, 0.0, 0.0, 0.0), [])
    return LegendPlace(Rectangle(0.0, 0.0, *_size(rows, widest)), rows, widest)


def _entries(plans: Sequence[Plan]) -> list[LegendEntry]:
    """The entries of the moment with the most."""
    fullest = max((plan.legend for plan in plans), key=len)
    return list(fullest)


def draw(plan: Plan, room: LegendPlace) -> tuple[Box, tuple[Wire, ...], tuple[Badge, ...]]:
    """The legend of one moment: a plain box with the texts, and samples as wires and badges."""
    texts: list[TextRun] = []
    wires: list[Wire] = []
    badges: list[Badge] = []
    own = {(entry.sign, entry.text): entry for entry in plan.legend}
    top = room.area.y
    for row in room.rows:
        middle = top + ROW_HEIGHT / 2
        top += _row_height(row, room.widest)
        for place, sign, text in _row_places(row, _column(room.rows)):
            entry = own.get((place.sign, place.text))
            if entry is None:
                continue  # of another moment; its position stays empty
            for index, words in enumerate(_lines(entry, room.widest)):
                texts.append(text_run(words, room.area.x + text, middle + index * entry.size * LEADING, "start"))
            if entry.sign == "text":
                texts.append(text_run(_sample_words(entry), room.area.x + sign, middle, "start"))
            elif entry.sign == "badge":
                badges.append(_badge(entry, room.area.x + sign, middle))
            else:
                wires.append(_sample(entry, room.area.x + sign, middle))
    return Box("legend", room.area, "plain", texts=tuple(texts)), tuple(wires), tuple(badges)


def _arrangements(entries: list[LegendEntry]) -> list[_Rows]:
    """All entries on one line; the last two on one line and the others on lines of their own; one per line."""
    return [[entries], [*([entry] for entry in entries[:-2]), entries[-2:]], [[entry] for entry in entries]]


def _sign_width(entry: LegendEntry) -> float:
    return words_width(_sample_words(entry)) if entry.sign == "text" else _SIGN_WIDTHS[entry.sign]


def _sample_words(entry: LegendEntry) -> StyledText:
    return StyledText(entry.sample, entry.ink, "bold")


def _column(rows: _Rows) -> float:
    """The width of the column of signs, so that the texts of several rows are aligned."""
    return max(_sign_width(row[0]) for row in rows) if len(rows) > 1 else 0.0


def _row_places(row: Sequence[LegendEntry], column: float) -> Iterator[tuple[LegendEntry, float, float]]:
    """Every entry of a row with the x of its sign and of its text."""
    x = 0.0
    for position, entry in enumerate(row):
        text = x + max(_sign_width(entry), 0.0 if position else column) + _SIGN_GAP
        yield entry, x, text
        x = text + width(entry.text, entry.size) + _ENTRY_GAP


def _size(rows: _Rows, widest: float = math.inf) -> Size:
    ends = [
        text + max(map(words_width, _lines(entry, widest)))
        for row in rows
        for entry, _, text in _row_places(row, _column(rows))
    ]
    return max(ends), sum(_row_height(row, widest) for row in rows)


def _lines(entry: LegendEntry, widest: float) -> tuple[StyledText, ...]:
    return wrapped((StyledText(entry.text, "quiet", size=entry.size),), widest)


def _row_height(row: Sequence[LegendEntry], widest: float) -> float:
    more = max(len(_lines(entry, widest)) for entry in row) - 1
    return ROW_HEIGHT + row[0].size * LEADING * more


def _badge(entry: LegendEntry, x: float, y: float) -> Badge:
    return Badge(f"legend.{entry.sign}", x + _BADGE_CENTER, y, "1", entry.ink)


def _sample(entry: LegendEntry, x: float, y: float) -> Wire:
    end = (x + _SIGN_WIDTHS[entry.sign], y)
    dashed = entry.sign == "dashed"
    return Wire(f"legend.{entry.sign}", "legend", "legend", straight((x, y), end), entry.ink, dashed, not dashed)
