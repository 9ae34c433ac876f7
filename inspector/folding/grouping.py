"""Group the contents of a box into fewer items: by module, loop iteration, repetition and source line.

Contents are grouped only when a box is opened: a picture of a million Nodes opens a handful of boxes.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy

from inspector.folding.boxes import Contents, FoldedBox, Item, as_column, together
from inspector.folding.by_loop_iteration import loop_iterations
from inspector.folding.by_module import by_module
from inspector.folding.by_repetition import MIN_REPEATS, RepeatFinder
from inspector.folding.by_source_line import by_source_line
from inspector.folding.columns import present
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.loop_steps import LoopSteps
from inspector.folding.module_paths import Path
from inspector.graph import Graph
from inspector.graph.topology import Topology

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
        """The contents of a box, grouped; the box itself if it stays closed."""
        if self.ground.is_closed(box):
            return [box]
        if box.kind == "equal":
            return list(box.repeats)
        if box.kind in ("module", "call", "step"):
            return self._arranged_once(box, box.positions, box.path)
        return self.ground.items(box.positions) if box.kind == "line" else list(box.positions)

    def one_part(self, box: FoldedBox) -> FoldedBox:
        """The first of several equal parts; the box itself if it has none, or stays closed."""
        return box.repeats[0] if box.repeats and not self.ground.is_closed(box) else box

    def without_first(self, box: FoldedBox) -> Item:
        """Equal parts except the one nearest to the root."""
        return self._repeats.without_first(box)

    def _arranged_once(self, box: FoldedBox | None, positions: Sequence[int], path: Path) -> list[Item]:
        if box not in self._opened:
            self._opened[box] = self._arranged(as_column(positions), path).items()
        return list(self._opened[box])

    def _arranged(self, positions: Any, path: Path) -> Contents:
        context = self.ground
        contents = by_module(context, positions, path)
        apart = by_source_line(context, contents, path) if context.has_lines(path) else contents
        stacked = self._repeats.fold_repeats(apart, path)
        circular = context.on_cycles(stacked)
        without_steps = self._without_cycles(stacked, circular)
        if not self._needs_steps(contents, stacked, circular):
            return without_steps
        stepped = self._by_step(positions, path)
        if stepped is None:
            return without_steps
        stepped = self._without_cycles(stepped, context.on_cycles(stepped))
        if any(context.on_cycles(stepped)) and not any(context.on_cycles(without_steps)):
            return without_steps  # what looked like iterations of a loop is not one after the other
        return by_source_line(context, stepped, path) if context.has_lines(path) else stepped

    def _without_cycles(self, contents: Contents, circular: Sequence[bool]) -> Contents:
        """The contents, with those stacks taken apart that form cycles with others: equal parts that alternate
        with others are not one after the other. circular: whether each box is on a cycle."""
        apart = [
            box.repeats if is_on_cycle and not self.ground.is_closed(box) else ()
            for box, is_on_cycle in zip(contents.boxes, circular, strict=True)
        ]
        if not any(apart):
            return contents
        boxes = [box for box, parts in zip(contents.boxes, apart, strict=True) if not parts]
        items = self.ground.as_items(part for parts in apart for part in parts)
        boxes += [item for item in items if isinstance(item, FoldedBox)]
        functions = as_column([item for item in items if not isinstance(item, FoldedBox)])
        return together(boxes, [contents.functions, functions])

    def _needs_steps(self, contents: Contents, stacked: Contents, circular: Sequence[bool]) -> bool:
        """Whether there are many functions, stacks in a cycle, or a module that was called in a loop.

        contents: before equal ones became a stack. circular: whether each stacked box is on a cycle.
        """
        functions = len(stacked.functions) - int(self.ground.columns.is_leaf[stacked.functions].sum())
        return functions >= MANY_FUNCTIONS or any(circular) or any(map(self._is_called_again, contents.boxes))

    def _is_called_again(self, box: FoldedBox) -> bool:
        """Whether the lines of a module itself created each function several times, where its calls were not
        recorded: it was called in a loop."""
        calls, columns = self.ground.calls, self.ground.columns
        if box.kind not in ("module", "call") or not calls.are_inferred:
            return False
        positions = as_column(box.positions)
        inner = positions[~columns.is_leaf[positions]]
        kinds = columns.loop_kinds[inner[calls.numbers[inner] == calls.number(box.path)]]
        return len(kinds) > 0 and min(Counter(kinds.tolist()).values()) >= MIN_REPEATS

    def _by_step(self, positions: Any, path: Path) -> Contents | None:
        """The iterations of all loops as boxes, and the functions outside of loops; None if there is no loop."""
        rest, steps = positions, list[FoldedBox]()
        while not steps or len(rest) >= MANY_FUNCTIONS:
            found = self._loop(rest, path)
            if found is None:
                break
            steps += found.boxes
            rest = self.ground.without(rest, found.column()[0])
        if not steps:
            return None
        others = self._repeats.fold_repeats(by_module(self.ground, rest, path), path)
        return together([*steps, *others.boxes], [others.functions])

    def _loop(self, positions: Any, path: Path) -> Contents | None:
        """The iterations of one loop, equal ones as one box; None if most possible iterations are not equal."""
        context = self.ground
        for found in loop_iterations(context.topology, positions, context.columns.loop_kinds[positions]):
            parts = context.whole_parts(context.with_own_leaves(found, positions))
            if _most_alike(parts.sizes) * 2 < len(found):
                continue
            lines = self._lines(parts, path) if context.has_lines(path) else ""
            steps = LoopSteps(context, parts, context.paths_around(parts, path), lines)
            stacks, rest = self._repeats.stacks_of_steps(steps, path)
            if sum(len(stack.repeats) for stack in stacks) * 2 >= len(found):
                return Contents([*stacks, *map(steps.box, rest.tolist())], positions[:0])
        return None

    def _lines(self, parts: GraphParts, path: Path) -> str:
        """The lines of a loop outside of inner modules, `lines 12` to `16`; empty if they are unknown."""
        columns = self.ground.columns
        places = {columns.lines[kind] for kind in present(columns.kinds[parts.flat])}
        own = {place for place in places if place is not None}
        files = Counter(file for file, _ in own)
        if not files:
            return ""
        most = max(files, key=lambda file: (files[file], file))
        lines = sorted(line for file, line in own if file == most)
        return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]}{_TO}{lines[-1]}"


def _most_alike(sizes: Any) -> int:
    """The maximum number of equal parts, given the sizes of all of them."""
    counts = numpy.bincount(sizes)
    return int(counts[counts >= MIN_REPEATS].sum())
