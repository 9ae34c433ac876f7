"""Fold without structure: cut the order in which the forward ran into parts, where few tensors pass.

GraphParts that follow each other in a topological order never form a cycle, and cutting takes linear time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy

from inspector.folding.boxes import FoldedBox, Item, as_column, column_of, in_walk_order, members, stored
from inspector.folding.by_merging_neighbours import label_of_parts
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts

_TO = "\N{EN DASH}"
_LONGEST_PART = 1.5
"""Maximum length of a part, as a multiple of the mean; the minimum is the mean less the same difference."""


def join_in_order(context: FoldingContext, items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items, leaves not counted: a part becomes one box, together with the leaves of its own."""
    leaves = [item for item in items if context.is_leaf(item)]
    order = sorted((item for item in items if not context.is_leaf(item)), key=context.turn)
    crossing = _crossing(context, order)
    places = [_place(context, item) for item in order]
    parts = [order[start:end] for start, end in _cuts(crossing, places, most)]
    labels = _labels(context, parts)
    flat, owners = column_of(order)
    part_of = numpy.repeat(numpy.arange(len(parts)), list(map(len, parts)))
    positions = context.with_own_leaves(
        GraphParts.of(flat, part_of[owners], len(parts)), as_column([members(leaf)[0] for leaf in leaves])
    )
    joined = [
        part[0] if len(part) == 1 else FoldedBox("joined", label, context.common_path(own), stored(own))
        for part, label, own in zip(parts, labels, positions, strict=True)
    ]
    inside = {position for item in joined for position in members(item)}
    return in_walk_order([*joined, *(leaf for leaf in leaves if members(leaf)[0] not in inside)])


def _crossing(context: FoldingContext, order: Sequence[Item]) -> list[int]:
    """For each item, the number of items up to it that send gradients beyond it."""
    opened = [0] * (len(order) + 1)
    for index, others in enumerate(context.following(order)):
        if others:
            opened[index] += 1
            opened[max(index, *others)] -= 1
    return list(accumulate(opened[:-1]))


def _cuts(
    crossing: Sequence[int], places: Sequence[tuple[str, int] | None], most: int
) -> Iterator[tuple[int, int]]:
    """Start and end of each part. Between two lines it is cut sooner than within one, and where less crosses."""
    start, count = 0, len(crossing)
    while start < count:
        mean = (count - start) / max(most, 1)
        least, largest = int(mean * (2 - _LONGEST_PART)) or 1, int(mean * _LONGEST_PART) or 1
        ends = range(start + max(least, 1), min(start + max(largest, 1), count) + 1)
        end = count if most <= 1 or not ends else min(
            ends,
            key=lambda end: (
                end < count and places[end - 1] == places[end],
                crossing[end - 1],
                abs(end - start - mean),
            ),
        )
        yield start, end
        start, most = end, most - 1


def _place(context: FoldingContext, item: Item) -> tuple[str, int] | None:
    return context.line(context.first(item))


def _labels(context: FoldingContext, parts: Sequence[Sequence[Item]]) -> list[str]:
    """`lines 12` to `18`; where the lines are unknown or the same as of another part, what a part begins and ends
    with."""
    lines = [_lines(context, part) for part in parts]
    times = Counter(lines)
    return [
        line if line and times[line] == 1 else label_of_parts(context, part)
        for part, line in zip(parts, lines, strict=True)
    ]


def _lines(context: FoldingContext, part: Sequence[Item]) -> str:
    """The lines of a part without modules, if all are in one file."""
    places = [_place(context, item) for item in part]
    if any(isinstance(item, FoldedBox) and item.kind != "line" for item in part) or None in places:
        return ""
    files = {place[0] for place in places if place is not None}
    numbers = sorted({place[1] for place in places if place is not None})
    if len(files) != 1:
        return ""
    return f"line {numbers[0]}" if len(numbers) == 1 else f"lines {numbers[0]}{_TO}{numbers[-1]}"
