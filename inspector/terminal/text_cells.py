"""Lines of terminal text: sanitized names, and columns of limited width.

Widths are in terminal cells: a wide character (漢) has two, a combining one none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from inspector.typography import one_line

VALUE = "#1f7fbf"
GRADIENT = "#c85f0a"
QUIET = "#808080"
STRONG = "bold"
"""Two hues and grey with a contrast of at least 4 on white and on black."""

_GAP, _NARROW_GAP = 3, 2
_MOST_LETTERS = 6
_EQUALS = " = "
_SHORT_LABEL, _LEAST_LABEL = 12, 6
"""Width of a label whose value is too wide, and the minimum."""
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_LEFT_TO_RIGHT_MARK = "\u200e"


def fit_text(text: str, width: int = 32) -> str:
    """Text of the user's program in at most `width` cells: sanitized, with its middle left out if it is longer.

    A left-to-right mark after right-to-left text keeps the numbers that follow in order.
    """
    cut = _shorten(one_line(text), width)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in cut):
        return cut + _LEFT_TO_RIGHT_MARK
    return cut


def fit_path(name: str, width: int = 32) -> str:
    """A parameter's name in at most `width` cells: `f.d1.d2.norm2.weight`.

    If it is too long, its first components become initials: numbers and the end distinguish parameters.
    """
    return fit_text(_initials(name, width, 1), width)


def fit_paths(names: Iterable[str], width: int) -> dict[str, str]:
    """Each name as by `fit_path`, but different names stay different: those that would not keep more letters, and
    are wider if they must."""
    found: dict[str, str] = {}
    waiting = list(dict.fromkeys(names))
    for letters in range(1, _MOST_LETTERS):
        short = {name: fit_text(_initials(name, width, letters), width) for name in waiting}
        counts = Counter([*found.values(), *short.values()])
        found |= {name: label for name, label in short.items() if counts[label] == 1}
        waiting = [name for name in waiting if name not in found]
    # The words before the last may differ at their ends only
    short = {name: fit_text(_initials(name, 0, 1, last=2), width) for name in waiting}
    counts = Counter([*found.values(), *short.values()])
    found |= {name: label for name, label in short.items() if counts[label] == 1}
    waiting = [name for name in waiting if name not in found]
    return found | {name: fit_text(name, cell_len(name)) for name in waiting}


def _initials(name: str, width: int, letters: int, last: int = 1) -> str:
    """A path whose first components keep some letters and their number, as many as the width needs.

    last: number of components that stay whole.
    """
    parts = name.split(".")
    for position, part in enumerate(parts[:-last]):
        if cell_len(".".join(parts)) <= width:
            break
        stem = part.rstrip("0123456789")
        parts[position] = stem[:letters] + part[len(stem) :]
    return ".".join(parts)


def _shorten(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, (width - 1) // 2)
    start = len(text)
    while start > 0 and cell_len(text[start - 1 :]) <= width - 1 - cell_len(head):
        start -= 1
    return f"{head}…{text[start:]}"


def natural_width(rows: Sequence[Sequence[Text]], at_most: dict[int, int]) -> int:
    """The full width of the rows with short types, with the width of columns in `at_most` limited."""
    widths = _widths([[_with_short_types(cell) for cell in row] for row in rows])
    counted: list[int] = [min(width, at_most.get(column, width)) for column, width in enumerate(widths)]
    return sum(counted) + _NARROW_GAP * (len(widths) - 1)


def columns(
    rows: Sequence[Sequence[Text]], width: int, shrink: Sequence[tuple[int, int]], labelled: int | None = None
) -> list[Text]:
    """Rows of cells as aligned lines of at most `width`; the first row has the headings.

    Where they do not fit, types get short, as in torch.fx (`f32[8, 3]`), then lists of numbers and what follows a
    shape lose their end, then everything; a heading gets a second line at its underscore. shrink: (column, minimum
    width) in the order in which columns are shortened. labelled: a column of `label = value`, whose labels are
    shortened before values.
    """
    widths = _widths(rows)
    gaps = len(widths) - 1
    gap = _GAP if sum(widths) + _GAP * gaps <= width else _NARROW_GAP
    if sum(widths) + gap * gaps > width:
        rows = [[_with_short_types(cell) for cell in row] for row in rows]
        widths = _widths(rows)
    whole = [
        max([_heading_width(heading.plain), *(_least_width(cell.plain, column == labelled) for cell in cells)])
        for column, (heading, *cells) in enumerate(zip(*rows, strict=True))
    ]
    for leasts in (whole, [0] * len(widths)):
        excess = sum(widths) + gap * gaps - width
        for column, least in shrink:
            given = max(0, min(excess, widths[column] - max(least, leasts[column])))
            widths[column] -= given
            excess -= given
    if labelled is not None:
        cells = _with_short_labels([row[labelled] for row in rows], widths[labelled])
        rows = [[*row[:labelled], cell, *row[labelled + 1 :]] for row, cell in zip(rows, cells, strict=True)]
    return [_aligned(row, widths, gap) for row in (*_headings(rows[0], widths), *rows[1:])]


def _headings(cells: Sequence[Text], widths: Sequence[int]) -> list[Sequence[Text]]:
    """The headings in one line, or in two if one of them is too wide: `requires_` above `grad`."""
    pairs = zip(cells, widths, strict=True)
    ends = [cell.plain.find("_") + 1 if cell.cell_len > width else 0 for cell, width in pairs]
    if not any(ends):
        return [cells]
    above = [cell[:end] for cell, end in zip(cells, ends, strict=True)]
    return [above, [cell[end:] for cell, end in zip(cells, ends, strict=True)]]


def _widths(rows: Sequence[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]


_PATH = re.compile(r"\w+(\.\w+)+")
_LIST = re.compile(r"(^|\s)\[")
_SHAPE = re.compile(r"\w\[[\d, ]*\]")
_TYPE = re.compile(r"\b(b?f|u?i|c)(?:loat|nt|omplex)(\d+)(?=\[)")


def _needed(text: str) -> int:
    """The length of the part of a cell that says most: up to a list of elements, or to the end of a shape."""
    if (found := _LIST.search(text)) is not None:
        return found.start()
    shape = _SHAPE.search(text)
    return len(text) if shape is None else shape.end()


def _heading_width(heading: str) -> int:
    """The width of a heading in two lines."""
    end = heading.find("_") + 1
    return max(cell_len(heading[:end]), cell_len(heading[end:]))


def _least_width(text: str, is_labelled: bool) -> int:
    """The width of what says most in a cell."""
    label, equals, content = text.rpartition(_EQUALS) if is_labelled else ("", "", text)
    return min(cell_len(label), _SHORT_LABEL) + cell_len(equals + content[: _needed(content)])


def _with_short_labels(cells: Sequence[Text], width: int) -> list[Text]:
    """The cells of a column by `_with_short_label`, but different labels stay different."""
    short = [_with_short_label(cell, width) for cell in cells]
    whole: dict[str, set[str]] = defaultdict(set)
    for cell, fitted in zip(cells, short, strict=True):
        whole[_label(fitted)].add(_label(cell))
    return [fitted if len(whole[_label(fitted)]) == 1 else cell for cell, fitted in zip(cells, short, strict=True)]


def _label(cell: Text) -> str:
    return cell.plain.rpartition(_EQUALS)[0]


def _with_short_label(cell: Text, width: int) -> Text:
    """`hidden * w…ale = f32[5, 3]`: a cell that is too wide with a shorter label, if its value has room then."""
    label, equals, content = cell.plain.rpartition(_EQUALS)
    if cell.cell_len <= width or not equals:
        return cell
    for end, least in ((len(content), _SHORT_LABEL), (_needed(content), _LEAST_LABEL)):
        room = width - cell_len(equals + content[:end])
        if end and room >= min(cell_len(label), least):
            return Text.assemble(_short_label(label, room), cell[len(label) : len(label) + len(equals) + end])
    return Text.assemble(_short_label(label, _SHORT_LABEL), cell[len(label) :])


def _short_label(label: str, width: int) -> str:
    is_path = _PATH.fullmatch(label) is not None
    return _shorten(_initials(label, width, 1) if is_path else label, width)


def _without_norm(cell: Text, width: int) -> Text:
    """A cell that is too wide, only up to the shape of a tensor if that fits: half a number says another one."""
    shape = _SHAPE.search(cell.plain)
    is_before = shape is not None and shape.end() <= width and cell.plain.startswith(" norm ", shape.end())
    return cell[: shape.end()] if shape is not None and is_before else cell


def _with_short_types(cell: Text) -> Text:
    """`f32[8, 3]` for `float32[8, 3]`, as torch.fx writes it."""
    found, end = Text(), 0
    for match in _TYPE.finditer(cell.plain):
        found.append_text(cell[end : match.end(1)])
        end = match.start(2)
    return found.append_text(cell[end:]) if end else cell


def _aligned(row: Sequence[Text], widths: Sequence[int], gap: int) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=True):
        fitted = cell if cell.cell_len <= width else _without_norm(cell, width)
        fitted = fitted.copy()
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
