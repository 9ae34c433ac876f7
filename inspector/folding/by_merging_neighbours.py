"""Fold without modules: merge neighbours until the graph has few enough boxes for a picture.

Two items may merge if one sends all its gradients to the other, or gets all of them from it, since this cannot
create a cycle. Functions first join their modules, then the smallest parts merge, so that all boxes are of similar
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy

from inspector.folding.boxes import Contents, FoldedBox, Item, as_column, members, stored, together
from inspector.folding.by_module import by_module
from inspector.folding.by_source_line import by_source_line
from inspector.folding.context import FoldingContext
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of
from inspector.folding.graph_parts import GraphParts
from inspector.graph import Graph
from inspector.graph.node_names import without_backward
from inspector.graph.traversal import strong_components
from inspector.typography import pluralize
from inspector.util.gc_pause import gc_paused

_MODULE, _FUNCTION = 2, 1
"""Weights of the items of a part; the parts with the smallest weights merge first."""
_LONGEST = 16
"""Maximum number of characters of a line of code in a name."""
_TO = "\N{HORIZONTAL ELLIPSIS}"

_Part = list[Item]


def merge_neighbours(graph: Graph, most: int) -> Graph:
    """The Graph as at most `most` boxes and functions, leaves not counted.

    Boxes of earlier views stay closed.
    """
    whole = whole_of(graph)
    with gc_paused():
        context = FoldingContext(whole, [item for item in items_of(graph) if isinstance(item, FoldedBox)])
        items = by_source_line(context, _opened(context, by_module(context, range(len(context)), ()))).items()
        leaves = [item for item in items if context.is_leaf(item)]
        parts = _joined(context, [item for item in items if not context.is_leaf(item)], most)
        boxes = [_box(context, part, leaves) for part in parts]
        inside = {position for box in boxes for position in members(box)}
        shown = [*boxes, *(leaf for leaf in leaves if members(leaf)[0] not in inside)]
        return make_folded_graph(whole, shown, _note(context, boxes))


def _opened(context: FoldingContext, contents: Contents) -> Contents:
    """The contents, after opening modules that are in a cycle and contain others: a list called alternately."""
    boxes, functions = list[FoldedBox](), [contents.functions]
    for box, is_on_cycle in zip(contents.boxes, context.on_cycles(contents), strict=True):
        inner = Contents([box], contents.functions[:0])
        if box.kind == "module" and is_on_cycle:
            opened = by_module(context, box.positions, box.path)
            inner = opened if len(opened) > 1 else inner
        boxes += inner.boxes
        functions.append(inner.functions)
    result = together(boxes, functions)
    return _opened(context, result) if len(result) > len(contents) else contents


def _joined(context: FoldingContext, items: Sequence[Item], most: int) -> list[_Part]:
    circles = strong_components(context.following(items))
    order = sorted(range(len(items)), key=lambda index: circles[index])
    parts = [[items[index] for index in group] for _, group in groupby(order, key=lambda index: circles[index])]
    following: dict[int, set[int]] = {number: set() for number in range(len(parts))}
    for index, others in enumerate(context.following(items)):  # the number of a component is its index
        following[circles[index]] |= {circles[other] for other in others} - {circles[index]}
    weights = {number: sum(map(_weight, part)) for number, part in enumerate(parts)}
    while len(following) > max(most, 1) and (pair := _pair(following, weights)):
        kept, gone = pair
        parts[kept] += parts[gone]
        weights[kept] += weights.pop(gone)
        following[kept] = (following[kept] | following.pop(gone)) - {kept, gone}
        for targets in following.values():
            if gone in targets:
                targets.remove(gone)
                targets.add(kept)
        following[kept].discard(kept)
    return [parts[number] for number in following]


def _weight(item: Item) -> int:
    return _MODULE if isinstance(item, FoldedBox) else _FUNCTION


def _pair(following: dict[int, set[int]], weights: dict[int, int]) -> tuple[int, int] | None:
    """The two neighbours with the smallest total weight that can merge without creating a cycle; None if none can.
    """
    arriving: dict[int, int] = dict.fromkeys(following, 0)
    for targets in following.values():
        for target in targets:
            arriving[target] += 1
    pairs = (
        (weights[source] + weights[target], weights[source], source, target)
        for source, targets in following.items()
        for target in targets
        if len(targets) == 1 or arriving[target] == 1
    )
    best = min(pairs, default=None)
    return best and best[2:]


def _box(context: FoldingContext, part: _Part, leaves: Sequence[Item]) -> Item:
    if len(part) == 1:
        return part[0]
    positions = [position for item in part for position in members(item)]
    column = numpy.sort(as_column(positions))
    firsts = as_column([members(leaf)[0] for leaf in leaves])
    own = context.with_own_leaves(GraphParts(column, numpy.array([0, len(column)])), firsts).flat
    return FoldedBox("joined", label_of_parts(context, part), context.common_path(own), stored(own))


def label_of_parts(context: FoldingContext, part: Sequence[Item]) -> str:
    """`fc1, Relu`, or `fc1 … fc3`: the first and the last module in the order of the forward."""
    ran = sorted(part, key=context.turn, reverse=True)
    modules = [item for item in ran if isinstance(item, FoldedBox) and item.kind != "line"]
    names = [_name(context, item) for item in (modules if modules and len(ran) > 2 else ran)]
    if len(names) > 1:
        return f"{names[0]} {_TO} {names[-1]}" if len(ran) > 2 else ", ".join(names)
    return f"{names[0]}, {_TO}"


def _name(context: FoldingContext, item: Item) -> str:
    """The name of a module or function; for a line, the variable it assigns, or its first characters."""
    if not isinstance(item, FoldedBox):
        return without_backward(context.name(item))
    if item.kind != "line":
        return item.label
    target, _, value = item.label.partition(" = ")
    if value and target.isidentifier():
        return target
    return item.label if len(item.label) <= _LONGEST else f"{item.label[:_LONGEST].rstrip()}{_TO}"


def _note(context: FoldingContext, items: Sequence[Item]) -> str:
    boxes = [item for item in items if isinstance(item, FoldedBox)]
    inside = sum(len(box.positions) for box in boxes)
    where = pluralize(len(boxes), "box", "boxes")
    return (
        f"{pluralize(len(context), 'Node')}, {inside:,} of them in {where} of neighbours; --depth full opens all"
    )
