"""Folding what is equal: numbered siblings in a row (`blocks.0`, `blocks.1`, …) that are isomorphic: one box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from inspector.views.equal import Certifier, runs
from inspector.views.ground import Ground, without_numbers
from inspector.views.items import Box, Item, flattened, functions_of, members
from inspector.views.outline import Path

LEAST_EQUAL = 3
"""So many equal parts in a row become one box."""
_TO = "\N{EN DASH}"


class Likeness:
    """Finds equal parts of one Graph."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._certifier = Certifier(ground.graph, ground.outline, ground.turns, ground.arrivals)

    def with_equal(self, items: Sequence[Item], path: Path) -> list[Item]:
        """The items, with every run of equal siblings as one box. path: of the module that holds them."""
        families: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            family = self._family(item, len(path))
            if family:
                families[family].append(item)
        result = {members(item)[0]: item for item in items}
        for siblings in families.values():
            if not _are_passes(siblings):  # those come in their order
                siblings.sort(key=lambda item: self._ground.turns[self._ground.first(item)])
            for stack, inside in self._stacks(siblings, path):
                for item in inside:
                    del result[members(item)[0]]
                result[stack.positions[0]] = stack
        return self._ground.sorted(list(result.values()))

    def _family(self, item: Item, depth: int) -> str:
        """What an item is called but for its number; empty if it has none."""
        if isinstance(item, Box) and item.why == "step":
            return f"step in {'.'.join(item.path)}"
        if (isinstance(item, Box) and item.why != "module") or self._ground.is_leaf(item):
            return ""
        name = ".".join(self._ground.path(item)[depth:])
        family = without_numbers(name)
        return family if family != name else ""

    def _stacks(self, siblings: Sequence[Item], path: Path) -> Iterator[tuple[Box, Sequence[Item]]]:
        """Each run of equal parts as a box, with the items that it takes the place of."""
        if len(siblings) < LEAST_EQUAL:
            return
        numbers: dict[Any, int] = {}
        signs = [numbers.setdefault(self._sign([item]), len(numbers)) for item in siblings]
        for start, period, repetitions in runs(signs, LEAST_EQUAL):
            groups = [siblings[start + k * period : start + (k + 1) * period] for k in range(repetitions)]
            if period > 1 and len({self._sign(group) for group in groups}) > 1:
                continue  # each is like the other, but they are not wired alike
            parts = tuple(self._part(group, path) for group in groups)
            label = span(parts[-1].label, parts[0].label)
            stack = Box("equal", label, path, flattened(parts), parts)
            yield stack, siblings[start : start + period * repetitions]

    def _part(self, items: Sequence[Item], path: Path) -> Box:
        """One of several equal parts: an item, or a group of them that repeats."""
        if len(items) == 1 and isinstance(items[0], Box):
            return items[0]
        positions = sorted(position for item in items for position in members(item))
        names = [item.label if isinstance(item, Box) else ".".join(self._ground.paths[item]) for item in items]
        return Box("step", span(names[-1], names[0]), path, positions)

    def _sign(self, items: Sequence[Item]) -> Hashable:
        """The certificate of some items as one part."""
        place = dict(functions_of(items))
        depths = [len(self._ground.path(item)) for item in items]
        # The k-th pass of a loop may call the k-th of several modules; what is called k-th is then no matter.
        exact = not any(isinstance(item, Box) and item.why == "step" for item in items)

        def label(position: int) -> Hashable:
            index = place[position]
            inner = self._ground.paths[position][depths[index] :]
            return (
                self._ground.function(position)["name"],
                index,
                inner if exact else tuple(map(without_numbers, inner)),
            )

        return self._certifier.certificate(sorted(place), label)


def _are_passes(items: Sequence[Item]) -> bool:
    return isinstance(items[0], Box) and items[0].why == "step"


def span(first: str, last: str) -> str:
    """One name for `blocks.0` to `blocks.11`, their shared beginning written once. Both may be such names too."""
    first, last = first.split(_TO)[0], last.split(_TO)[-1]
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    shared = max(first.rfind(mark, 0, length) for mark in ". ") + 1
    return f"{first}{_TO}{last[shared:]}"
