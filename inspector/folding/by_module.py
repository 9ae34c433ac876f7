"""Fold by module: each call of a child module becomes a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from inspector.folding.boxes import BoxKind, Contents, FoldedBox, Item, as_column, stored, together
from inspector.folding.columns import present, translated
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Part, Path
from inspector.graph.traversal import reach

MOST_CALLS = 6
"""Maximum number of calls that are distinguished without a recording; more are treated as a loop."""


def by_module(context: FoldingContext, positions: Sequence[int], path: Path) -> Contents:
    """The calls of modules directly below `path` as boxes, and the functions outside of them."""
    below, outside = _below(context, context.alone(positions), len(path))
    found = [_module(context, inside, (*path, part)) for part, inside in below]
    alone = context.contents(outside)
    functions = [alone.functions, *(inside.functions for inside in found)]
    boxes = [*alone.boxes, *(box for inside in found for box in inside.boxes)]
    return _by_call(context, together(boxes, functions))


def _below(context: FoldingContext, positions: Any, depth: int) -> tuple[list[tuple[Part, Any]], Any]:
    """(call below this depth, its functions), and the functions outside of any. positions: an array."""
    known = context.calls.known
    numbers, parts = context.calls.numbers[positions], dict[Part, int]()
    paths = present(numbers)
    of_paths = [
        parts.setdefault(path[depth], len(parts)) if len(path := known[number]) > depth else -1
        for number in paths
    ]
    if not parts:
        return [], positions
    owners = translated(numbers, paths, of_paths)
    inside = owners >= 0
    groups = GraphParts.of(positions[inside], owners[inside], len(parts))
    return list(zip(parts, groups, strict=True)), positions[~inside]


def _module(context: FoldingContext, inside: Any, path: Path) -> Contents:
    """One call as a box; a single item, or leaves only, are returned without a box.

    If a module contains only another module, the box has the path of that one.
    """
    if len(inside) == 1 or context.columns.is_leaf[inside].all():
        return context.contents(inside)
    kind: BoxKind = "call" if context.calls.passes(path) > 1 else "module"
    label, inner = context.calls.label(path), context.common_path(inside)
    return Contents([FoldedBox(kind, label, inner, stored(context.whole(inside)))], inside[:0])


def _by_call(context: FoldingContext, contents: Contents) -> Contents:
    """Replace modules called at several places, which therefore form cycles with others, by one box per call.

    Only needed where the calls were not recorded.
    """
    boxes: list[FoldedBox] = []
    functions = [contents.functions]
    for box, is_on_cycle in zip(contents.boxes, context.on_cycles(contents), strict=True):
        is_split = is_on_cycle and box.kind == "module"
        inside = _calls(context, box) if is_split else Contents([box], contents.functions[:0])
        boxes += inside.boxes
        functions.append(inside.functions)
    return together(boxes, functions)


def _calls(context: FoldingContext, box: FoldedBox) -> Contents:
    """The parts of a module that only shared leaves connect; the box itself if there is one part, or many."""
    separate, positions = _separate(context, box), as_column(box.positions)
    if not 1 < len(separate) <= MOST_CALLS:
        return Contents([box], positions[:0])
    flat = [position for part in separate for position in part]
    owners = [index for index, part in enumerate(separate) for _ in part]
    own = context.with_own_leaves(GraphParts.of(as_column(flat), as_column(owners), len(separate)), positions)
    parts = list(context.whole_parts(own))
    parts.sort(key=lambda part: context.columns.turns[part].min(), reverse=True)
    calls: list[Item] = []
    for number, part in enumerate(parts, start=1):
        items = context.items(part)
        label = f"{box.label}, pass {number} of {len(parts)}"
        calls += items if len(items) == 1 else [FoldedBox("call", label, box.path, stored(part))]
    calls += context.items(stored(numpy.setdiff1d(positions, numpy.concatenate(parts))))
    functions = [item for item in calls if not isinstance(item, FoldedBox)]
    return Contents([item for item in calls if isinstance(item, FoldedBox)], as_column(sorted(functions)))


def _separate(context: FoldingContext, box: FoldedBox) -> list[list[int]]:
    """The functions of a box, without leaves, in parts that no edges connect."""
    left = {position for position in box.positions if not context.is_leaf(position)}
    parts: list[list[int]] = []
    for start in box.positions:
        if start in left:
            parts.append(sorted(reach([start], lambda here: left.intersection(context.beside(here)))))
            left.difference_update(parts[-1])
    return parts
