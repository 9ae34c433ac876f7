"""Fold by source line: the functions that one line outside of inner modules created become one box, such as
`loss = cross_entropy(…)`."""

from __future__ import annotations

from typing import Any

import numpy

from inspector.folding.boxes import Contents, FoldedBox, column_of, stored, together
from inspector.folding.columns import Line, numbered, present, translated
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path
from inspector.graph.node_names import without_backward
from inspector.typography import one_line

MOST_OF_A_LINE = 12
"""Maximum number of functions in a box for a line; a line that created more ran in a loop, or contains one."""
LEAST_TIMES = 3
"""Minimum number of times that a line that calls a module ran: what is beside the module is not the expression."""
_TO = "\N{EN DASH}"


def by_source_line(context: FoldingContext, contents: Contents, path: Path = ()) -> Contents:
    """The contents, with connected functions of one line as one box. path: the module that contains them."""
    made = [_box(context, group, len(path)) for group in _groups(context, contents.functions, len(path))]
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
    """Groups of connected functions of the same line, as arrays. Those that a backward call created while the line
    ran are a group of their own."""
    columns = context.columns
    kinds = columns.kinds[functions]
    numbers: dict[Line | None, int] = {None: 0}
    own = present(kinds)
    lines = translated(kinds, own, [numbers.setdefault(columns.lines[kind], len(numbers)) for kind in own])
    functions, lines = functions[lines > 0], lines[lines > 0]
    if not len(functions):
        return []
    calls = columns.made_in[functions]
    sources, targets = _edges_between(context, functions)
    same = (lines[sources] == lines[targets]) & (calls[sources] == calls[targets])
    names = numbered(columns.names)[columns.kinds[functions]]
    groups = _in_iterations(sources[same], targets[same], names, calls > 0)
    sizes = numpy.bincount(groups, minlength=len(functions))
    is_group = (sizes > 1) & (sizes <= numpy.where(calls > 0, len(context) // 2, MOST_OF_A_LINE))
    calling = context.lines_below(depth)
    is_calling = numpy.array([line in calling for line in numbers])[lines] & (calls == 0)
    times = numpy.bincount(lines[is_group & is_calling], minlength=len(numbers))
    is_group &= ~is_calling | (times[lines] >= LEAST_TIMES)
    inside, known = is_group[groups], numpy.flatnonzero(is_group)
    return list(GraphParts.of(functions[inside], numpy.searchsorted(known, groups[inside]), len(known)))


def _edges_between(context: FoldingContext, functions: Any) -> tuple[Any, Any]:
    """The edges between these functions, as indexes of their sources and targets."""
    index = numpy.full(len(context), -1, numpy.int32)
    index[functions] = numpy.arange(len(functions), dtype=numpy.int32)
    counts, edges = context.columns.leaving.of(functions)
    targets = index[context.columns.leaving.others[edges]]
    sources = numpy.repeat(numpy.arange(len(functions), dtype=numpy.int32), counts)
    return sources[targets >= 0], targets[targets >= 0]


def _in_iterations(sources: Any, targets: Any, names: Any, in_call: Any) -> Any:
    """The group of each function, as the lowest index in it: connected functions.

    A large group is divided into the iterations of a loop, which hand a value on: `total = total + …`. Each is
    connected by functions of different names. in_call: whether a backward call created each function.
    """
    groups = _connected(sources, targets, len(names))
    is_large = (numpy.bincount(groups, minlength=len(names)) > MOST_OF_A_LINE) & ~in_call
    if not is_large.any():
        return groups
    within = is_large[groups[sources]] & (names[sources] != names[targets])
    parts = _connected(sources[within], targets[within], len(names))
    counts = numpy.bincount(groups[parts == numpy.arange(len(names))], minlength=len(names))
    return numpy.where((is_large & (counts >= LEAST_TIMES))[groups], parts, groups)


def _connected(sources: Any, targets: Any, count: int) -> Any:
    """The lowest index that is connected with each of `count` ones. sources, targets: the edges."""
    lowest = numpy.arange(count, dtype=numpy.int32)
    while len(sources):
        numpy.minimum.at(lowest, numpy.maximum(sources, targets), numpy.minimum(sources, targets))
        while ((nearer := lowest[lowest]) != lowest).any():
            lowest = nearer
        sources, targets = lowest[sources], lowest[targets]
        apart = sources != targets
        sources, targets = sources[apart], targets[apart]
    return lowest


def _box(context: FoldingContext, group: Any, depth: int) -> FoldedBox:
    _, edges = context.columns.leaving.of(group)
    leaves = numpy.unique(context.columns.leaving.others[edges])
    own = context.with_own_leaves(GraphParts(group, numpy.array([0, len(group)])), leaves)
    return FoldedBox("line", _label(context, group, depth), context.common_path(group), stored(own.flat))


def _label(context: FoldingContext, group: Any, depth: int) -> str:
    """The code of a line, after the number of the backward call that created the functions, if one did; for a line
    that calls a module, its number and the functions beside that module."""
    first = int(group[0])
    source = context.topology.functions.sources[first]
    assert source is not None and "code" in source
    if call := int(context.columns.made_in[first]):
        return f"call {call}: {one_line(source['code']).removeprefix('return ')}"
    if context.line(first) not in context.lines_below(depth):
        return one_line(source["code"])
    turns = context.columns.turns[group]
    ends = [without_backward(context.name(int(group[at]))) for at in (turns.argmin(), turns.argmax())]
    return f"line {source['line']}: {_TO.join(ends)}"
