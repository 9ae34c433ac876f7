"""Lay out large problems in parts: cut where everything passes through one box, and lay out equal parts once.

A waist is a box through which every gradient to anything below it passes: the sum at the end of a residual block,
or a layer of a chain. The graph above it and below it can be laid out separately; the parts meet in the waist. So
the twelve blocks of a transformer are two small layouts, placed twelve times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from graphlib import TopologicalSorter

from msgspec import Struct
from msgspec.structs import replace

from inspector.layout.problem import TIE, Placement, Problem, Route, Size

LEAST = 8
"""Number of boxes above which a part is large enough."""

Place = Callable[[Problem], Placement]


def place_segments(problem: Problem, place: Place) -> Placement:
    """`place(problem)`, part by part. Raises the errors of `place`."""
    parts = list(_parts(problem, _cut(problem)))
    known: dict[object, Placement] = {}
    whole = Placement({}, {}, {}, {})
    for part, top in parts:
        names = {identifier: f"{number:06d}" for number, identifier in enumerate(part.sizes)}
        renamed = _renamed(part, names)
        key = _key(renamed)
        if key not in known:
            known[key] = place(renamed)
        _stamp(whole, known[key], part, names, top)
    return whole


# ---- where to cut -----------------------------------------------------------------------------------------

_Part = tuple[list[str], tuple[str, str]]
"""The boxes with wires, in order, and the ids of the waists at the start and end (empty at an end of the
graph)."""


class _Piece(Struct):
    """What is between two waists, these included: bits of the boxes with wires. end: the waist below it; -1 at the
    end of the graph. is_line: whether it is one box after the other."""

    bits: int
    end: int
    is_line: bool


def _cut(problem: Problem) -> list[_Part]:
    """The parts: pieces between waists together until they are large, and lines apart from what branches, so that
    equal blocks are equal parts whatever precedes and follows them."""
    hosts = [identifier for identifier in problem.sizes if identifier not in problem.hanging]
    parts: list[_Part] = []
    held, top, end, is_line = 0, "", -1, True
    for piece in _pieces(problem, hosts):
        if held.bit_count() > LEAST or (held and is_line and piece.bits.bit_count() > LEAST):
            parts.append((_members(held, hosts), (top, hosts[end])))
            held, top, is_line = 0, hosts[end], True
        held, end, is_line = held | piece.bits, piece.end, is_line and piece.is_line
    return [*parts, (_members(held, hosts), (top, ""))]


def _pieces(problem: Problem, hosts: Sequence[str]) -> Iterator[_Piece]:
    """The graph cut at all its waists, from the root on."""
    index = {identifier: number for number, identifier in enumerate(hosts)}
    following: list[list[int]] = [[] for _ in hosts]
    for route in problem.routes:
        source, target = index[route.source], index[route.target]
        if problem.flipped:
            source, target = target, source
        following[source].append(target)
    below, entered = _reach(following)
    hung = {index[host] for host in problem.hanging.values() if host in index}
    waists = [
        number
        for number in range(len(hosts))
        if number not in hung and below[number] and not entered[number] & ~(below[number] | 1 << number)
    ]
    waists.sort(key=lambda number: -below[number].bit_count())
    branches = sum(1 << number for number, targets in enumerate(following) if len(set(targets)) != 1)
    left, top = (1 << len(hosts)) - 1, -1
    for number in waists:
        if left >> number & 1 and number != top:
            bits = left & ~below[number]
            yield _Piece(bits, number, not bits & branches & ~(1 << number))
            left, top = below[number] | 1 << number, number
    yield _Piece(left, -1, (left & branches).bit_count() <= 1)


def _members(bits: int, hosts: Sequence[str]) -> list[str]:
    members = []
    while bits:
        lowest = bits & -bits
        members.append(hosts[lowest.bit_length() - 1])
        bits ^= lowest
    return members


def _reach(following: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """For each box, as bit sets: its descendants, and all boxes with an edge to one of them."""
    above = [0] * len(following)
    for number, targets in enumerate(following):
        for target in targets:
            above[target] |= 1 << number
    below, entered = [0] * len(following), [0] * len(following)
    for number in TopologicalSorter(dict(enumerate(following))).static_order():  # what follows comes first
        for target in following[number]:
            below[number] |= below[target] | 1 << target
            entered[number] |= entered[target] | above[target]
    return below, entered


# ---- one part ---------------------------------------------------------------------------------------------


def _parts(problem: Problem, cut: Sequence[_Part]) -> Iterator[tuple[Problem, str]]:
    """The problem of each part, and the waist that it starts with. A waist belongs to two parts: what hangs on it,
    and the wires to it, to the first."""
    owner = {box: number for number, (members, (top, _)) in enumerate(cut) for box in members if box != top}
    begins = {top: number for number, (_, (top, _)) in enumerate(cut) if top}
    sizes: list[dict[str, Size]] = [{} for _ in cut]
    routes: list[list[Route]] = [[] for _ in cut]
    for box, size in problem.sizes.items():
        sizes[owner[problem.hanging.get(box, box)]][box] = size
        if box in begins:
            sizes[begins[box]][box] = size
    for route in problem.routes:
        routes[owner[route.source if problem.flipped else route.target]].append(route)
    for number, (members, (top, bottom)) in enumerate(cut):
        ties = _ties(members, bottom, routes[number], problem.flipped)
        yield _part(problem, sizes[number], (*routes[number], *ties)), top


def _ties(members: Sequence[str], bottom: str, routes: Sequence[Route], flipped: bool) -> list[Route]:
    """Routes that keep boxes without a further wire above the waist at the end of a part."""
    if not bottom:
        return []
    far = {route.target if flipped else route.source for route in routes}
    loose = [box for box in members if box not in far and box != bottom]
    return [Route(f"{TIE}{box}", *((bottom, box) if flipped else (box, bottom))) for box in loose]


def _part(problem: Problem, sizes: dict[str, Size], routes: tuple[Route, ...]) -> Problem:
    hanging, shapes = problem.hanging, problem.shapes
    own = {box: hanging[box] for box in sizes if box in hanging}
    return replace(
        problem,
        sizes=sizes,
        hanging=own,
        texts=problem.texts & own.keys(),
        routes=routes,
        shapes={box: shapes[box] for box in sizes if box in shapes},
    )


def _renamed(part: Problem, names: dict[str, str]) -> Problem:
    """The part with boxes and routes named by number, so that equal parts are equal."""
    routes = [
        Route(f"{number:06d}", names[route.source], names[route.target], route.label, route.below, route.level)
        for number, route in enumerate(part.routes)
    ]
    return replace(
        part,
        sizes={names[box]: size for box, size in part.sizes.items()},
        hanging={names[box]: names[host] for box, host in part.hanging.items()},
        texts=frozenset(names[box] for box in part.texts),
        routes=tuple(routes),
        shapes={names[box]: shape for box, shape in part.shapes.items()},
    )


def _key(part: Problem) -> object:
    """A key that equal parts share."""
    return (
        part.direction,
        tuple(part.sizes.items()),
        tuple(part.hanging.items()),
        part.texts,
        part.routes,
        tuple(part.shapes.items()),
    )


def _stamp(whole: Placement, placed: Placement, part: Problem, names: dict[str, str], top: str) -> None:
    """Add a part to the whole, at the waist they share."""
    if top:
        here, there = placed.boxes[names[top]], whole.boxes[top]
        placed = placed.moved(there.x - here.x, there.y - here.y)
    for box, name in names.items():
        if box != top:
            whole.boxes[box] = placed.boxes[name]
    routes = {f"{number:06d}": route.id for number, route in enumerate(part.routes)}
    for wire, points in placed.wires.items():
        if not routes[wire].startswith(TIE):
            whole.wires[routes[wire]] = points
    whole.labels.update({routes[wire]: room for wire, room in placed.labels.items()})
    whole.below.update({routes[wire]: room for wire, room in placed.below.items()})
