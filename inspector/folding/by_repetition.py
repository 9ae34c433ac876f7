"""Fold repetition: consecutive equal siblings become one box.

Siblings are modules with a number (`blocks.0`, `blocks.1`, …), iterations of a loop, passes through one module,
and what one line created in a loop. Equal ones are isomorphic.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from inspector.folding.boxes import FoldedBox, Item, flattened, functions_of, members
from inspector.folding.context import FoldingContext, mask_digits, masked_names
from inspector.folding.isomorphism import IsomorphismKey, repeated_runs
from inspector.folding.module_paths import Path, name_of, names_in
from inspector.folding.part_shape import numbered
from inspector.graph.node_names import without_backward
from inspector.graph.places import file_and_line

MIN_REPEATS = 3
"""Minimum number of consecutive equal parts that become one box."""
_MANY = 100
"""Minimum number of siblings that are compared all at once."""
MOST_FUNCTIONS = 2_000
"""Maximum number of equal functions outside of boxes that may become one box; more are those of a loop."""
_TO = "\N{EN DASH}"
_DIGITS = re.compile("[0-9]+")


class RepeatFinder:
    """Finds equal parts of one Graph."""

    def __init__(self, context: FoldingContext) -> None:
        self._context = context
        self._keys = IsomorphismKey(context.topology)
        self._labels: dict[tuple[int, bool], Any] = {}

    def fold_repeats(self, items: Sequence[Item], path: Path) -> list[Item]:
        """The items, with every run of equal siblings as one box. path: the module that contains them."""
        result = {members(item)[0]: item for item in items}
        for family in (self._numbered, self._repeated):
            families: dict[Hashable, list[Item]] = defaultdict(list)
            for item in self._with_siblings(result.values(), path):
                if (key := family(item, path)) is not None:
                    families[key].append(item)
            for siblings in families.values():
                if len(siblings) > MOST_FUNCTIONS and not isinstance(siblings[0], FoldedBox):
                    continue
                if not _are_steps(siblings):  # iterations are in order already
                    siblings.sort(key=lambda item: self._context.turns[self._context.first(item)])
                for stack, inside in self._stacks(siblings, path):
                    for item in inside:
                        del result[members(item)[0]]
                    result[stack.positions[0]] = stack
        return self._context.sorted(list(result.values()))

    def _with_siblings(self, items: Iterable[Item], path: Path) -> list[Item]:
        """The items that may be of a family: boxes, and functions of inner modules or of lines that count."""
        context, depth, has_lines = self._context, len(path), self._context.calls.has_lines(path)
        flags, paths = context.topology.leaf_flags, context.paths
        return [
            item
            for item in items
            if isinstance(item, FoldedBox) or (not flags[item] and (has_lines or len(paths[item]) > depth))
        ]

    def _numbered(self, item: Item, path: Path) -> Hashable:
        """The name of a module without its numbers, and the pass; None if it has no number."""
        kind = item.kind if isinstance(item, FoldedBox) else None
        if kind not in ("module", "call", None) or self._context.is_leaf(item):
            return None
        inner = self._context.path(item)[len(path) :]
        if not inner:
            return None
        name = name_of(inner)
        family = mask_digits(name)
        return (family, inner[0][1]) if family != name else None

    def _repeated(self, item: Item, path: Path) -> Hashable:
        """What its repetitions in a loop share: the loop, the module, or the line; None if it has none."""
        context = self._context
        if context.is_leaf(item):
            return None
        kind = item.kind if isinstance(item, FoldedBox) else None
        inner = names_in(context.path(item)[len(path) :])
        if kind == "step":
            return "step", inner
        if kind == "call" or (kind is None and inner):
            return "pass", inner
        if kind in ("line", None):
            first = context.first(item)
            place = file_and_line(context.source(first)) if context.calls.has_lines(path) else None
            return None if place is None else ("line", place, kind or context.name(first))
        return None

    def _stacks(self, siblings: Sequence[Item], path: Path) -> Iterator[tuple[FoldedBox, Sequence[Item]]]:
        """(box, items that it replaces) for each run of equal parts."""
        if len(siblings) < MIN_REPEATS:
            return
        signs = self._signs(siblings)
        for start, period, repetitions in repeated_runs(signs, MIN_REPEATS):
            groups = [siblings[start + k * period : start + (k + 1) * period] for k in range(repetitions)]
            if period > 1 and len({self._structure_key(group) for group in groups}) > 1:
                continue  # the items are equal one by one, but connected differently
            parts = tuple(self._part(group, path) for group in groups)
            replaced = siblings[start : start + period * repetitions]
            yield self.stack(parts, path, replaced), replaced

    def _signs(self, siblings: Sequence[Item]) -> list[int]:
        """A number for each item, the same for isomorphic ones."""
        if len(siblings) >= _MANY and all(len(members(item)) == 1 for item in siblings):
            depths = {(len(self._context.path(item)), not _are_steps([item])) for item in siblings}
            labels = self._label_numbers(*depths.pop())
            positions = [members(item)[0] for item in siblings]
            if not depths and (found := self._keys.signs_of_single(positions, labels)) is not None:
                return found
        numbers: dict[Any, int] = {}
        signs: dict[int, int] = {}
        for first in (alike := self._alike(siblings)):
            if first not in signs:
                signs[first] = numbers.setdefault(self._structure_key([siblings[first]]), len(numbers))
        return [signs[first] for first in alike]

    def _alike(self, siblings: Sequence[Item]) -> list[int]:
        """For each item, the index of the first one that was found to be isomorphic; its own if none was."""
        alike = list(range(len(siblings)))
        groups: dict[tuple[int, int, bool], list[int]] = defaultdict(list)
        for index, item in enumerate(siblings):
            key = len(members(item)), len(self._context.path(item)), not _are_steps([item])
            groups[key].append(index)
        for (size, depth, exact), indexes in groups.items():
            if size > 1 and len(indexes) >= _MANY:
                parts = [members(siblings[index]) for index in indexes]
                shapes = self._keys.shapes_of_many(parts, self._label_numbers(depth, exact))
                first: dict[bytes, int] = {}
                for index, shape in zip(indexes, shapes, strict=True):
                    alike[index] = first.setdefault(shape, index)
        return alike

    def _part(self, items: Sequence[Item], path: Path) -> FoldedBox:
        """One of several equal parts: an item, or a group of items that repeats."""
        if len(items) == 1:
            return items[0] if isinstance(items[0], FoldedBox) else self._alone(items[0], path)
        positions = sorted(position for item in items for position in members(item))
        names = [
            item.label if isinstance(item, FoldedBox) else self._context.calls.label(self._context.paths[item])
            for item in items
        ]
        return FoldedBox("step", label_span(names[-1], names[0]), path, positions)

    def _alone(self, position: int, around: Path) -> FoldedBox:
        """A function as a part, with the name of its module, or its own name in the module around it."""
        path = self._context.paths[position]
        label = self._context.calls.label(path) if path != around else ""
        return FoldedBox("line", label or without_backward(self._context.name(position)), path, [position])

    def stack(self, parts: Sequence[FoldedBox], path: Path, items: Sequence[Item] | None = None) -> FoldedBox:
        """Equal parts as one box. path: the module that contains them. items: what the parts were made of."""
        label = self._stack_label(parts, items or parts, path)
        return FoldedBox("equal", label, path, flattened(parts), tuple(parts))

    def _stack_label(self, parts: Sequence[FoldedBox], items: Sequence[Item], path: Path) -> str:
        """The range of names; `cell, 10 passes` for all of them; `line 21: losses.append(…)`."""
        first = items[0]
        place = file_and_line(self._context.source(self._context.first(first)))
        if parts[0].kind == "line" and place is not None and self._context.path(first) == path:
            line = f"line {place[1]}: "
            return line + parts[0].label.removeprefix(line)
        return self._label_of_passes(items, len(path) + 1) or label_span(parts[-1].label, parts[0].label)

    def _label_of_passes(self, items: Sequence[Item], depth: int) -> str:
        """The label of several passes through one module; empty if the items are something else."""
        calls = [self._context.path(item)[:depth] for item in items]
        if len(set(calls)) < len(calls):
            return ""
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

    def _structure_key(self, items: Sequence[Item]) -> Hashable:
        """The certificate of several items as one part."""
        if len(items) == 1 and len(members(items[0])) == 1:
            return self._key_of_one(items[0])
        place = dict(functions_of(items)) if len(items) > 1 else {}
        depths = [len(self._context.path(item)) for item in items]
        # Iteration k of a loop may call module k of a list; the number of the module must not matter then.
        exact = not any(isinstance(item, FoldedBox) and item.kind == "step" for item in items)

        def label(position: int) -> Hashable:
            index = place.get(position, 0)
            inner = self._context.paths[position][depths[index] :]
            return (
                self._context.name(position),
                index,
                names_in(inner) if exact else masked_names(inner),
            )

        if len(items) > 1:
            return self._keys.key_of(sorted(place), label)
        return self._keys.key_of_equal(members(items[0]), label, self._label_numbers(depths[0], exact))

    def _label_numbers(self, depth: int, exact: bool) -> Any:
        """A number for the label of each function in a part of this depth, as an array."""
        known = self._labels.get((depth, exact))
        if known is None:
            paths, names = self._context.paths, self._context.topology.functions.names
            inner = {path: (names_in if exact else masked_names)(path[depth:]) for path in set(paths)}
            known = numbered(zip(names, map(inner.__getitem__, paths), strict=True))
            self._labels[depth, exact] = known
        return known

    def _key_of_one(self, item: Item) -> Hashable:
        """The certificate of an item of one function, of which there may be many."""
        context, position = self._context, members(item)[0]
        inner = context.paths[position][len(context.path(item)) :]
        names = masked_names(inner) if isinstance(item, FoldedBox) and item.kind == "step" else names_in(inner)
        return self._keys.key_of_one(position, (context.name(position), 0, names))


def _are_steps(items: Sequence[Item]) -> bool:
    return isinstance(items[0], FoldedBox) and items[0].kind == "step"


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
