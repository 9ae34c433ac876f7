"""Context for folding one Graph: positions of functions, connections, and boxes that stay closed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from inspector.folding.boxes import Contents, FoldedBox, Item, as_column, column_of
from inspector.folding.columns import Columns, Line, present
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path, common
from inspector.graph import Graph
from inspector.graph.topology import topology_of
from inspector.graph.traversal import on_cycles


class FoldingContext:
    """Columns of one Graph, and the boxes that earlier views made of it.

    topology: the index of the Graph. columns: what is asked of all functions. calls: the calls of modules.
    """

    def __init__(self, graph: Graph, atoms: Sequence[FoldedBox] = ()) -> None:
        self.topology = topology_of(graph)
        self.columns = Columns(self.topology)
        self.calls = self.columns.calls
        self._lines_below: dict[int, set[Line | None]] = {}
        self._atoms = {self.first(atom): atom for atom in atoms}
        self._swallowed = self.without(column_of(list(atoms))[0], as_column(list(self._atoms)))

    def __len__(self) -> int:
        return len(self.topology)

    # ---- functions and items ------------------------------------------------------------------------------

    def name(self, position: int) -> str:
        """The name of a function."""
        return self.topology.functions.names[position]

    def line(self, position: int) -> Line | None:
        """The line that made a function; None if it is unknown."""
        return self.columns.line(position)

    def is_leaf(self, item: Item) -> bool:
        """Whether an item is an AccumulateGrad."""
        return not isinstance(item, FoldedBox) and self.topology.leaf_flags[item] == 1

    def first(self, item: Item) -> int:
        """The function that represents an item: the first from the root, preferably not an AccumulateGrad."""
        if not isinstance(item, FoldedBox):
            return item
        if len(item.positions) == 1:
            return item.positions[0]
        positions = as_column(item.positions)
        others = positions[~self.columns.is_leaf[positions]]
        chosen = others if len(others) else positions
        return int(chosen[self.columns.turns[chosen].argmin()])

    def turn(self, item: Item) -> int:
        """The index of the first function of an item in a topological order."""
        return int(self.columns.turns[self.first(item)])

    def path(self, item: Item) -> Path:
        """The module of a function; for a box, the innermost module that contains all of it."""
        return item.path if isinstance(item, FoldedBox) else self.columns.path(item)

    def has_lines(self, path: Path) -> bool:
        """Whether the lines tell the functions of a module itself apart: inside a library module, the line of each
        is the one that called the model."""
        return path == () or len(self.columns.own_lines.get(path, ())) > 1

    def lines_below(self, depth: int) -> set[Line | None]:
        """Lines that call a module below this depth: the functions they created are not one expression."""
        if depth not in self._lines_below:
            places = zip(self.columns.paths, self.columns.lines, strict=True)
            self._lines_below[depth] = {line for path, line in places if len(path) > depth}
        return self._lines_below[depth]

    def without(self, positions: Any, others: Any) -> Any:
        """The positions that are not among others. All are arrays."""
        if not len(others):
            return positions
        stay = numpy.ones(len(self), numpy.bool_)
        stay[others] = False
        return positions[stay[positions]]

    def common_path(self, positions: Sequence[int]) -> Path:
        """The innermost module that contains all of these functions."""
        numbers = set(self.calls.numbers[as_column(positions)].tolist())
        return functools.reduce(common, map(self.calls.known.__getitem__, numbers))

    def paths_around(self, parts: GraphParts, around: Path) -> Any:
        """The number of the innermost module that contains each part, at least `around`, as an array."""
        numbers, starts, known = self.calls.numbers[parts.flat], parts.starts[:-1], self.calls.known
        found, most = numpy.minimum.reduceat(numbers, starts), numpy.maximum.reduceat(numbers, starts)
        for index in numpy.flatnonzero(found != most).tolist():
            found[index] = self.calls.number(self.common_path(parts[index]))
        for number in present(found):
            if len(known[number]) <= len(around):
                found[found == number] = self.calls.number(around)
        return found

    # ---- boxes of earlier views ---------------------------------------------------------------------------

    def is_closed(self, box: FoldedBox) -> bool:
        """Whether a box is one of an earlier view, which stays closed."""
        return bool(self._atoms) and self._atoms.get(self.first(box)) is box

    def alone(self, positions: Sequence[int]) -> Any:
        """The positions, an array, without those that another one represents, since a box of an earlier view
        holds both."""
        column = as_column(positions)
        return self.without(column, self._swallowed)

    def contents(self, positions: Sequence[int]) -> Contents:
        """Functions, of which those in a box of an earlier view are replaced by that box."""
        column = self.alone(positions)
        if not self._atoms:
            return Contents((), column)
        boxes = [self._atoms[position] for position in column.tolist() if position in self._atoms]
        return Contents(boxes, self.without(column, as_column(list(self._atoms))))

    def items(self, positions: Sequence[int]) -> list[Item]:
        """`contents` as items."""
        return self.contents(positions).items()

    def as_items(self, parts: Iterable[FoldedBox]) -> list[Item]:
        """Parts as items: a part of one function is that function."""
        return [part if len(part.positions) > 1 else self.items(part.positions)[0] for part in parts]

    def whole(self, positions: Any) -> Any:
        """These functions, completed with all functions of the earlier boxes they represent. positions: an array.
        """
        if not self._atoms:
            return positions
        return numpy.sort(column_of(self.items(positions))[0])

    def whole_parts(self, parts: GraphParts) -> GraphParts:
        """`whole` of each part; parts that would be empty are left out."""
        if not self._atoms:
            return parts
        found = [whole for part in parts if len(whole := self.whole(part))]
        flat = numpy.concatenate(found) if found else parts.flat[:0]
        return GraphParts(flat, numpy.cumsum([0, *map(len, found)]))

    # ---- connections --------------------------------------------------------------------------------------

    def beside(self, position: int) -> list[int]:
        """The neighbours of a function, in both directions."""
        return [*self.topology.following(position), *self.topology.arrivals.of(position)]

    def following(self, items: Sequence[Item]) -> list[list[int]]:
        """For each item, the indexes of the other items that it sends gradients to, each once."""
        return _lists(*self._between(*column_of(items)), len(items))

    def has_cycle(self, items: Sequence[Item]) -> bool:
        """Whether some items feed each other."""
        boxes = [item for item in items if isinstance(item, FoldedBox)]
        functions = [item for item in items if not isinstance(item, FoldedBox)]
        return any(self.on_cycles(Contents(boxes, as_column(functions))))

    def on_cycles(self, contents: Contents) -> list[bool]:
        """Whether each box is on a cycle with others; functions alone never are."""
        if not contents.boxes or len(contents) < 2:
            return [False] * len(contents.boxes)
        flat, owners = contents.column()
        sources, targets = self._between(flat, owners)
        turns = self.columns.turns[flat]
        starts = numpy.searchsorted(owners, numpy.arange(len(contents)))
        for ends in (numpy.maximum, numpy.minimum):  # a graph of which all edges lead to later items has no cycle
            last = ends.reduceat(turns, starts)
            if (last[sources] < last[targets]).all():
                return [False] * len(contents.boxes)
        return on_cycles(_lists(sources, targets, len(contents)))[: len(contents.boxes)]

    def _between(self, flat: Any, owners: Any) -> tuple[Any, Any]:
        """The edges between items, as indexes of items, by the source in `flat` and by slot.

        flat, owners: as in `column_of`.
        """
        owner = numpy.full(len(self), -1, numpy.int32)
        owner[flat] = owners
        counts, edges = self.columns.leaving.of(flat)
        sources, targets = numpy.repeat(owners, counts), owner[self.columns.leaving.others[edges]]
        apart = (sources != targets) & (targets >= 0)
        return sources[apart], targets[apart]

    def with_own_leaves(self, parts: GraphParts, positions: Any) -> GraphParts:
        """The parts, each with the leaves among `positions`, an array, that only this part uses."""
        columns = self.columns
        leaves = positions[columns.is_leaf[positions]]
        owner = numpy.full(len(self), -1, numpy.int32)
        owner[parts.flat] = parts.owners
        counts, edges = columns.arriving.of(leaves)
        leaves, counts = leaves[counts > 0], counts[counts > 0]
        if not len(leaves):
            return parts
        users, starts = owner[columns.arriving.others[edges]], numpy.cumsum(counts) - counts
        least, most = numpy.minimum.reduceat(users, starts), numpy.maximum.reduceat(users, starts)
        own = (least == most) & (least >= 0)
        return GraphParts.of(
            numpy.concatenate((parts.flat, leaves[own])), numpy.concatenate((parts.owners, least[own])), len(parts)
        )


def _lists(sources: Any, targets: Any, count: int) -> list[list[int]]:
    """For each of `count` sources, its targets, each once."""
    found: list[dict[int, None]] = [{} for _ in range(count)]
    for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
        found[source][target] = None
    return list(map(list, found))
