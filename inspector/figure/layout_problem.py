"""One layout problem for all frames of a figure, so that every frame has the same geometry."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from inspector.figure.box_shapes import LABEL_PADDING, box_size, label_size, levelled, size_box, size_label
from inspector.layout.problem import ROOMY, Problem, Route, Size, Spacing
from inspector.options.choices import Direction
from inspector.styles.plan import Plan, PlannedBox, PlannedWire, StyledText

_OPPOSITE: dict[Direction, Direction] = {"LR": "RL", "RL": "LR", "TB": "BT", "BT": "TB"}
MANY = 100
"""Number of boxes from which boxes that differ only in numbers get the same size."""
_STEP = 16.0
"""Points; above `MANY` boxes the width of a pill is a multiple of it."""
_NUMBER = re.compile(r"-?\d[\d.,]*(?:e[+-]?\d+)?")
_LONG = 5
"""Maximum number of boxes in a row that fit a slide from left to right."""


def fit_plans(plans: Sequence[Plan]) -> list[Plan]:
    """The plans with all texts fitted, and the rows of a card with the same height in each plan."""
    cards: dict[str, list[PlannedBox]] = {}
    fitting = [[size_box(box) for box in plan.boxes] for plan in plans]
    for boxes in fitting:
        for box in boxes:
            cards.setdefault(box.id, []).append(box)
    level = {identifier: iter(levelled(boxes)) for identifier, boxes in cards.items()}
    return [
        replace(
            plan,
            boxes=tuple(next(level[box.id]) for box in boxes),
            wires=tuple(map(size_label, plan.wires)),
        )
        for plan, boxes in zip(plans, fitting, strict=True)
    ]


def is_link(wire: PlannedWire, hanging: dict[str, str]) -> bool:
    """Whether a wire only links an attached box to its host."""
    return hanging.get(wire.source) == wire.target or hanging.get(wire.target) == wire.source


def merged_hanging(plans: Iterable[Plan]) -> dict[str, str]:
    """Box → host, over all moments."""
    return {identifier: host for plan in plans for identifier, host in plan.hanging.items()}


def make_problem(plans: Sequence[Plan], direction: Direction | None, spacing: Spacing = ROOMY) -> Problem:
    """The layout problem: all boxes and wires of all moments, each with its maximum size.

    plans: fitted plans. direction: None for the direction that suits the graph. spacing: the distances.
    """
    sizes: dict[str, Size] = {}
    labels: dict[str, tuple[Size, Size]] = {}
    wires: dict[str, PlannedWire] = {}
    hanging = merged_hanging(plans)
    padding = min(LABEL_PADDING, spacing.straight)
    for plan in plans:
        for box in plan.boxes:
            sizes[box.id] = _larger(sizes.get(box.id), box_size(box))
        for wire in plan.wires:
            if not is_link(wire, hanging):
                wires[wire.id] = wire
                label, below = labels.get(wire.id, (None, None))
                own = label_size(wire.label, padding), label_size(wire.below, padding)
                labels[wire.id] = (_larger(label, own[0]), _larger(below, own[1]))
    if len(sizes) >= MANY:
        sizes = _alike(plans, sizes)
    texts = frozenset(box.id for plan in plans for box in plan.boxes if box.shape == "plain") & hanging.keys()
    routes = tuple(Route(wire.id, wire.source, wire.target, *labels[wire.id]) for wire in wires.values())
    shapes = {box.id: box.shape for plan in plans for box in plan.boxes}
    way = direction or suitable_direction(routes)
    flipped = any(wire.head == "source" for wire in wires.values())
    if flipped:
        way = _OPPOSITE[way]
        routes = tuple(Route(one.id, one.target, one.source, one.label, one.below) for one in routes)
    return Problem(way, sizes, hanging, texts, routes, shapes, flipped, spacing)


def _alike(plans: Iterable[Plan], sizes: dict[str, Size]) -> dict[str, Size]:
    """The sizes, made equal for boxes whose texts differ only in numbers, and for operations that differ a little
    in width, so that `blocks.9` and `blocks.10` look alike and are laid out once."""
    families: dict[str, str] = {}
    largest: dict[str, Size] = {}
    names: dict[tuple[str, ...], str] = {}
    for plan in plans:
        for box in plan.boxes:
            words = (box.shape, *[words.text for words in _words(box)])
            name = names.get(words)
            if name is None:
                name = names[words] = _NUMBER.sub("#", "\n".join(words))
            families.setdefault(box.id, name)
            width, height = sizes[box.id]
            if box.shape == "pill":
                width = math.ceil(width / _STEP) * _STEP
            largest[name] = _larger(largest.get(name), (width, height))
    return {identifier: largest[families[identifier]] for identifier in sizes}


def _words(box: PlannedBox) -> tuple[StyledText, ...]:
    """All texts of a box."""
    return (*box.texts, *(words for row in box.rows for words in row.lines)) if box.rows else box.texts


def suitable_direction(routes: Sequence[Route]) -> Direction:
    """Left to right, or top to bottom if the longest path has too many boxes for the width of a slide."""
    ends = {route.target for route in routes}  # of paths of one wire, then of two, …
    for _ in range(_LONG - 1):
        ends = {route.target for route in routes if route.source in ends}
    return "TB" if ends else "LR"


def _larger(one: Size | None, other: Size) -> Size:
    return other if one is None else (max(one[0], other[0]), max(one[1], other[1]))
