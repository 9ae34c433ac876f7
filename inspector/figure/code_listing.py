"""The code beside the graph: line numbers, lines, and the steps of the functions that each line created."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.figure.box_shapes import text_run, words_width
from inspector.layout.problem import Size
from inspector.scene.scene import Badge, Band, Box, Rectangle, TextRun
from inspector.styles.plan import CodeLine, Plan, StyledText
from inspector.typography import shorten

LINE_HEIGHT = 27.0
GAP = 36.0
"""Distance between the graph and the code."""
WIDEST_LINE = 420.0
_PADDING = 8.0
_NUMBER_GAP = 14.0
_BADGE_STEP = 26.0


def size(plans: Sequence[Plan]) -> Size:
    """Width and height over all moments; (0, 0) if no plan has a listing."""
    lines = [line for plan in plans for line in plan.listing]
    if not lines:
        return 0.0, 0.0
    widest = max(words_width(_code(line)) for line in lines)
    width = _PADDING + _numbers(plans) + _NUMBER_GAP + widest + _badges(plans) + _PADDING
    return width, LINE_HEIGHT * max(len(plan.listing) for plan in plans)


def draw(plan: Plan, plans: Sequence[Plan], area: Rectangle) -> tuple[Box, tuple[Badge, ...]]:
    """The listing of one moment in its area: a plain box, and the badges at its lines."""
    bands: list[Band] = []
    texts: list[TextRun] = []
    badges: list[Badge] = []
    end_of_numbers = area.x + _PADDING + _numbers(plans)
    for index, line in enumerate(plan.listing):
        top = area.y + index * LINE_HEIGHT
        middle = top + LINE_HEIGHT / 2
        if line.fill:
            bands.append(Band(Rectangle(area.x, top, area.width, LINE_HEIGHT), line.fill))
        if line.number:
            texts.append(text_run(_number(line), end_of_numbers, middle, "end"))
        if line.text.strip():
            texts.append(text_run(_code(line), end_of_numbers + _NUMBER_GAP, middle, "start"))
        start = area.right - _badges(plans) + _BADGE_STEP / 2 - _PADDING / 2
        for position, text in enumerate(line.badges):
            badges.append(Badge(f"line-{line.number}.{text}", start + position * _BADGE_STEP, middle, text))
    return Box("listing", area, "plain", bands=tuple(bands), texts=tuple(texts)), tuple(badges)


def _numbers(plans: Sequence[Plan]) -> float:
    return max(words_width(_number(line)) for plan in plans for line in plan.listing)


def _badges(plans: Sequence[Plan]) -> float:
    most = max(len(line.badges) for plan in plans for line in plan.listing)
    return most * _BADGE_STEP + (_NUMBER_GAP if most else 0.0)


def _number(line: CodeLine) -> StyledText:
    return StyledText(str(line.number) if line.number else "", "quiet", "mono", line.size)


def _code(line: CodeLine) -> StyledText:
    """A line in the monospaced face; its indentation is kept."""
    return StyledText(shorten(line.text, WIDEST_LINE, line.size, "mono"), line.ink, "mono", line.size)
