"""Group the contents of a box into fewer items: by module, loop iteration, repetition and source line.

Contents are grouped only when a box is opened: a picture of a million Nodes opens a handful of boxes.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Hashable, Sequence

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.by_loop_iteration import loop_iterations
from inspector.folding.by_module import by_module
from inspector.folding.by_repetition import MIN_REPEATS, RepeatFinder
from inspector.folding.by_source_line import by_source_line
from inspector.folding.context import FoldingContext, masked_names
from inspector.folding.module_paths import Path, name_of
from inspector.graph import Graph
from inspector.graph.places import file_and_line
from inspector.graph.topology import Topology
from inspector.graph.traversal import has_cycle, on_cycles

_TO = "\N{EN DASH}"
MANY_FUNCTIONS = 24
"""Minimum number of functions outside of inner modules for which a loop is searched."""

_Opened = dict[FoldedBox | None, list[Item]]
"""What boxes hold; None stands for the whole graph."""

_opened: weakref.WeakKeyDictionary[Topology, _Opened] = weakref.WeakKeyDictionary()
"""Of graphs without earlier boxes: a figure, its fallbacks, its page and the tree of the page open the same boxes,
and that takes a second for 15,000 Nodes."""


class Grouping:
    """Opens boxes of one Graph.

    atoms: boxes of earlier views; they stay closed.
    """

    def __init__(self, graph: Graph, atoms: Sequence[FoldedBox] = ()) -> None:
        self.ground = FoldingContext(graph, atoms)
        self._repeats = RepeatFinder(self.ground)
        self._opened: _Opened = {} if atoms else _opened.setdefault(self.ground.topology, {})

    def all(self) -> list[Item]:
        """The items of the whole graph, grouped."""
        return self._arranged_once(None, range(len(self.ground)), ())

    def open(self, box: FoldedBox) -> list[Item]:
        """The contents of a box, grouped."""
        if box.kind == "equal":
            return list(box.repeats)
        if box.kind in ("module", "call", "step"):
            return self._arranged_once(box, box.positions, box.path)
        return self.ground.items(box.positions) if box.kind == "line" else list(box.positions)

    def without_first(self, box: FoldedBox) -> Item:
        """Equal parts except the one nearest to the root."""
        parts = box.repeats[1:]
        return self.ground.as_items(parts)[0] if len(parts) == 1 else self._repeats.stack(parts, box.path)

    def _arranged_once(self, box: FoldedBox | None, positions: Sequence[int], path: Path) -> list[Item]:
        if box not in self._opened:
            self._opened[box] = self._arranged(positions, path)
        return list(self._opened[box])

    def _arranged(self, positions: Sequence[int], path: Path) -> list[Item]:
        context = self.ground
        items = by_module(context, positions, path)
        apart = by_source_line(context, items, path) if context.calls.has_lines(path) else items
        stacked = self._repeats.fold_repeats(apart, path)
        without_steps = self._without_cycles(stacked)
        if self._needs_steps(items, stacked) and (stepped := self._without_cycles(self._by_step(positions, path))):
            if has_cycle(context.following(stepped)) and not has_cycle(context.following(without_steps)):
                return without_steps  # what looked like iterations of a loop is not one after the other
            return by_source_line(context, stepped, path) if context.calls.has_lines(path) else stepped
        return without_steps

    def _without_cycles(self, items: Sequence[Item]) -> list[Item]:
        """The items, with those stacks taken apart that form cycles with others: equal parts that alternate with
        others are not one after the other."""
        if not any(isinstance(item, FoldedBox) and item.repeats for item in items):
            return self.ground.sorted(items)
        result: list[Item] = []
        for item, is_on_cycle in zip(items, on_cycles(self.ground.following(items)), strict=True):
            parts = item.repeats if isinstance(item, FoldedBox) and is_on_cycle else ()
            result += self.ground.as_items(parts) or [item]
        return self.ground.sorted(result)

    def _needs_steps(self, items: Sequence[Item], stacked: Sequence[Item]) -> bool:
        """Whether there are many functions, stacks in a cycle, or a module that was called in a loop.

        items: before equal ones became a stack.
        """
        context = self.ground
        functions = sum(not isinstance(item, FoldedBox) and not context.is_leaf(item) for item in stacked)
        has_boxes = any(isinstance(item, FoldedBox) for item in stacked)  # functions alone never form a cycle
        if functions >= MANY_FUNCTIONS or (has_boxes and has_cycle(context.following(stacked))):
            return True
        return any(self._is_called_again(item) for item in items if isinstance(item, FoldedBox))

    def _is_called_again(self, box: FoldedBox) -> bool:
        """Whether the lines of a module itself created each function several times, where its calls were not
        recorded: it was called in a loop."""
        if box.kind not in ("module", "call") or not self.ground.calls.are_inferred:
            return False
        paths = self.ground.paths
        own = (position for position in box.positions if paths[position] == box.path)
        counts = Counter(self._kind(position) for position in own if not self.ground.is_leaf(position))
        return bool(counts) and min(counts.values()) >= MIN_REPEATS

    def _kind(self, position: int) -> Hashable:
        """The properties that a function shares with its counterparts in other iterations of a loop."""
        context, line = self.ground, file_and_line(self.ground.source(position))
        return context.name(position), masked_names(context.paths[position]), line

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
        lines = self._lines(parts, path) if self.ground.calls.has_lines(path) else ""
        for number, part in zip(range(len(parts), 0, -1), parts, strict=True):
            inner = self.ground.common_path(part)
            inner = inner if len(inner) > len(path) else path
            of = name_of(inner) or lines
            step = f"up to step {number}" if number == 1 and _has_more_than_one_step(parts) else f"step {number}"
            label = f"{of}, {step}" if of else step
            found.append(FoldedBox("step", label, inner, part))
        return found

    def _lines(self, parts: Sequence[list[int]], path: Path) -> str:
        """The lines of a loop outside of inner modules, `lines 12` to `16`; empty if they are unknown."""
        sources = (self.ground.source(position) for part in parts for position in part)
        own = {place for source in sources if (place := file_and_line(source)) is not None}
        files = Counter(file for file, _ in own)
        if not files:
            return ""
        most = max(files, key=lambda file: (files[file], file))
        lines = sorted(line for file, line in own if file == most)
        return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]}{_TO}{lines[-1]}"


def _has_more_than_one_step(parts: Sequence[list[int]]) -> bool:
    """Whether the first iteration is much larger than others: earlier ones did something else, or what is before
    the loop has the same lines."""
    typical = sorted(map(len, parts))[len(parts) // 2]
    return len(parts[-1]) >= 2 * typical
