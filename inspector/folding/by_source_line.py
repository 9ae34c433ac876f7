"""Fold by source line: the functions that one line outside of inner modules created become one box, such as
`loss = cross_entropy(…)`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.context import FoldingContext
from inspector.folding.module_paths import Path
from inspector.graph.places import file_and_line
from inspector.graph.traversal import on_cycles, reach

MOST_OF_A_LINE = 12
"""Maximum number of functions in a box for a line; a line that created more contains a loop."""

_Line = tuple[str, int]


def by_source_line(context: FoldingContext, items: list[Item], path: Path = ()) -> list[Item]:
    """The items, with connected functions of one line as one box. path: the module that contains the items."""
    boxes = [_box(context, group) for group in _groups(context, items, len(path))]
    if not boxes:
        return context.sorted(items)
    inside = {position for box in boxes for position in box.positions}
    others = [item for item in items if members(item)[0] not in inside]
    candidates: list[Item] = [*others, *boxes]
    circular = on_cycles(context.following(candidates))[len(others) :]
    for box, is_on_cycle in zip(boxes, circular, strict=True):
        others += context.items(box.positions) if is_on_cycle else [box]
    return context.sorted(others)


def _groups(context: FoldingContext, items: Sequence[Item], depth: int) -> list[list[int]]:
    """Groups of connected functions of the same line."""
    ignored = context.calls.lines_below(depth)
    lines: dict[int, _Line] = {}
    for item in items:
        line = None if isinstance(item, FoldedBox) else _line(context, item)
        if line is not None and line not in ignored:
            lines[context.first(item)] = line
    groups = []
    while lines:
        start, line = lines.popitem()
        group = sorted(reach([start], partial(_of_line, context, lines, line)))
        for position in group:
            lines.pop(position, None)
        if 1 < len(group) <= MOST_OF_A_LINE:
            groups.append(group)
    return groups


def _of_line(context: FoldingContext, lines: dict[int, _Line], line: _Line, position: int) -> list[int]:
    """The neighbours of a function that are of this line."""
    return [other for other in context.beside(position) if lines.get(other) == line]


def _line(context: FoldingContext, position: int) -> _Line | None:
    return file_and_line(context.source(position))


def _box(context: FoldingContext, group: list[int]) -> FoldedBox:
    source = context.source(group[0])
    assert source is not None and "code" in source
    code = " ".join(source["code"].split())
    leaves = dict.fromkeys(target for position in group for target in context.topology.following(position))
    return FoldedBox("line", code, context.common_path(group), context.with_own_leaves([group], list(leaves))[0])
