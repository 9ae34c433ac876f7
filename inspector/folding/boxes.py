"""The items of a folded graph: functions, and boxes that stand for several functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inspector.folding.module_paths import Path
from inspector.graph.topology import Topology

BoxKind = Literal["module", "call", "step", "equal", "line", "joined"]
"""module: an nn.Module; call: one of its calls; step: one iteration of a loop; equal: several equal parts;
line: the functions created by one line of code; joined: neighbours merged to save room."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldedBox:
    """A box that stands for several functions.

    label: its full name: `blocks.3`, `cell, step 2`. path: the innermost module that contains all its functions.
    positions: its functions, in walk order. repeats: the parts, if the box stands for equal parts.
    """

    kind: BoxKind
    label: str
    path: Path
    positions: Sequence[int]
    repeats: tuple[FoldedBox, ...] = ()


Item: TypeAlias = FoldedBox | int
"""A box, or the position of a function."""


def members(item: Item) -> Sequence[int]:
    """The positions of an item, in walk order."""
    return item.positions if isinstance(item, FoldedBox) else (item,)


def item_id(ids: Sequence[str], item: Item) -> str:
    """The id of an item: the id of its function, or `g:` and the id of its first member."""
    return f"g:{ids[item.positions[0]]}" if isinstance(item, FoldedBox) else ids[item]


def flattened(boxes: Sequence[FoldedBox]) -> list[int]:
    """The positions of several boxes, in walk order."""
    return sorted(position for box in boxes for position in box.positions)


def functions_of(items: Sequence[Item]) -> Iterator[tuple[int, int]]:
    """(position, index of its item) of every function in the items."""
    for index, item in enumerate(items):
        for position in members(item):
            yield position, index


def following_items(of: Topology, items: Sequence[Item]) -> list[list[int]]:
    """For each item, the indexes of the other items that it sends gradients to, each once."""
    owner = [-1] * len(of)
    for position, index in functions_of(items):
        owner[position] = index
    starts, targets = of.starts, of.targets
    found: list[list[int]] = []
    for index, item in enumerate(items):
        others: dict[int, None] = {}
        for position in members(item):
            for target in targets[starts[position] : starts[position + 1]]:
                if (other := owner[target]) != index and other >= 0:
                    others[other] = None
        found.append(list(others))
    return found
