"""Fold repetition: consecutive equal siblings become one box.

Siblings are modules with a number (`blocks.0`, `blocks.1`, …), iterations of a loop, passes through one module,
and what one line created in a loop. Equal ones are isomorphic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy

from inspector.folding.boxes import (
    BoxKind,
    Contents,
    FoldedBox,
    Item,
    LateParts,
    as_column,
    column_of,
    members,
    stored,
    together,
)
from inspector.folding.columns import Line, present, translated
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.isomorphism import IsomorphismKey, repeated_runs
from inspector.folding.loop_steps import LoopSteps
from inspector.folding.module_paths import Path, mask_digits, masked_names, name_of, names_in
from inspector.graph.node_names import without_backward

MIN_REPEATS = 3
"""Minimum number of consecutive equal parts that become one box."""
MOST_FUNCTIONS = 2_000
"""Maximum number of equal functions outside of boxes that may become one box; more are those of a loop."""
_TO = "\N{EN DASH}"
_DIGITS = re.compile("[0-9]+")

_Family = Callable[[BoxKind | None, str, Path, Line | None], Hashable]
"""Kind of a box (None for a function), name of the function, its module within the one that contains it, its line
if that matters → what the siblings of one family share; None if it has none."""
_Stack = tuple[FoldedBox, Sequence[Item]]
"""A box, and the items that it replaces."""


class RepeatFinder:
    """Finds equal parts of one Graph."""

    def __init__(self, context: FoldingContext) -> None:
        self._context = context
        self._keys = IsomorphismKey(context.columns)
        self._labels: dict[tuple[int, bool], Any] = {}
        self._numbers: dict[Hashable, int] = {}

    def fold_repeats(self, contents: Contents, path: Path) -> Contents:
        """The contents, with every run of equal siblings as one box. path: the module that contains them."""
        for family in (self._numbered, self._repeated):
            for siblings in self._families(contents, family, path):
                for stack, replaced in self._stacks(siblings, path):
                    gone = set(replaced)
                    functions = [item for item in replaced if not isinstance(item, FoldedBox)]
                    boxes = [stack, *(box for box in contents.boxes if box not in gone)]
                    contents = together(boxes, [self._context.without(contents.functions, as_column(functions))])
        return contents

    # ---- families -----------------------------------------------------------------------------------------

    def _families(self, contents: Contents, family: _Family, path: Path) -> list[list[Item]]:
        """The siblings of each family, in the order of their first functions from the root."""
        context, has_lines = self._context, self._context.has_lines(path)
        families: dict[Hashable, list[Item]] = {}
        for box in contents.boxes:
            line = context.line(context.first(box)) if box.kind == "line" and has_lines else None
            if (key := family(box.kind, "", box.path[len(path) :], line)) is not None:
                families.setdefault(key, []).append(box)
        for key, functions in self._families_of_functions(contents.functions, family, path):
            siblings = families.setdefault(key, [])
            starts_with_box = siblings and members(siblings[0])[0] < functions[0]
            if len(siblings) + len(functions) > MOST_FUNCTIONS and not starts_with_box:
                del families[key]
            else:
                siblings += functions.tolist()
        few = [siblings for siblings in families.values() if len(siblings) >= MIN_REPEATS]
        return [siblings if _are_steps(siblings) else sorted(siblings, key=context.turn) for siblings in few]

    def _families_of_functions(
        self, functions: Any, family: _Family, path: Path
    ) -> Iterator[tuple[Hashable, Any]]:
        """What the functions of a family share, and their positions. Those of inner modules count, and all where
        lines tell them apart."""
        columns, has_lines = self._context.columns, self._context.has_lines(path)
        functions = functions[~columns.is_leaf[functions]]
        if not len(functions):
            return
        kinds, keys, numbers = columns.kinds[functions], dict[Hashable, int](), list[int]()
        for kind in (own := present(kinds)):
            inner, line = columns.paths[kind][len(path) :], columns.lines[kind] if has_lines else None
            key = family(None, columns.names[kind], inner, line) if has_lines or inner else None
            numbers.append(-1 if key is None else keys.setdefault(key, len(keys)))
        if keys:
            owners = translated(kinds, own, numbers)
            inside = owners >= 0
            yield from zip(keys, GraphParts.of(functions[inside], owners[inside], len(keys)), strict=True)

    def _numbered(self, kind: BoxKind | None, name: str, inner: Path, line: Line | None) -> Hashable:
        """The name of a module without its numbers, and the pass; None if it has no number."""
        if kind not in ("module", "call", None) or not inner:
            return None
        module = name_of(inner)
        family = mask_digits(module)
        return (family, inner[0][1]) if family != module else None

    def _repeated(self, kind: BoxKind | None, name: str, inner: Path, line: Line | None) -> Hashable:
        """What its repetitions in a loop share: the loop, the module, or the line; None if it has none."""
        if kind == "step":
            return "step", names_in(inner)
        if kind == "call" or (kind is None and inner):
            return "pass", names_in(inner)
        if kind in ("line", None):
            return None if line is None else ("line", line, kind or name)
        return None

    # ---- stacks -------------------------------------------------------------------------------------------

    def _stacks(self, siblings: Sequence[Item], path: Path) -> Iterator[_Stack]:
        """A stack for each run of equal parts."""
        exact, depths = not _are_steps(siblings), [len(self._context.path(item)) for item in siblings]
        labels = {depth: self._label_numbers(depth, exact) for depth in set(depths)}
        signs = self._keys.signs(GraphParts.of(*column_of(siblings), len(siblings)), numpy.array(depths), labels)
        for start, period, repetitions in repeated_runs(signs, MIN_REPEATS):
            groups = [siblings[start + k * period : start + (k + 1) * period] for k in range(repetitions)]
            if period == 1 or self._are_alike(groups, exact):
                replaced = siblings[start : start + period * repetitions]
                parts = tuple(self._part(group, path) for group in groups)
                yield self._stack(parts, path, replaced, numpy.sort(column_of(replaced)[0])), replaced

    def stacks_of_steps(self, steps: LoopSteps, path: Path) -> tuple[list[FoldedBox], Any]:
        """Equal iterations of a loop as boxes, and the indexes of the others. path: the module that contains the
        loop."""
        families: dict[Hashable, int] = {}
        known, own = self._context.calls.known, present(steps.paths)
        of_paths = [families.setdefault(names_in(known[at][len(path) :]), len(families)) for at in own]
        owners = translated(steps.paths, own, of_paths)
        stacks, rest = list[FoldedBox](), numpy.ones(len(steps), numpy.bool_)
        for family in range(len(families)):
            indexes = numpy.flatnonzero(owners == family)
            if len(indexes) >= MIN_REPEATS:
                for stack, replaced in self._stacks_of_family(steps, indexes, path):
                    stacks.append(stack)
                    rest[replaced] = False
        return stacks, numpy.flatnonzero(rest)

    def _stacks_of_family(self, steps: LoopSteps, indexes: Any, path: Path) -> Iterator[tuple[FoldedBox, Any]]:
        """A stack for each run of equal iterations, and their indexes."""
        parts = steps.parts.some(indexes)
        paths, known = steps.paths[indexes], self._context.calls.known
        of_paths = {at: self._label_numbers(len(known[at]), exact=False) for at in present(paths)}
        signs = self._keys.signs(parts, paths, of_paths)
        for start, period, repetitions in repeated_runs(signs, MIN_REPEATS):
            chosen = indexes[start : start + period * repetitions]
            equal: Sequence[FoldedBox] = LateParts(steps.parts.some(chosen), partial(_made_of, steps, chosen))
            boxes = equal if period == 1 else [steps.box(index) for index in chosen.tolist()]
            if period > 1:
                groups = [boxes[at : at + period] for at in range(0, len(boxes), period)]
                if not self._are_alike(groups, exact=False):
                    continue
                equal = tuple(self._part(group, path) for group in groups)
            yield self._stack(equal, path, boxes, numpy.sort(steps.parts.some(chosen).flat)), chosen

    def _are_alike(self, groups: Sequence[Sequence[Item]], exact: bool) -> bool:
        """Whether groups, of which the items are equal one by one, are also connected in the same way."""
        period, labels = len(groups[0]), numpy.zeros(len(self._context), numpy.int64)
        items = [item for group in groups for item in group]
        for index, item in enumerate(items):
            positions = as_column(members(item))
            of_depth = self._label_numbers(len(self._context.path(item)), exact)
            labels[positions] = of_depth[positions] * period + index % period
        flat, owners = column_of(items)
        parts = GraphParts.of(flat, owners // period, len(groups))
        signs = self._keys.signs(parts, numpy.zeros(len(groups), numpy.int32), {0: labels})
        return bool((signs == signs[0]).all())

    def _part(self, items: Sequence[Item], path: Path) -> FoldedBox:
        """One of several equal parts: an item, or a group of items that repeats."""
        if len(items) == 1:
            return items[0] if isinstance(items[0], FoldedBox) else self._alone(items[0], path)
        calls = self._context.calls
        names = [
            item.label if isinstance(item, FoldedBox) else calls.label(self._context.path(item)) for item in items
        ]
        return FoldedBox("step", label_span(names[-1], names[0]), path, stored(numpy.sort(column_of(items)[0])))

    def _alone(self, position: int, around: Path) -> FoldedBox:
        """A function as a part, with the name of its module, or its own name in the module around it."""
        path = self._context.path(position)
        label = self._context.calls.label(path) if path != around else ""
        return FoldedBox("line", label or without_backward(self._context.name(position)), path, (position,))

    # ---- boxes --------------------------------------------------------------------------------------------

    def without_first(self, box: FoldedBox) -> Item:
        """Equal parts except the one nearest to the root."""
        parts = box.repeats[1:]
        if len(parts) == 1:
            return self._context.as_items(parts)[0]
        positions = as_column(box.positions)
        rest = self._context.without(positions, as_column(box.repeats[0].positions))
        return self._stack(parts, box.path, parts, rest)

    def _stack(self, parts: Sequence[FoldedBox], path: Path, items: Sequence[Item], positions: Any) -> FoldedBox:
        """Equal parts as one box. path: the module that contains them. items: what the parts were made of."""
        return FoldedBox("equal", self._stack_label(parts, items, path), path, stored(positions), parts)

    def _stack_label(self, parts: Sequence[FoldedBox], items: Sequence[Item], path: Path) -> str:
        """The range of names; `cell, 10 passes` for all of them; `line 21: losses.append(…)`."""
        first = items[0]
        if parts[0].kind == "line" and self._context.path(first) == path:
            place = self._context.line(self._context.first(first))
            if place is not None:
                line = f"line {place[1]}: "
                return line + parts[0].label.removeprefix(line)
        return self._label_of_passes(items, len(path) + 1) or label_span(parts[-1].label, parts[0].label)

    def _label_of_passes(self, items: Sequence[Item], depth: int) -> str:
        """The label of several passes through one module; empty if the items are something else."""
        found: dict[Path, None] = {}
        for item in items:
            call = self._context.path(item)[:depth]
            if call in found:
                return ""
            found[call] = None
        calls = list(found)
        modules = {names_in(call) for call in calls}
        if len(modules) > 1 or modules == {()}:
            return ""
        name, count = name_of(calls[0]), self._context.calls.passes(calls[0])
        numbers = sorted(call[-1][1] for call in calls)
        if len(numbers) == count:
            return f"{name}, {count:,} passes"
        if numbers[-1] - numbers[0] >= len(numbers):
            return f"{name}, {len(numbers):,} of {count:,} passes"
        return f"{name}, pass {numbers[0]:,}{_TO}{numbers[-1]:,} of {count:,}"

    def _label_numbers(self, depth: int, exact: bool) -> Any:
        """A number for what must be equal of each function in a part of this depth, as an array: its name, and the
        modules in the part, with their numbers if `exact`: iteration k of a loop may call module k of a list."""
        known = self._labels.get((depth, exact))
        if known is None:
            columns, numbers, names = self._context.columns, self._numbers, names_in if exact else masked_names
            inner = {path: names(path[depth:]) for path in set(columns.paths)}
            labels = zip(columns.names, map(inner.__getitem__, columns.paths), strict=True)
            of_kinds = [numbers.setdefault(label, len(numbers)) for label in labels]
            known = self._labels[depth, exact] = numpy.array(of_kinds, numpy.int64)[columns.kinds]
        return known


def _are_steps(items: Sequence[Item]) -> bool:
    """Whether items are iterations of a loop, which are in order already."""
    return isinstance(items[0], FoldedBox) and items[0].kind == "step"


def _made_of(steps: LoopSteps, indexes: Any, number: int) -> FoldedBox:
    """One of several iterations. indexes: theirs."""
    return steps.box(int(indexes[number]))


def label_span(first: str, last: str) -> str:
    """One name for `blocks.0` to `blocks.11`, with their common prefix written once. Both may be spans already."""
    head, comma, first = first.rpartition(", ")
    other, _, end = last.rpartition(", ")
    if head == other:
        return f"{head}{comma}{_span(first, end)}"
    if comma and first == end:  # the same pass through several modules
        return f"{_span(head, other)}{comma}{end}"
    return _span(f"{head}{comma}{first}", last)


def _span(first: str, last: str) -> str:
    first, last = first.split(_TO)[0], last.split(_TO)[-1]
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    number = len(first[:length].rstrip("0123456789"))
    numbers = [found[0] for name in (first, last) if (found := _DIGITS.match(name, number))]
    if len(numbers) == 2 and int(numbers[0]) > int(numbers[1]):
        first, last = last, first  # branches beside each other are met in the script's order
    shared = max(first.rfind(mark, 0, length) + (mark != "[") for mark in ". [")
    return f"{first}{_TO}{last[shared:]}"
