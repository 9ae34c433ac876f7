"""The heading of a figure: its name, the moment, the call, what a step does, and any error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.figure.box_shapes import LEADING, OPENING, text_run, words_width, wrapped
from inspector.layout.problem import Size
from inspector.scene.scene import Box, Rectangle, TextRun
from inspector.styles.plan import Plan, StyledText
from inspector.typography import sanitize

LEAST_ROOM = 560.0
"""Width that a title may have, however small the graph is."""
_CODE_GAP = 30.0
_WORD_GAP = 12.0
_NOTE_GAP = 6.0
_BELOW = 16.0

_Line = tuple[StyledText, ...]


def size(plans: Sequence[Plan], room: float) -> Size:
    """Width and height of the heading over all moments, including the gap below it. room: the maximum width."""
    headings = [(_title_lines(plan, room), wrapped(plan.notes, room)) for plan in plans]
    widths = [_line_width(line) for title, notes in headings for line in (*title, *((note,) for note in notes))]
    height = max(_height(title) for title, _ in headings) + max(_notes_height(notes) for _, notes in headings)
    return max(widths, default=0.0), height + (_BELOW if height else 0.0)


def is_whole(plans: Sequence[Plan], room: float) -> bool:
    """Whether the heading fits into `room` points without shortened texts or broken words."""
    texts = {words for plan in plans for words in (*plan.title, *plan.notes)}
    return all(_is_unbroken(words.text, [line.text for line in wrapped((words,), room)]) for words in texts)


def _is_unbroken(text: str, lines: Sequence[str]) -> bool:
    rest = sanitize(text)
    for line in lines:
        if not rest.startswith(line):
            return False  # shortened
        rest = rest[len(line) :]
        if rest and not rest[0].isspace() and line[-1] not in OPENING:
            return False
        rest = rest.lstrip()
    return not rest


def draw(plan: Plan, room: Rectangle) -> Iterator[Box]:
    """The title and the notes as plain boxes. room: an area as wide as the room given to `size`."""
    lines = _title_lines(plan, room.width)
    texts: list[TextRun] = []
    top = room.y
    for line in lines:
        height = _line_height(line)
        texts += _set(line, room.x, top + height / 2)
        top += height
    width = max(map(_line_width, lines), default=0.0)
    yield Box("title", Rectangle(room.x, room.y, width, top - room.y), "plain", texts=tuple(texts))
    notes, start = [], top
    note_lines = wrapped(plan.notes, room.width)
    top += _NOTE_GAP if note_lines else 0.0
    for words in note_lines:
        height = words.size * LEADING
        notes.append(text_run(words, room.x, top + height / 2, "start"))
        top += height
    width = max(map(words_width, note_lines), default=0.0)
    yield Box("notes", Rectangle(room.x, start, width, top - start), "plain", texts=tuple(notes))


def _title_lines(plan: Plan, room: float) -> list[_Line]:
    """The title on one line if it fits, else with the code on separate lines."""
    if not plan.title:
        return []
    if _line_width(plan.title) <= room:
        return [plan.title]
    code, *rest = plan.title
    lines: list[_Line] = [(words,) for words in wrapped((code,), room)]
    if rest:
        one_line = _line_width(tuple(rest)) <= room
        lines += [tuple(rest)] if one_line else [(words,) for words in wrapped(rest, room)]
    return lines


def _gap(words: StyledText) -> float:
    return _CODE_GAP if words.face == "bold" else _WORD_GAP


def _line_width(line: _Line) -> float:
    return sum(map(words_width, line)) + sum(map(_gap, line[1:]))


def _line_height(line: _Line) -> float:
    return max(words.size for words in line) * LEADING


def _height(lines: Sequence[_Line]) -> float:
    return sum(map(_line_height, lines))


def _notes_height(notes: Sequence[StyledText]) -> float:
    return sum(words.size * LEADING for words in notes) + (_NOTE_GAP if notes else 0.0)


def _set(line: _Line, x: float, middle: float) -> Iterator[TextRun]:
    for position, words in enumerate(line):
        x += _gap(words) if position else 0.0
        yield text_run(words, x, middle, "start")
        x += words_width(words)
