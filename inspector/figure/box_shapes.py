"""Sizes of planned boxes, and Scene boxes at their positions.

Texts are fitted first: names are shortened and expressions wrapped, so that one long line in a script does not
make the picture too large for any slide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from inspector.figure.heat_maps import draw_heat, heat_size
from inspector.figure.number_grids import draw_grid, grid_size
from inspector.figure.text_tables import draw_table, table_size
from inspector.layout.problem import Size
from inspector.scene.scene import STACK_DEPTH, Anchor, Band, Box, Rectangle, Shape, TextRun
from inspector.styles.plan import (
    CardRow,
    DrawnTensor,
    HeatMap,
    NumberGrid,
    PlannedBox,
    PlannedShape,
    PlannedWire,
    SideBySide,
    StyledText,
    TextTable,
)
from inspector.typography import cap_height, sanitize, shorten, shorten_name, width

WIDEST_NAME = 290.0
WIDEST_VALUE = 250.0
WIDEST_TEXT = 290.0
MOST_LINES = 3
LEADING = 1.22
"""Height of a line as a multiple of its size."""

CARD_PADDING = 12.0
HEADER_HEIGHT = 32.0
ROW_HEIGHT = 23.0
_ROWS_TOP, _ROWS_BOTTOM = 2.0, 5.0
_LEAST_CARD_WIDTH = 170.0
_KEY_GAP = 20.0
_BAR_HEIGHT = 5.0
_BAR_ROOM = 9.0  # with the gap below it
_BORDER = 1.0  # a strip ends inside the border of its card
PILL_HEIGHT = 38.0
_PILL_PADDING = 17.0
_PADDINGS = {
    "plain": (3.0, 0.0),
    "name": (8.0, 2.0),
    "pill": (_PILL_PADDING, _PILL_PADDING / 2),
    "box": (14.0, 8.0),
    "chip": (6.0, 3.0),
}
"""By shape: padding beside and above the text."""
_LEAST_HEIGHTS = {"pill": PILL_HEIGHT, "box": PILL_HEIGHT}
_CIRCLES = {"circle": 48.0, "gate": 32.0}
"""Least diameters."""
_IN_CIRCLE = 7.0
"""Least room beside the text of a circle, on both sides together."""
_DOT = 10.0
_RECORD_HEIGHT = 38.0
_CELL_PADDING = 13.0
_SEPARATOR = 1.4
LABEL_PADDING = 5.0
_ASIDE = 10.0
"""Distance of tensors beside each other."""
OPENING = "([,."
"""Characters after which code may be broken if it has no spaces."""
_PATH = re.compile(r"[^\W\d]\w*(\.\w+)+")
"""The name of a parameter or a module: its end distinguishes it."""
_INNER_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
"""Where a word of a Node's name begins: of `Upsample|Nearest2D|Backward`."""
_OPERATORS = "+-*/@·\N{MINUS SIGN}"

_SCENE_SHAPES: dict[PlannedShape, Shape] = {
    "pill": "pill",
    "circle": "circle",
    "gate": "circle",
    "dot": "circle",
    "plain": "plain",
    "name": "plain",
    "box": "card",
    "chip": "card",
}


def size_box(box: PlannedBox) -> PlannedBox:
    """The box with its names and values shortened, and its text wrapped, to the maximum widths."""
    if box.shape in ("card", "stack"):
        name, *roles = box.texts
        rows = tuple(replace(row, lines=tuple(_shortened(row.lines, WIDEST_VALUE))) for row in box.rows)
        return replace(box, texts=(*_shortened((name,), WIDEST_NAME), *roles), rows=rows)
    if box.shape in ("plain", "box", "chip"):
        texts = wrapped(box.texts, WIDEST_TEXT)
    else:
        lines = [half for words in box.texts for half in _halves(words)] if box.shape == "pill" else box.texts
        texts = tuple(_shortened(lines, WIDEST_NAME))
    return box if texts == box.texts else replace(box, texts=texts)


def wrapped(lines: Sequence[StyledText], room: float) -> tuple[StyledText, ...]:
    """Each line wrapped into at most three lines of `room` points; the third is shortened."""
    return tuple(piece for words in lines for piece in _wrapped(words, room))


