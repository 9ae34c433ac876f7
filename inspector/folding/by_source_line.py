"""Fold by source line: the functions that one line outside of inner modules created become one box, such as
`loss = cross_entropy(…)`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.context import FoldingContext
from inspector.folding.module_paths import Path
from inspector.graph.node_names import without_backward
from inspector.graph.places import file_and_line
from inspector.graph.traversal import on_cycles, reach
from inspector.typography import one_line

MOST_OF_A_LINE = 12
"""Maximum number of functions in a box for a line; a line that created more ran in a loop, or contains one."""
LEAST_TIMES = 3
"""Minimum number of times that a line that calls a module ran: what is beside the module is not the expression."""

_Line = tuple[str, int, int]
"""File, line, and the backward call that ran in it and created the functions; 0 if none did."""
_TO = "\N{EN DASH}"


def by_source_line(context: FoldingContext, items: list[Item], path: Path = ()) -> list[Item]:
    """The items, with connected functions of one line as one box. path: the module that contains the items."""
    boxes = [_box(context, group, len(path)) for group in _groups(context, items, len(path))]
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
    lines: dict[int, _Line] = {}
    for item in items:
        line = None if isinstance(item, FoldedBox) else _line(context, item)
        if line is not None:
            lines[context.first(item)] = line
    groups: dict[_Line, list[list[int]]] = {}
    while lines:
        start, line = next(reversed(lines.items()))
        group = list(reach([start], partial(_of_line, context, lines, line)))
        groups.setdefault(line, []).extend(_iterations(context, dict.fromkeys(group, line)))
        for position in group:
            lines.pop(position, None)
    calling = context.calls.lines_below(depth)
    kept: list[list[int]] = []
    for line, found in groups.items():
        most = len(context) // 2 if line[-1] else MOST_OF_A_LINE
        several = [group for group in found if 1 < len(group) <= most]
        kept += several if line[-1] or line[:2] not in calling or len(several) >= LEAST_TIMES else []
    return kept


def _iterations(context: FoldingContext, group: dict[int, _Line]) -> list[list[int]]:
    """The functions of one line in the iterations of a loop, which hand a value on: `total = total + …`.

    group: connected functions, each with the line. Few functions are of one iteration.
    """
    if len(group) <= MOST_OF_A_LINE or next(iter(group.values()))[-1]:
        return [sorted(group)]
    parts: list[list[int]] = []
    left = dict(group)
    while left:
        start, line = left.popitem()
        part = list(reach([start], partial(_of_iteration, context, group, line)))
        parts.append(sorted(part))
        for position in part:
            left.pop(position, None)
    return parts if len(parts) >= LEAST_TIMES else [sorted(group)]


def _of_line(context: FoldingContext, lines: dict[int, _Line], line: _Line, position: int) -> list[int]:
    """The neighbours of a function that are of this line."""
    return [other for other in context.beside(position) if lines.get(other) == line]


def _of_iteration(context: FoldingContext, lines: dict[int, _Line], line: _Line, position: int) -> list[int]:
    """The neighbours of a function that are of this line and do something else."""
    near = _of_line(context, lines, line, position)
    return [other for other in near if context.name(other) != context.name(position)]


def _line(context: FoldingContext, position: int) -> _Line | None:
    place = file_and_line(context.source(position))
    return None if place is None else (*place, context.made_in(position) or 0)


def _box(context: FoldingContext, group: list[int], depth: int) -> FoldedBox:
    leaves = dict.fromkeys(target for position in group for target in context.topology.following(position))
    inside = context.with_own_leaves([group], list(leaves))[0]
    return FoldedBox("line", _label(context, group, depth), context.common_path(group), inside)


def _label(context: FoldingContext, group: list[int], depth: int) -> str:
    """The code of a line, after the number of the backward call that created the functions, if one did; for a line
    that calls a module, its number and the functions beside that module."""
    source = context.source(group[0])
    assert source is not None and "code" in source
    if (call := context.made_in(group[0])) is not None:
        return f"call {call}: {one_line(source['code']).removeprefix('return ')}"
    if file_and_line(source) not in context.calls.lines_below(depth):
        return one_line(source["code"])
    ordered = sorted(group, key=context.turns.__getitem__)
    ends = [without_backward(context.name(position)) for position in (ordered[0], ordered[-1])]
    return f"line {source['line']}: {_TO.join(ends)}"
