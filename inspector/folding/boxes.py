"""The items of a folded graph: functions, and boxes that stand for several functions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy
from msgspec import Struct

from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path

BoxKind = Literal["module", "call", "step", "equal", "line", "joined"]
"""module: an nn.Module; call: one of its calls; step: one iteration of a loop; equal: several equal parts;
line: the functions created by one line of code; joined: neighbours merged to save room."""


class FoldedBox(Struct, frozen=True, eq=False):
    """A box that stands for several functions.

    label: its full name: `blocks.3`, `cell, step 2`. path: the innermost module that contains all its functions.
    positions: its functions, in walk order. repeats: the parts, if the box stands for equal parts.
    """

    kind: BoxKind
    label: str
    path: Path
    positions: Sequence[int]
    repeats: Sequence[FoldedBox] = ()


Item: TypeAlias = FoldedBox | int
"""A box, or the position of a function."""


class Contents(Struct, frozen=True, eq=False):
    """What a box, or the whole graph, holds: boxes, and functions outside of them.

    functions: their positions in walk order, an array, since there may be a million.
    """

    boxes: Sequence[FoldedBox]
    functions: Any

    def __len__(self) -> int:
        return len(self.boxes) + len(self.functions)

    def items(self) -> list[Item]:
        """The boxes and functions in walk order."""
        return in_walk_order([*self.boxes, *self.functions.tolist()])

    def column(self) -> tuple[Any, Any]:
        """As `column_of`, the boxes first."""
        flat, owners = column_of(self.boxes)
        return (
            numpy.concatenate((flat, self.functions)),
            numpy.concatenate((owners, numpy.arange(len(self.boxes), len(self), dtype=numpy.int32))),
        )


class LateParts(Sequence[FoldedBox]):
    """Equal parts of which each is made when it is asked for: a loop may have a million iterations.

    parts: their functions. make: returns one of them.
    """

    def __init__(self, parts: GraphParts, make: Callable[[int], FoldedBox]) -> None:
        self.parts, self._make, self._made = parts, make, dict[int, FoldedBox]()

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> FoldedBox: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FoldedBox]: ...

    def __getitem__(self, index: int | slice) -> FoldedBox | Sequence[FoldedBox]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return LateParts(self.parts.some(numpy.array(numbers)), lambda number: self[numbers[number]])
        if numbers not in self._made:
            self._made[numbers] = self._make(numbers)
        return self._made[numbers]


def members(item: Item) -> Sequence[int]:
    """The positions of an item, in walk order."""
    return item.positions if isinstance(item, FoldedBox) else (item,)


def item_id(ids: Sequence[str], item: Item) -> str:
    """The id of an item: the id of its function, or `g:` and the id of its first member."""
    return f"g:{ids[item.positions[0]]}" if isinstance(item, FoldedBox) else ids[item]


def in_walk_order(items: Sequence[Item]) -> list[Item]:
    """Items, sorted by their first function."""
    if any(isinstance(item, FoldedBox) for item in items):
        return sorted(items, key=lambda item: item.positions[0] if isinstance(item, FoldedBox) else item)
    return sorted(items)  # type: ignore[type-var]


def together(boxes: Sequence[FoldedBox], functions: Sequence[Any]) -> Contents:
    """Contents of these boxes and functions, both in any order. functions: several arrays."""
    filled = [column for column in functions if len(column)]
    column = numpy.sort(numpy.concatenate(filled)) if len(filled) > 1 else [*filled, functions[0]][0]
    return Contents(sorted(boxes, key=lambda box: box.positions[0]), column)


def as_column(positions: Sequence[int]) -> Any:
    """Positions as an array of numpy, which shares the memory of stored ones."""
    if isinstance(positions, range):
        return numpy.arange(positions.start, positions.stop, positions.step, dtype=numpy.int32)
    return numpy.asarray(positions, numpy.int32)


def stored(column: Any) -> array[int]:
    """Positions as a box holds them: a sequence of plain integers. column: an array of numpy."""
    return array("i", column.astype(numpy.int32).tobytes())


def column_of(items: Sequence[Item]) -> tuple[Any, Any]:
    """The functions of items, one item after the other, and the index of the item of each, as arrays."""
    if isinstance(items, LateParts):
        return items.parts.flat, items.parts.owners
    if not any(isinstance(item, FoldedBox) for item in items):
        return as_column(items), numpy.arange(len(items), dtype=numpy.int32)  # type: ignore[arg-type]
    inside = [members(item) for item in items]
    flat = numpy.concatenate([as_column(positions) for positions in inside])
    counts = [len(positions) for positions in inside]
    return flat, numpy.repeat(numpy.arange(len(items), dtype=numpy.int32), counts)
