"""Folding by line: what one line of code outside of inner modules made, as one box: `loss = cross_entropy(…)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from inspector.graph.places import file_and_line
from inspector.views.cycles import components
from inspector.views.ground import Ground
from inspector.views.items import Box, Item, members

MOST_OF_A_LINE = 12
"""Functions that one line made without a loop."""

_Line = tuple[str, int]


def by_line(ground: Ground, items: list[Item]) -> list[Item]:
    """The items with functions of one line that feed each other as one box."""
    boxes = [_box(ground, group) for group in _groups(ground, items)]
    inside = {position for box in boxes for position in box.positions}
    others = [item for item in items if members(item)[0] not in inside]
    candidates: list[Item] = [*others, *boxes]
    circles = components(ground.following(candidates))
    sizes = Counter(circles)
    for box, circle in zip(boxes, circles[len(others) :], strict=True):
        others += [box] if sizes[circle] == 1 else ground.items(box.positions)
    return ground.sorted(others)


def _groups(ground: Ground, items: Sequence[Item]) -> list[list[int]]:
    """Functions of the same line that touch each other."""
    ignored = _lines_of_modules(ground)
    lines: dict[int, Any] = {}
    for item in items:
        line = None if isinstance(item, Box) else _line(ground, item)
        if line is not None and line not in ignored:
            lines[ground.first(item)] = line
    groups = []
    while lines:
        start, line = lines.popitem()
        group, waiting = [start], [start]
        while waiting:
            position = waiting.pop()
            for other in (*ground.outline.following(position), *ground.arrivals.of(position)):
                if lines.get(other) == line:
                    del lines[other]
                    group.append(other)
                    waiting.append(other)
        if 1 < len(group) <= MOST_OF_A_LINE:
            groups.append(sorted(group))
    return groups


def _lines_of_modules(ground: Ground) -> set[_Line]:
    """Lines that call a module: what they made is not one expression."""
    found = set()
    for position, path in enumerate(ground.paths):
        line = _line(ground, position) if path else None
        if line is not None:
            found.add(line)
    return found


def _line(ground: Ground, position: int) -> _Line | None:
    return file_and_line(ground.function(position)["source"])


def _box(ground: Ground, group: list[int]) -> Box:
    source = ground.function(group[0])["source"]
    assert source is not None and "code" in source
    code = " ".join(source["code"].split())
    leaves = dict.fromkeys(target for position in group for target in ground.outline.following(position))
    return Box("line", code, ground.common_path(group), ground.with_own_leaves([group], list(leaves))[0])
