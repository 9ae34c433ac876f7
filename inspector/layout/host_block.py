"""A host block: a box and everything attached to it, as one block for the layout engine.

Tensor cards and texts are attached beside their function, across the flow, so that the graph is as deep as its
functions and wires never meet a card.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from inspector.layout.graphviz import DotBlock
from inspector.layout.problem import Problem, Route, Size
from inspector.scene.scene import Point

CARD_GAP = 17.0
TEXT_GAP = 7.0
SHELF_GAP = 16.0


class Orientation(Struct, frozen=True):
    """Lengths along and across the flow. Backward directions (RL, BT) are laid out forwards and mirrored at the
    end."""

    horizontal: bool

    def turned(self, pair: tuple[float, float]) -> tuple[float, float]:
        """(x, y) as (along, across), and vice versa."""
        return pair if self.horizontal else (pair[1], pair[0])


class HostBlock(Struct, frozen=True):
    """A block and its boxes. corners: box id → top left corner, relative to the block."""

    block: DotBlock
    corners: dict[str, Point]


def make_host_block(problem: Problem, host: str, hung: Sequence[str], upper: bool) -> HostBlock:
    """The block of `host` and the boxes attached to it, `hung`.

    upper: whether it is in an upper (TB: left) lane of its rank, where attachments go above rather than below.
    """
    flow = Orientation(problem.horizontal)
    sizes = {identifier: flow.turned(problem.sizes[identifier]) for identifier in (host, *hung)}
    near, far = _sides(problem, hung, upper)
    lengths = [_length(shelf, problem.texts, sizes) for shelf in (*near, *far)]
    along = max([sizes[host][0], *lengths]) + 2 * problem.spacing.straight
    whole_along = _even(along)
    room = (whole_along, sizes[host][0] - 2 * problem.spacing.badge)
    before, near_places = _stack(near, problem, sizes, room)
    behind, far_places = _stack(far, problem, sizes, room)
    port = _even(sizes[host][1])
    bands = (_even(before), port, _even(behind))
    places = {host: ((whole_along - sizes[host][0]) / 2, bands[0] + (port - sizes[host][1]) / 2)}
    for identifier, (start, distance) in near_places.items():
        places[identifier] = (start, bands[0] - distance - sizes[identifier][1])
    for identifier, (start, distance) in far_places.items():
        places[identifier] = (start, bands[0] + port + distance)
    width, height = flow.turned((whole_along, sum(bands)))
    corners = {identifier: flow.turned(place) for identifier, place in places.items()}
    return HostBlock(DotBlock(int(width), int(height), bands), corners)


def end_blocks(problem: Problem, hung: Mapping[str, Sequence[str]]) -> dict[str, HostBlock]:
    """Box → its block, for boxes that share the last rank: their cards are beyond them, along the flow.

    hung: box → the boxes attached to it. All blocks have the same length, so that the boxes are aligned.
    """
    flow = Orientation(problem.horizontal)
    lengths = [
        flow.turned(problem.sizes[end])[0] + _beyond(problem, flow, hung.get(end, ())) for end in problem.ends
    ]
    along = _even(max(lengths, default=0.0) + 2 * problem.spacing.straight)
    return {end: _end_block(problem, end, hung.get(end, ()), along) for end in sorted(problem.ends)}


def _beyond(problem: Problem, flow: Orientation, hung: Sequence[str]) -> float:
    """How far the cards attached to a box extend beyond it."""
    cards = [flow.turned(problem.sizes[card])[0] for card in hung if card not in problem.texts]
    return CARD_GAP + max(cards) if cards else 0.0


def _end_block(problem: Problem, host: str, hung: Sequence[str], along: int) -> HostBlock:
    """A box with its cards side by side beyond it, and its texts beside it."""
    flow, straight = Orientation(problem.horizontal), problem.spacing.straight
    sizes = {identifier: flow.turned(problem.sizes[identifier]) for identifier in (host, *hung)}
    cards = [identifier for identifier in hung if identifier not in problem.texts]
    shelves, _ = _sides(problem, [identifier for identifier in hung if identifier in problem.texts], True)
    room = (sizes[host][0], sizes[host][0] - 2 * problem.spacing.badge)
    beside, places = _stack(shelves, problem, sizes, room)
    wide = sum(sizes[card][1] for card in cards) + SHELF_GAP * max(len(cards) - 1, 0)
    port = _even(sizes[host][1])
    bands = _even(max(beside, (wide - port) / 2)), port, _even(max((wide - port) / 2, 0.0))
    middle = bands[0] + port / 2
    found = {host: (straight, middle - sizes[host][1] / 2)}
    for identifier, (start, distance) in places.items():
        found[identifier] = (straight + start, bands[0] - distance - sizes[identifier][1])
    across = middle - wide / 2
    for card in cards:
        found[card] = (straight + sizes[host][0] + CARD_GAP, across)
        across += sizes[card][1] + SHELF_GAP
    if problem.flipped:  # the flow runs from the leaves
        found = {box: (along - start - sizes[box][0], across) for box, (start, across) in found.items()}
    width, height = flow.turned((along, sum(bands)))
    return HostBlock(DotBlock(int(width), int(height), bands), {box: flow.turned(at) for box, at in found.items()})


def label_block(problem: Problem, route: Route, upper: bool) -> DotBlock:
    """The block of a wire's text, which the wire passes below (upper) or above; with two texts, between them."""
    flow = Orientation(problem.horizontal)
    along, across = flow.turned(route.label)
    further, beyond = flow.turned(route.below)
    text, wire, other = _even(across), 4, _even(beyond)
    bands = (text, wire, other) if upper or other else (0, wire, text)
    width, height = flow.turned((_even(max(along, further)), sum(bands)))
    return DotBlock(int(width), int(height), bands)