def box_size(box: PlannedBox) -> Size:
    """Width and height of a fitted box."""
    if box.shape == "card":
        return _card_size(box)
    if box.shape == "stack":
        card_width, card_height = _card_size(box)
        return card_width + STACK_DEPTH, card_height + STACK_DEPTH
    if box.shape == "record":
        return sum(cell_widths(box)), _RECORD_HEIGHT
    if box.shape == "dot":
        return _DOT, _DOT
    text_width, text_height = _block_size(box.texts)
    if box.shape in _CIRCLES:
        side = max(_CIRCLES[box.shape], text_width + _IN_CIRCLE)
        return side, side
    beside, above = _PADDINGS[box.shape]
    return text_width + 2 * beside, max(_LEAST_HEIGHTS.get(box.shape, 0.0), text_height + 2 * above)


def size_label(wire: PlannedWire) -> PlannedWire:
    """The wire with its text wrapped."""
    if not (wire.label or wire.below):
        return wire
    return replace(wire, label=wrapped(wire.label, WIDEST_TEXT), below=wrapped(wire.below, WIDEST_TEXT))


def label_size(lines: Sequence[StyledText], padding: float = LABEL_PADDING) -> Size:
    """The size of a text beside a wire; (0, 0) if there is none. padding: beside it."""
    if not lines:
        return 0.0, 0.0
    text_width, text_height = _block_size(lines)
    return text_width + 2 * padding, text_height + LABEL_PADDING


def build_box(box: PlannedBox, area: Rectangle) -> Box:
    """A fitted box at its position. The area may be larger than the box, if another moment needs more room."""
    if box.shape in ("card", "stack"):
        depth = STACK_DEPTH if box.shape == "stack" else 0.0
        front = Rectangle(area.x, area.y, area.width - depth, area.height - depth)
        bands, texts = _card(box, front)
        shape: Shape = "stack" if depth else "card"
        return Box(box.id, area, shape, box.ink, box.fill, tuple(bands), tuple(texts))
    if box.shape == "record":
        bands, texts = _record(box, area)
        return Box(box.id, area, "card", box.ink, box.fill, tuple(bands), tuple(texts))
    bands, texts = centered(box.texts, area)
    return Box(box.id, area, _SCENE_SHAPES[box.shape], box.ink, box.fill, tuple(bands), tuple(texts))


def centered(lines: Sequence[StyledText], area: Rectangle) -> tuple[list[Band], list[TextRun]]:
    """Lines centred in an area, one below the other: the parts of grids, and the texts."""
    bands: list[Band] = []
    texts: list[TextRun] = []
    x, y = area.center
    y -= _block_size(lines)[1] / 2
    for words in lines:
        height = line_height(words)
        if isinstance(words, DrawnTensor):
            parts = _drawn(words, x, y)
            bands += parts[0]
            texts += parts[1]
        elif words.text:
            texts.append(text_run(words, x, y + height / 2, "middle"))
        y += height
    return bands, texts


def text_run(words: StyledText, x: float, middle: float, anchor: Anchor) -> TextRun:
    """A text at x, with capitals and digits centred vertically on `middle`."""
    baseline = middle + cap_height(words.size, words.face) / 2
    return TextRun(x, baseline, words.text, words.size, words.face, words.ink, anchor)


def words_width(words: StyledText) -> float:
    """Width of one line in points."""
    drawn = _drawn_size(words)
    return width(words.text, words.size, words.face) if drawn is None else drawn[0]


def line_height(words: StyledText) -> float:
    """Height of one line in points."""
    drawn = _drawn_size(words)
    return words.size * LEADING if drawn is None else drawn[1]


def _drawn_size(words: StyledText) -> Size | None:
    """Width and height of a drawn tensor; None for a line of text."""
    if not isinstance(words, DrawnTensor):  # nearly all
        return None
    if isinstance(words, HeatMap):
        return heat_size(words)
    if isinstance(words, SideBySide):
        sizes = [_drawn_size(part) or (0.0, 0.0) for part in words.parts]
        return sum(wide for wide, _ in sizes) + _ASIDE * (len(sizes) - 1), max(high for _, high in sizes)
    if isinstance(words, TextTable):
        return table_size(words)
    return grid_size(words) if isinstance(words, NumberGrid) else None


