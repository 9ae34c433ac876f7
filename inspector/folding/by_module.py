"""Fold by module: each call of a child module becomes a box."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.folding.boxes import BoxKind, FoldedBox, Item
from inspector.folding.context import FoldingContext
from inspector.folding.module_paths import Part, Path
from inspector.graph.traversal import on_cycles, reach

MOST_CALLS = 6
"""Maximum number of calls that are distinguished without a recording; more are treated as a loop."""


def by_module(context: FoldingContext, positions: Sequence[int], path: Path) -> list[Item]:
    """The calls of modules directly below `path` as boxes, and the functions outside of them."""
    depth = len(path)
    below: dict[Part, list[int]] = {}
    items: list[Item] = []
    for item in context.items(positions):
        first = context.first(item) if isinstance(item, FoldedBox) else item
        own = context.paths[first]
        if len(own) > depth:
            below.setdefault(own[depth], []).append(first)
        else:
            items.append(item)
    for part, inside in below.items():
        items += _module(context, inside, (*path, part))
    return context.sorted(_by_call(context, items))


def _module(context: FoldingContext, inside: list[int], path: Path) -> list[Item]:
    """One call as a box; a single item, or leaves only, are returned without a box.

    If a module contains only another module, the box has the path of that one.
    """
    if len(inside) == 1 or all(context.is_leaf(position) for position in inside):
        return context.items(inside)
    kind: BoxKind = "call" if context.calls.passes(path) > 1 else "module"
    return [FoldedBox(kind, context.calls.label(path), context.common_path(inside), context.whole(inside))]


def _by_call(context: FoldingContext, items: list[Item]) -> list[Item]:
    """Replace modules called at several places, which therefore form cycles with others, by one box per call.

    Only needed where the calls were not recorded.
    """
    if not any(isinstance(item, FoldedBox) for item in items):  # functions alone never form a cycle
        return items
    result: list[Item] = []
    for item, is_on_cycle in zip(items, on_cycles(context.following(items)), strict=True):
        if is_on_cycle and isinstance(item, FoldedBox) and item.kind == "module":
            result += _calls(context, item)
        else:
            result.append(item)
    return result


def _calls(context: FoldingContext, box: FoldedBox) -> list[Item]:
    """The parts of a module that only shared leaves connect; the box itself if there is one part, or many."""
    parts = _separate(context, box)
    if not 1 < len(parts) <= MOST_CALLS:
        return [box]
    parts = [context.whole(part) for part in context.with_own_leaves(parts, box.positions)]
    parts = [part for part in parts if part]
    left = set(box.positions).difference(*parts)
    parts.sort(key=lambda part: min(context.turns[position] for position in part), reverse=True)
    calls: list[Item] = []
    for number, part in enumerate(parts, start=1):
        items = context.items(part)
        label = f"{box.label}, pass {number} of {len(parts)}"
        calls += items if len(items) == 1 else [FoldedBox("call", label, box.path, part)]
    return [*calls, *context.items(sorted(left))]


def _separate(context: FoldingContext, box: FoldedBox) -> list[list[int]]:
    """The functions of a box, without leaves, in parts that no edges connect."""
    left = {position for position in box.positions if not context.is_leaf(position)}
    parts: list[list[int]] = []
    for start in box.positions:
        if start in left:
            parts.append(sorted(reach([start], lambda here: left.intersection(context.beside(here)))))
            left.difference_update(parts[-1])
    return parts
