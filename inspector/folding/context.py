"""Context for folding one Graph: positions of functions, connections, and boxes that stay closed."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from inspector.folding.boxes import FoldedBox, Item, following_items, members
from inspector.folding.module_calls import ModuleCalls
from inspector.folding.module_paths import Path, common, names_in
from inspector.graph import Graph
from inspector.graph.row_types import Place
from inspector.graph.topology import IncomingEdges, topology_of

_DIGITS = re.compile(r"\d+")


class FoldingContext:
    """Columns of one Graph, and the boxes that earlier views made of it.

    topology: the index of the Graph. turns: the index of each function in a topological order. calls: the calls of
    modules, and paths: those around every function.
    """

    def __init__(self, graph: Graph, atoms: Sequence[FoldedBox] = ()) -> None:
        self.topology = topology_of(graph)
        self.turns = self.topology.turns
        self.calls = ModuleCalls(self.topology)
        self.paths = self.calls.paths
        self._is_leaf = self.topology.leaf_flags
        self._atoms = {self.first(atom): atom for atom in atoms}
        self._swallowed = {
            position for first, atom in self._atoms.items() for position in atom.positions if position != first
        }

    def __len__(self) -> int:
        return len(self.topology)

    @property
    def arrivals(self) -> IncomingEdges:
        """The edges, grouped by target."""
        return self.topology.arrivals

    def name(self, position: int) -> str:
        """The name of a function."""
        return self.topology.functions.names[position]

    def source(self, position: int) -> Place:
        """Where a function was created."""
        return self.topology.functions.sources[position]

    def made_in(self, position: int) -> int | None:
        """The backward call that created a function; None for a function of the forward."""
        return self.topology.functions.made_in[position]

    def is_leaf(self, item: Item) -> bool:
        """Whether an item is an AccumulateGrad."""
        return not isinstance(item, FoldedBox) and self._is_leaf[item] == 1

    def first(self, item: Item) -> int:
        """The function that represents an item: the first from the root, preferably not an AccumulateGrad."""
        if not isinstance(item, FoldedBox):
            return item
        others = [position for position in item.positions if not self._is_leaf[position]]
        return min(others or item.positions, key=self.turns.__getitem__)

    def items(self, positions: Sequence[int]) -> list[Item]:
        """Functions as items: those in a box of an earlier view are replaced by that box."""
        if not self._atoms:
            return list(positions)
        return [self._atoms.get(position, position) for position in positions if position not in self._swallowed]

    def as_items(self, parts: Sequence[FoldedBox]) -> list[Item]:
        """Parts as items: a part of one function is that function."""
        return [part if len(part.positions) > 1 else self.items(part.positions)[0] for part in parts]

    def whole(self, positions: Sequence[int]) -> list[int]:
        """These functions, completed with all functions of the earlier boxes they represent."""
        if not self._atoms:
            return sorted(positions)
        return sorted(position for item in self.items(positions) for position in members(item))

    def path(self, item: Item) -> Path:
        """The module of a function; for a box, the innermost module that contains all of it."""
        return item.path if isinstance(item, FoldedBox) else self.paths[item]

    def common_path(self, positions: Sequence[int]) -> Path:
        """The innermost module that contains all of these functions."""
        path = self.paths[positions[0]]
        for position in positions:
            if not path:
                break
            path = common(path, self.paths[position])
        return path

    def beside(self, position: int) -> list[int]:
        """The neighbours of a function, in both directions."""
        return [*self.topology.following(position), *self.arrivals.of(position)]

    def following(self, items: Sequence[Item]) -> list[list[int]]:
        """For each item, the indexes of the other items that it sends gradients to, each once."""
        return following_items(self.topology, items)

    def with_own_leaves(self, parts: Sequence[list[int]], positions: Sequence[int]) -> list[list[int]]:
        """The parts, each with the leaves among `positions` that only this part uses."""
        owner = {position: index for index, part in enumerate(parts) for position in part}
        result = [list(part) for part in parts]
        for leaf in positions:
            if self.is_leaf(leaf):
                users = {owner.get(user, -1) for user in self.arrivals.of(leaf)}
                if len(users) == 1 and -1 not in users:
                    result[users.pop()].append(leaf)
        return [sorted(part) for part in result]

    def sorted(self, items: Sequence[Item]) -> list[Item]:
        """Items in walk order."""
        return sorted(items, key=_first_member)


def _first_member(item: Item) -> int:
    return item.positions[0] if isinstance(item, FoldedBox) else item


@functools.lru_cache(maxsize=100_000)
def mask_digits(text: str) -> str:
    """`blocks.*.attn` from `blocks.3.attn`."""
    return _DIGITS.sub("*", text)


@functools.lru_cache(maxsize=100_000)
def masked_names(path: Path) -> tuple[str, ...]:
    """The names along a path, without digits."""
    return tuple(map(mask_digits, names_in(path)))
