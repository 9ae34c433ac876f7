"""Folding by module: what lies right below a module's path, as one box a module, or one box a call of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from inspector.views.cycles import components
from inspector.views.ground import Ground
from inspector.views.items import Box, Item
from inspector.views.outline import Path

MOST_CALLS = 6
"""A module called at more places than this is looked at as a loop."""


def by_module(ground: Ground, positions: Sequence[int], path: Path) -> list[Item]:
    """The modules right below `path` as boxes, and the functions that are in none of them."""
    depth = len(path)
    below: dict[str, list[int]] = {}
    items: list[Item] = []
    for item in ground.items(positions):
        first = ground.first(item) if isinstance(item, Box) else item
        own = ground.paths[first]
        if len(own) > depth:
            below.setdefault(own[depth], []).append(first)
        else:
            items.append(item)
    for part, inside in below.items():
        items += _module(ground, inside, (*path, part))
    return ground.sorted(_by_call(ground, items))


def _module(ground: Ground, inside: list[int], path: Path) -> list[Item]:
    """One module as a box; one item alone, and mere leaves, stay by themselves.

    Where a module holds but another one, the box has that one's path.
    """
    if len(inside) == 1 or all(ground.is_leaf(position) for position in inside):
        return ground.items(inside)
    return [Box("module", ".".join(path), ground.common_path(inside), ground.whole(inside))]


def _by_call(ground: Ground, items: list[Item]) -> list[Item]:
    """Modules that were called at several places, and so are in a circle with others, as one box a call."""
    circles = components(ground.following(items))
    sizes = Counter(circles)
    result: list[Item] = []
    for item, circle in zip(items, circles, strict=True):
        if sizes[circle] > 1 and isinstance(item, Box) and item.why == "module":
            result += _calls(ground, item)
        else:
            result.append(item)
    return result


def _calls(ground: Ground, box: Box) -> list[Item]:
    """The parts of a module that do not touch, but for shared leaves; the box itself if they are one, or many."""
    parts = _separate(ground, box)
    if not 1 < len(parts) <= MOST_CALLS:
        return [box]
    parts = [ground.whole(part) for part in ground.with_own_leaves(parts, box.positions)]
    parts = [part for part in parts if part]
    left = set(box.positions).difference(*parts)
    parts.sort(key=lambda part: min(ground.turns[position] for position in part), reverse=True)
    calls: list[Item] = []
    for number, part in enumerate(parts, start=1):
        items = ground.items(part)
        calls += items if len(items) == 1 else [Box("call", f"{box.label}, call {number}", box.path, part)]
    return [*calls, *ground.items(sorted(left))]


def _separate(ground: Ground, box: Box) -> list[list[int]]:
    """The functions of a box in parts between which no edge runs; without leaves."""
    left = {position for position in box.positions if not ground.is_leaf(position)}
    parts: list[list[int]] = []
    for start in box.positions:
        waiting, part = [start], list[int]()
        while waiting:
            position = waiting.pop()
            if position in left:
                left.remove(position)
                part.append(position)
                waiting += [*ground.outline.following(position), *ground.arrivals.of(position)]
        if part:
            parts.append(sorted(part))
    return parts