def _sides(problem: Problem, hung: Sequence[str], upper: bool) -> tuple[list[list[str]], list[list[str]]]:
    """The attachments before and after the host: shelves from the host outwards, each a row along the flow.

    Lines of text are stacked in either orientation.
    """
    lines = [identifier for identifier in hung if identifier in problem.texts]
    texts = [[line] for line in lines] if problem.horizontal else [lines] if lines else []
    cards = [identifier for identifier in hung if identifier not in problem.texts]
    if texts or len(cards) < 2:
        own, other = [cards] if cards else texts, texts if cards else []
    else:
        half = (len(cards) + 1) // 2
        own, other = [cards[:half]], [cards[half:]]
    return (own, other) if upper else (other, own)


def _step(shelf: Sequence[str], texts: frozenset[str]) -> float:
    """The gap between two boxes on a shelf."""
    return 0.0 if shelf[0] in texts else SHELF_GAP


def _length(shelf: Sequence[str], texts: frozenset[str], sizes: Mapping[str, Size]) -> float:
    return sum(sizes[identifier][0] for identifier in shelf) + _step(shelf, texts) * (len(shelf) - 1)


def _stack(
    shelves: Sequence[Sequence[str]], problem: Problem, sizes: Mapping[str, Size], room: Point
) -> tuple[float, dict[str, Point]]:
    """The extent of the shelves across the flow, and box id → (start along, distance from the host).

    room: the lengths of the block and of the part of its host that is clear of the badge.
    """
    reached, places = 0.0, {}
    for shelf in shelves:
        length = _length(shelf, problem.texts, sizes)
        reached += _gap(shelf, problem, (length, room[1]), not reached)
        start = (room[0] - length) / 2
        for identifier in shelf:
            places[identifier] = (start, reached)
            start += sizes[identifier][0] + _step(shelf, problem.texts)
        reached += max(sizes[identifier][1] for identifier in shelf)
    return reached, places


def _gap(shelf: Sequence[str], problem: Problem, room: tuple[float, float], first: bool) -> float:
    """The gap before a shelf. room: the length of the shelf, and of the part of the host that is clear of the
    badge."""
    if shelf[0] not in problem.texts:
        return CARD_GAP if len(shelf) == 1 else 1.5 * CARD_GAP  # links fan out to several cards
    return problem.spacing.badge if first and room[0] > room[1] else TEXT_GAP


def _even(length: float) -> int:
    """The next even whole number: dot's tables use whole points, and the middle must be one too."""
    return 2 * math.ceil(length / 2)
