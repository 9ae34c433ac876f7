"""How large planned boxes are, and planned boxes dressed as Scene boxes once they have a place.

Texts are fitted first: names are shortened and expressions wrapped, so that one long line in a script does
not make a picture that no slide can hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from inspector.layout.problem import Size
from inspector.scene.scene import Anchor, Band, Box, Rectangle, TextRun
from inspector.styles.plan import SMALL_SIZE, PlannedBox, PlannedWire, Row, Words
from inspector.text import cap_height, clean, shorten, width

WIDEST_NAME = 260.0
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
_BORDER = 1.0  # a strip ends inside of the card's border
PILL_HEIGHT = 38.0
_PILL_PADDING = 17.0
_PLAIN_PADDING = 3.0
LABEL_PADDING = 5.0


def fitted(box: PlannedBox) -> PlannedBox:
    """The box with its names and values shortened, and its text wrapped, to sensible widths."""
    if box.shape == "card":
        name, *roles = box.texts
        rows = tuple(replace(row, lines=tuple(_shortened(row.lines, WIDEST_VALUE))) for row in box.rows)
        return replace(box, texts=(*_shortened((name,), WIDEST_NAME), *roles), rows=rows)
    if box.shape == "plain":
        return replace(box, texts=wrapped(box.texts, WIDEST_TEXT))
    return replace(box, texts=tuple(_shortened(box.texts, WIDEST_NAME)))


def wrapped(lines: Sequence[Words], room: float) -> tuple[Words, ...]:
    """Each line broken into lines of at most `room` points, the last of at most three shortened."""
    return tuple(piece for words in lines for piece in _wrapped(words, room))


def box_size(box: PlannedBox) -> Size:
    """Width and height of a fitted box."""
    if box.shape == "card":
        return _card_size(box)
    text_width, text_height = _block_size(box.texts)
    if box.shape == "plain":
        return text_width + 2 * _PLAIN_PADDING, text_height
    if box.shape == "circle":
        side = max(PILL_HEIGHT, text_width + _PILL_PADDING)
        return side, side
    return text_width + 2 * _PILL_PADDING, max(PILL_HEIGHT, text_height + _PILL_PADDING)


def fitted_label(wire: PlannedWire) -> PlannedWire:
    """The wire with its text wrapped."""
    return replace(wire, label=wrapped(wire.label, WIDEST_TEXT))


def label_size(wire: PlannedWire) -> Size:
    """Room for the text of a fitted wire; (0, 0) if it has none."""
    if not wire.label:
        return 0.0, 0.0
    text_width, text_height = _block_size(wire.label)
    return text_width + 2 * LABEL_PADDING, text_height + LABEL_PADDING


def dress(box: PlannedBox, area: Rectangle) -> Box:
    """A fitted box in its place. The area may be larger than the box needs (another moment needs it)."""
    if box.shape == "card":
        bands, texts = _card(box, area)
        return Box(box.id, area, "card", box.ink, box.fill, tuple(bands), tuple(texts))
    return Box(box.id, area, box.shape, box.ink, box.fill, (), tuple(centered(box.texts, area)))


def centered(lines: Sequence[Words], area: Rectangle) -> Iterator[TextRun]:
    """Lines in the middle of an area, one below the other."""
    x, y = area.center
    y -= _block_size(lines)[1] / 2
    for words in lines:
        height = words.size * LEADING
        yield run(words, x, y + height / 2, "middle")
        y += height


def run(words: Words, x: float, middle: float, anchor: Anchor) -> TextRun:
    """Words at x, capitals and digits centred on the line `middle`."""
    baseline = middle + cap_height(words.size, words.face) / 2
    return TextRun(x, baseline, words.text, words.size, words.face, words.ink, anchor)


def words_width(words: Words) -> float:
    """Width of one line in points."""
    return width(words.text, words.size, words.face)


# ---- cards ------------------------------------------------------------------------------------------------


def _card_size(box: PlannedBox) -> Size:
    header = sum(map(words_width, box.texts)) + _KEY_GAP * (len(box.texts) - 1)
    rows = [words_width(_key(row)) + _KEY_GAP + _block_size(row.lines)[0] for row in box.rows]
    height = HEADER_HEIGHT
    if box.rows:
        height += _ROWS_TOP + sum(ROW_HEIGHT * len(row.lines) for row in box.rows) + _ROWS_BOTTOM
    return max(_LEAST_CARD_WIDTH, 2 * CARD_PADDING + max([header, *rows])), height


def _key(row: Row) -> Words:
    return Words(row.key, "quiet", size=SMALL_SIZE)


def levelled(boxes: Sequence[PlannedBox]) -> list[PlannedBox]:
    """One card at several moments, with empty lines where another moment needs more of them in a row."""
    counts = [max(len(row.lines) for row in rows) for rows in zip(*(box.rows for box in boxes), strict=True)]
    return [
        replace(
            box,
            rows=tuple(
                replace(row, lines=row.lines + (Words(""),) * (count - len(row.lines)))
                for row, count in zip(box.rows, counts, strict=True)
            ),
        )
        for box in boxes
    ]


def _card(box: PlannedBox, area: Rectangle) -> tuple[list[Band], list[TextRun]]:
    left, right = area.x + CARD_PADDING, area.right - CARD_PADDING
    header = Rectangle(area.x, area.y, area.width, HEADER_HEIGHT)
    bands = [Band(header, box.header, header=True)] if box.header else []
    middle = area.y + HEADER_HEIGHT / 2
    texts = [run(box.texts[0], left, middle, "start")]
    texts += [run(words, right, middle, "end") for words in box.texts[1:] if words.text]
    top = header.bottom + _ROWS_TOP
    for row in box.rows:
        height = ROW_HEIGHT * len(row.lines)
        if row.fill:
            strip = Rectangle(area.x + _BORDER, top, area.width - 2 * _BORDER, height)
            bands.append(Band(strip, row.fill))
        texts.append(run(_key(row), left, top + ROW_HEIGHT / 2, "start"))
        for index, words in enumerate(row.lines):
            if words.text:
                texts.append(run(words, right, top + ROW_HEIGHT * (index + 0.5), "end"))
        top += height
    return bands, texts


# ---- text -------------------------------------------------------------------------------------------------


def _block_size(lines: Sequence[Words]) -> Size:
    return max(map(words_width, lines), default=0.0), sum(words.size * LEADING for words in lines)


def _shortened(lines: Iterable[Words], room: float) -> Iterator[Words]:
    for words in lines:
        yield replace(words, text=shorten(words.text, room, words.size, words.face))


def _wrapped(words: Words, room: float) -> Iterator[Words]:
    rest = clean(words.text)
    for _ in range(MOST_LINES - 1):
        if width(rest, words.size, words.face) <= room:
            break
        fitting = len(shorten(rest, room, words.size, words.face)) - 1  # without the ellipsis
        blank = rest.rfind(" = ", fitting // 3, fitting + 1)  # a result keeps its sign of equality
        if blank < 0:
            blank = rest.rfind(" ", fitting // 2, fitting + 1)
        cut = blank if blank > 0 else max(fitting, 1)
        yield replace(words, text=rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    yield replace(words, text=shorten(rest, room, words.size, words.face))
