"""Fold by source line: the functions that one line outside of inner modules created become one box, such as
`loss = cross_entropy(…)`."""

from __future__ import annotations

from typing import Any

import numpy

from inspector.folding.boxes import Contents, FoldedBox, column_of, stored, together
from inspector.folding.columns import Line, present, translated
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path

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


def _groups(context: FoldingContext, functions: Any, depth: int) -> list[Any]:
    """Groups of connected functions of the same line, as arrays."""
    columns = context.columns
    kinds = columns.kinds[functions]
    of_kinds = {kind: columns.lines[kind] for kind in present(kinds)}
    ignored = context.lines_below(depth) if any(of_kinds.values()) else set()
    numbers: dict[Line | None, int] = dict.fromkeys((None, *ignored), -1)
    lines = [numbers.setdefault(line, len(numbers)) for line in of_kinds.values()]
    if max(lines, default=-1) < 0:
        return []
    of_functions = translated(kinds, list(of_kinds), lines)
    chosen = functions[of_functions >= 0]
    return list(_connected(context, chosen, of_functions[of_functions >= 0]))


def _connected(context: FoldingContext, functions: Any, lines: Any) -> GraphParts:
    """The groups of connected functions of one line that are not too large. lines: a number for each function.

    Each takes the lowest index of its neighbours until nothing changes. In a group that is not too large, this is
    soon; a group in which neighbours then differ is larger.
    """
    index = numpy.full(len(context), -1, numpy.int32)
    index[functions] = numpy.arange(len(functions), dtype=numpy.int32)
    counts, edges = context.columns.leaving.of(functions)
    sources = numpy.repeat(numpy.arange(len(functions), dtype=numpy.int32), counts)
    targets = index[context.columns.leaving.others[edges]]
    same = (targets >= 0) & (lines[sources] == lines[targets])
    sources, targets = sources[same], targets[same]
    lowest = numpy.arange(len(functions), dtype=numpy.int32)
    for _ in range(MOST_OF_A_LINE):
        apart = lowest[sources] != lowest[targets]
        if not apart.any():
            break
        least = numpy.minimum(lowest[sources], lowest[targets])
        numpy.minimum.at(lowest, sources, least)
        numpy.minimum.at(lowest, targets, least)
    sizes = numpy.bincount(lowest, minlength=len(functions))
    is_group = (sizes > 1) & (sizes <= MOST_OF_A_LINE)
    apart = lowest[sources] != lowest[targets]
    is_group[lowest[sources[apart]]] = is_group[lowest[targets[apart]]] = False
    inside = is_group[lowest]
    known = numpy.flatnonzero(is_group)
    return GraphParts.of(functions[inside], numpy.searchsorted(known, lowest[inside]), len(known))


def _box(context: FoldingContext, group: Any) -> FoldedBox:
    source = context.topology.functions.sources[int(group[0])]
    assert source is not None and "code" in source
    code = " ".join(source["code"].split())
    _, edges = context.columns.leaving.of(group)
    leaves = numpy.unique(context.columns.leaving.others[edges])
    own = context.with_own_leaves(GraphParts(group, numpy.array([0, len(group)])), leaves)
    return FoldedBox("line", code, context.common_path(group), stored(own.flat))
