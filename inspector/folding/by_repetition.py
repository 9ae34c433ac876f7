"""Fold repetition: consecutive numbered siblings (`blocks.0`, `blocks.1`, …) that are isomorphic become one box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from inspector.folding.boxes import FoldedBox, Item, flattened, functions_of, members
from inspector.folding.context import FoldingContext, mask_digits
from inspector.folding.isomorphism import IsomorphismKey, repeated_runs
from inspector.folding.module_paths import Path

MIN_REPEATS = 3
"""Minimum number of consecutive equal parts that become one box."""
_TO = "\N{EN DASH}"


class RepeatFinder:
    """Finds equal parts of one Graph."""

    def __init__(self, context: FoldingContext) -> None:
        self._context = context
        self._keys = IsomorphismKey(context.graph, context.topology)

    def fold_repeats(self, items: Sequence[Item], path: Path) -> list[Item]:
        """The items, with every run of equal siblings as one box. path: the module that contains them."""
        families: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            family = self._family(item, len(path))
            if family:
                families[family].append(item)
        result = {members(item)[0]: item for item in items}
        for siblings in families.values():
            if not _are_passes(siblings):  # iterations are in order already
                siblings.sort(key=lambda item: self._context.turns[self._context.first(item)])
            for stack, inside in self._stacks(siblings, path):
                for item in inside:
                    del result[members(item)[0]]
                result[stack.positions[0]] = stack
        return self._context.sorted(list(result.values()))

    def _family(self, item: Item, depth: int) -> str:
        """The name of an item without its number; empty if it has no number."""
        if isinstance(item, FoldedBox) and item.kind == "step":
            return f"step in {'.'.join(item.path)}"
        if (isinstance(item, FoldedBox) and item.kind != "module") or self._context.is_leaf(item):
            return ""
        name = ".".join(self._context.path(item)[depth:])
        family = mask_digits(name)
        return family if family != name else ""

    def _stacks(self, siblings: Sequence[Item], path: Path) -> Iterator[tuple[FoldedBox, Sequence[Item]]]:
        """(box, items that it replaces) for each run of equal parts."""
        if len(siblings) < MIN_REPEATS:
            return
        numbers: dict[Any, int] = {}
        signs = [numbers.setdefault(self._structure_key([item]), len(numbers)) for item in siblings]
        for start, period, repetitions in repeated_runs(signs, MIN_REPEATS):
            groups = [siblings[start + k * period : start + (k + 1) * period] for k in range(repetitions)]
            if period > 1 and len({self._structure_key(group) for group in groups}) > 1:
                continue  # the items are equal one by one, but connected differently
            parts = tuple(self._part(group, path) for group in groups)
            label = label_span(parts[-1].label, parts[0].label)
            stack = FoldedBox("equal", label, path, flattened(parts), parts)
            yield stack, siblings[start : start + period * repetitions]

    def _part(self, items: Sequence[Item], path: Path) -> FoldedBox:
        """One of several equal parts: an item, or a group of items that repeats."""
        if len(items) == 1 and isinstance(items[0], FoldedBox):
            return items[0]
        positions = sorted(position for item in items for position in members(item))
        names = [
            item.label if isinstance(item, FoldedBox) else ".".join(self._context.paths[item]) for item in items
        ]
        return FoldedBox("step", label_span(names[-1], names[0]), path, positions)

    def _structure_key(self, items: Sequence[Item]) -> Hashable:
        """The certificate of several items as one part."""
        place = dict(functions_of(items))
        depths = [len(self._context.path(item)) for item in items]
        # Iteration k of a loop may call module k of a list; the number of the module must not matter then.
        exact = not any(isinstance(item, FoldedBox) and item.kind == "step" for item in items)

        def label(position: int) -> Hashable:
            index = place[position]
            inner = self._context.paths[position][depths[index] :]
            return (
                self._context.function(position)["name"],
                index,
                inner if exact else tuple(map(mask_digits, inner)),
            )

        return self._keys.key_of(sorted(place), label)


def _are_passes(items: Sequence[Item]) -> bool:
    return isinstance(items[0], FoldedBox) and items[0].kind == "step"


def label_span(first: str, last: str) -> str:
    """One name for `blocks.0` to `blocks.11`, with their common prefix written once. Both may be spans already."""
    first, last = first.split(_TO)[0], last.split(_TO)[-1]
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    shared = max(first.rfind(mark, 0, length) for mark in ". ") + 1
    return f"{first}{_TO}{last[shared:]}"
