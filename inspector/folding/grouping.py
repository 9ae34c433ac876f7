"""Group the contents of a box into fewer items: by module, loop iteration, repetition and source line.

Contents are grouped only when a box is opened: a picture of a million Nodes opens a handful of boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.by_loop_iteration import loop_iterations
from inspector.folding.by_module import by_module
from inspector.folding.by_repetition import MIN_REPEATS, RepeatFinder
from inspector.folding.by_source_line import by_source_line
from inspector.folding.context import FoldingContext, mask_digits
from inspector.folding.module_paths import Path
from inspector.graph import Graph
from inspector.graph.places import file_and_line
from inspector.graph.traversal import has_cycle

MANY_FUNCTIONS = 24
"""Minimum number of functions outside of inner modules for which a loop is searched."""


class Grouping:
    """Opens boxes of one Graph.

    atoms: boxes of earlier views; they stay closed.
    """

    def __init__(self, graph: Graph, atoms: Sequence[FoldedBox] = ()) -> None:
        self.ground = FoldingContext(graph, atoms)
        self._repeats = RepeatFinder(self.ground)

    def all(self) -> list[Item]:
        """The items of the whole graph, grouped."""
        return self._arranged(range(len(self.ground)), ())

    def open(self, box: FoldedBox) -> list[Item]:
        """The contents of a box, grouped."""
        if box.kind == "equal":
            return list(box.repeats)
        if box.kind in ("module", "call", "step"):
            return self._arranged(box.positions, box.path)
        return self.ground.items(box.positions) if box.kind == "line" else list(box.positions)

    def _arranged(self, positions: Sequence[int], path: Path) -> list[Item]:
        items = by_module(self.ground, positions, path)
        stepped = self._by_step(positions, path) if self._needs_steps(items) else []
        items = stepped or self._repeats.fold_repeats(items, path)
        # Inside a library module, the line is the one that called the model: it does not distinguish the parts.
        return items if path else by_source_line(self.ground, items)

    def _needs_steps(self, items: Sequence[Item]) -> bool:
        """Whether there are many functions, a module called in a loop, or boxes in a cycle."""
        context = self.ground
        functions = sum(not isinstance(item, FoldedBox) and not context.is_leaf(item) for item in items)
        if functions >= MANY_FUNCTIONS or has_cycle(context.following(items)):
            return True
        return any(self._is_called_again(item) for item in items if isinstance(item, FoldedBox))

    def _is_called_again(self, box: FoldedBox) -> bool:
        """Whether the lines of a module itself created each function several times: it was called in a loop."""
        if box.kind not in ("module", "call"):
            return False
        paths = self.ground.paths
        own = (position for position in box.positions if paths[position] == box.path)
        counts = Counter(self._kind(position) for position in own if not self.ground.is_leaf(position))
        return bool(counts) and min(counts.values()) >= MIN_REPEATS

    def _kind(self, position: int) -> Hashable:
        """The properties that a function shares with its counterparts in other iterations of a loop."""
        function = self.ground.function(position)
        path = tuple(map(mask_digits, self.ground.paths[position]))
        return function["name"], path, file_and_line(function["source"])

    def _by_step(self, positions: Sequence[int], path: Path) -> list[Item]:
        """The iterations of all loops as boxes, and the functions outside of loops; empty if there is no loop."""
        rest: Sequence[int] = positions
        steps: list[Item] = []
        while not steps or len(rest) >= MANY_FUNCTIONS:
            found = self._loop(rest, path)
            if not found:
                break
            steps += found
            taken = {position for item in found for position in members(item)}
            rest = [position for position in rest if position not in taken]
        if not steps:
            return []
        others = self._repeats.fold_repeats(by_module(self.ground, rest, path), path)
        return self.ground.sorted([*steps, *others])

    def _loop(self, positions: Sequence[int], path: Path) -> list[Item]:
        """The iterations of one loop, equal ones as one box; empty if most possible iterations are not equal."""
        kinds = [self._kind(position) for position in positions]
        for parts in loop_iterations(self.ground.topology, positions, kinds):
            whole = [self.ground.whole(part) for part in self.ground.with_own_leaves(parts, positions)]
            items = self._repeats.fold_repeats(self._steps([part for part in whole if part], path), path)
            alike = sum(len(item.repeats) for item in items if isinstance(item, FoldedBox))
            if alike * 2 >= len(parts):
                return items
        return []

    def _steps(self, parts: Sequence[list[int]], path: Path) -> list[Item]:
        """Iterations as boxes, numbered in the order of the forward."""
        found: list[Item] = []
        for number, part in zip(range(len(parts), 0, -1), parts, strict=True):
            inner = self.ground.common_path(part)
            inner = inner if len(inner) > len(path) else path
            step = f"step {number}"
            found.append(FoldedBox("step", f"{'.'.join(inner)}, {step}" if inner else step, inner, part))
        return found