def _drawn(words: DrawnTensor, middle: float, top: float) -> tuple[list[Band], list[TextRun]]:
    """The parts of a drawn tensor, centred at x = `middle`."""
    if isinstance(words, HeatMap):
        return draw_heat(words, middle, top)
    if isinstance(words, SideBySide):
        return _drawn_side_by_side(words, middle - words_width(words) / 2, top)
    if isinstance(words, TextTable):
        return [], draw_table(words, middle, top)
    return draw_grid(words, middle, top) if isinstance(words, NumberGrid) else ([], [])


def _drawn_side_by_side(words: SideBySide, left: float, top: float) -> tuple[list[Band], list[TextRun]]:
    bands: list[Band] = []
    texts: list[TextRun] = []
    for part in words.parts:
        wide = words_width(part)
        drawn = _drawn(part, left + wide / 2, top)
        bands += drawn[0]
        texts += drawn[1]
        left += wide + _ASIDE
    return bands, texts


# ---- cards ------------------------------------------------------------------------------------------------


def _card_size(box: PlannedBox) -> Size:
    header = sum(map(words_width, box.texts)) + _KEY_GAP * (len(box.texts) - 1)
    rows = [words_width(_key(row)) + _KEY_GAP + _block_size(row.lines)[0] for row in box.rows]
    height = HEADER_HEIGHT
    if box.rows:
        height += _ROWS_TOP + sum(map(_row_height, box.rows)) + _ROWS_BOTTOM
    return max(_LEAST_CARD_WIDTH, 2 * CARD_PADDING + max([header, *rows])), height


def _key(row: CardRow) -> StyledText:
    return StyledText(row.key, row.key_ink, size=row.key_size)


def levelled(boxes: Sequence[PlannedBox]) -> list[PlannedBox]:
    """One box at all moments, with a common size: the rows of a card get empty lines if another moment has more
    lines, and a record gets the widest text of each cell as a row."""
    if len(boxes) == 1 and boxes[0].shape != "record":
        return list(boxes)
    if boxes[0].shape in ("chip", "plain"):
        longest = max(boxes, key=lambda box: len(box.texts)).texts
        return [replace(box, texts=(*box.texts, *map(_blank, longest[len(box.texts) :]))) for box in boxes]
    if boxes[0].shape == "record":
        return _levelled_records(boxes)
    heights = [max(map(_row_height, rows)) for rows in zip(*(box.rows for box in boxes), strict=True)]
    return [
        replace(
            box, rows=tuple(replace(row, least=high) for row, high in zip(box.rows, heights, strict=True))
        )
        for box in boxes
    ]


def _card(box: PlannedBox, area: Rectangle) -> tuple[list[Band], list[TextRun]]:
    left, right = area.x + CARD_PADDING, area.right - CARD_PADDING
    header = Rectangle(area.x, area.y, area.width, HEADER_HEIGHT)
    bands = [Band(header, box.header, header=True)] if box.header else []
    middle = area.y + HEADER_HEIGHT / 2
    texts = [text_run(box.texts[0], left, middle, "start")]
    texts += [text_run(words, right, middle, "end") for words in box.texts[1:] if words.text]
    top = header.bottom + _ROWS_TOP
    for row in box.rows:
        height = _row_height(row)
        if row.fill:
            strip = Rectangle(area.x + _BORDER, top, area.width - 2 * _BORDER, height)
            bands.append(Band(strip, row.fill))
        if row.bar is not None:
            bands += _bar(row.bar, Rectangle(left, top + height - _BAR_ROOM, right - left, _BAR_HEIGHT))
        texts.append(text_run(_key(row), left, top + ROW_HEIGHT / 2, "start"))
        parts = _right_aligned(row.lines, right, top)
        bands += parts[0]
        texts += parts[1]
        top += height
    return bands, texts


def _right_aligned(lines: Sequence[StyledText], right: float, top: float) -> tuple[list[Band], list[TextRun]]:
    """The lines of a card's row."""
    bands: list[Band] = []
    texts: list[TextRun] = []
    for words in lines:
        if isinstance(words, DrawnTensor):
            parts = _drawn(words, right - words_width(words) / 2, top)
            bands += parts[0]
            texts += parts[1]
        elif words.text:
            texts.append(text_run(words, right, top + ROW_HEIGHT / 2, "end"))
        top += _line_room(words)
    return bands, texts


def _line_room(words: StyledText) -> float:
    """Height of one line in a card."""
    return line_height(words) if isinstance(words, DrawnTensor) else ROW_HEIGHT


