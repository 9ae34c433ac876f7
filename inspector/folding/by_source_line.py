"""Fold by source line: the functions that one line outside of inner modules created become one box, such as
`loss = cross_entropy(…)`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy

from inspector.folding.boxes import Contents, FoldedBox, as_column, column_of, stored, together
from inspector.folding.columns import Line, present
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path
from inspector.graph.traversal import reach

MOST_OF_A_LINE = 12
"""Maximum number of functions in a box for a line; a line that created more contains a loop."""


def by_source_line(context: FoldingContext, contents: Contents, path: Path = ()) -> Contents:
    """The contents, with connected functions of one line as one box. path: the module that contains them."""
    made = [_box(context, group) for group in _groups(context, contents.functions, len(path))]
    if not made:
        return contents
    others = context.without(contents.functions, column_of(made)[0])
    circular = context.on_cycles(Contents([*made, *contents.boxes], others))[: len(made)]
    boxes, functions = [*contents.boxes], [others]
    for box, is_on_cycle in zip(made, circular, strict=True):
        alone = context.contents(box.positions) if is_on_cycle else Contents([box], others[:0])
        boxes += alone.boxes
        functions.append(alone.functions)
    return together(boxes, functions)


def _groups(context: FoldingContext, functions: Any, depth: int) -> list[list[int]]:
    """Groups of connected functions of the same line."""
    kinds = context.columns.kinds[functions]
    of_kinds = {kind: context.columns.lines[kind] for kind in present(kinds)}
    ignored = context.lines_below(depth) if any(of_kinds.values()) else set()
    if not {*of_kinds.values()} - {None, *ignored}:
        return []
    lines = dict(zip(functions.tolist(), map(of_kinds.__getitem__, kinds.tolist()), strict=True))
    lines = {at: line for at, line in lines.items() if line is not None and line not in ignored}
    groups = []
    while lines:
        start, line = lines.popitem()
        group = sorted(reach([start], partial(_of_line, context, lines, line)))
        for position in group:
            lines.pop(position, None)
        if 1 < len(group) <= MOST_OF_A_LINE:
            groups.append(group)
    return groups


def _of_line(
    context: FoldingContext, lines: dict[int, Line | None], line: Line | None, position: int
) -> list[int]:
    """The neighbours of a function that are of this line."""
    return [other for other in context.beside(position) if lines.get(other) == line]


def _box(context: FoldingContext, group: list[int]) -> FoldedBox:
    source = context.topology.functions.sources[group[0]]
    assert source is not None and "code" in source
    code = " ".join(source["code"].split())
    leaves = dict.fromkeys(target for position in group for target in context.topology.following(position))
    part = GraphParts(as_column(group), numpy.array([0, len(group)]))
    own = context.with_own_leaves(part, as_column(list(leaves)))
    return FoldedBox("line", code, context.common_path(group), stored(own.flat))