def _row_height(row: CardRow) -> float:
    return max(row.least, sum(map(_line_room, row.lines)) + (_BAR_ROOM if row.bar is not None else 0.0))


def _bar(places: tuple[float, float], track: Rectangle) -> list[Band]:
    """A bar filled up to the first place, and paler from there to the second one."""
    low, high = (track.width * place for place in places)
    parts = ((track.width, "header"), (high, "gradient_pale"), (low, "gradient"))
    return [Band(Rectangle(track.x, track.y, length, track.height), fill) for length, fill in parts if length]


# ---- records ----------------------------------------------------------------------------------------------


def _blank(words: StyledText) -> StyledText:
    """A line without text and of the same height."""
    return StyledText("", words.ink, words.face, line_height(words) / LEADING)


def _levelled_records(boxes: Sequence[PlannedBox]) -> list[PlannedBox]:
    widest = [max(cells, key=words_width) for cells in zip(*(box.texts for box in boxes), strict=True)]
    rows = tuple(CardRow("", (words,)) for words in widest)
    return [replace(box, rows=rows) for box in boxes]


def cell_widths(box: PlannedBox) -> list[float]:
    """The widths of a record's cells, the maximum over all moments."""
    widest = [row.lines[0] for row in box.rows] or box.texts
    return [words_width(words) + 2 * _CELL_PADDING for words in widest]


def _record(box: PlannedBox, area: Rectangle) -> tuple[list[Band], list[TextRun]]:
    """The lines between the cells, and a centred text in each."""
    bands: list[Band] = []
    texts: list[TextRun] = []
    left = area.x
    for index, (words, wide) in enumerate(zip(box.texts, cell_widths(box), strict=True)):
        if index:
            bands.append(Band(Rectangle(left - _SEPARATOR / 2, area.y, _SEPARATOR, area.height), box.ink))
        texts += centered((words,), Rectangle(left, area.y, wide, area.height))[1]
        left += wide
    return bands, texts


# ---- text -------------------------------------------------------------------------------------------------


def _block_size(lines: Sequence[StyledText]) -> Size:
    return max(map(words_width, lines), default=0.0), sum(map(line_height, lines))


def _shortened(lines: Iterable[StyledText], room: float) -> Iterator[StyledText]:
    for words in lines:
        if isinstance(words, DrawnTensor):
            yield words
            continue
        cut = shorten_name if _PATH.fullmatch(words.text) else shorten
        text = cut(words.text, room, words.size, words.face)
        yield words if text == words.text else replace(words, text=text)


def _halves(words: StyledText) -> tuple[StyledText, ...]:
    """The name of a Node, in two lines if it is too wide: `BinaryCrossEntropy` and `WithLogitsBackward`."""
    text = words.text
    if isinstance(words, DrawnTensor) or width(text, words.size, words.face) <= WIDEST_NAME:
        return (words,)
    starts = [found.start() for found in _INNER_WORD.finditer(text)]
    if not starts or not text.isidentifier():
        return (words,)
    middle = min(reversed(starts), key=lambda start: abs(2 * start - len(text)))
    return replace(words, text=text[:middle]), replace(words, text=text[middle:])


def _wrapped(words: StyledText, room: float) -> Iterator[StyledText]:
    rest = sanitize(words.text)
    if isinstance(words, DrawnTensor) or (rest == words.text and width(rest, words.size, words.face) <= room):
        yield words
        return
    for _ in range(MOST_LINES - 1):
        if width(rest, words.size, words.face) <= room:
            break
        fitting = len(shorten(rest, room, words.size, words.face)) - 1  # without the ellipsis
        blank = rest.rfind(" = ", fitting // 3, fitting + 1)  # keep `= result` together
        if blank < 0:
            blank = rest.rfind(" ", fitting // 2, fitting + 1)
        if blank <= 0:
            blank = max(rest.rfind(sign, fitting // 2, fitting) for sign in OPENING) + 1
        cut = blank if blank > 0 else max(fitting, 1)
        head = rest[:cut].rstrip()
        if len(head) > 2 and head[-2] == " " and head[-1] in _OPERATORS:
            head, cut = head[:-2], len(head) - 2  # an operator begins the next line
        yield replace(words, text=head)
        rest = rest[cut:].lstrip()
    yield replace(words, text=shorten(rest, room, words.size, words.face))
