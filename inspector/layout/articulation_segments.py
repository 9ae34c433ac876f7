"""Lay out large problems in parts: cut where everything passes through one box, and lay out equal parts once.

A waist is a box through which every gradient to anything below it passes: the sum at the end of a residual block,
or a layer of a chain. The graph above it and below it can be laid out separately; the parts meet in the waist. So
the twelve blocks of a transformer are two small layouts, placed twelve times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

from msgspec.structs import replace

from inspector.layout.problem import TIE, Placement, Problem, Route

LEAST = 8
"""Minimum boxes of a part."""

Place = Callable[[Problem], Placement]


def place_segments(problem: Problem, place: Place) -> Placement:
    """`place(problem)`, part by part. Raises the errors of `place`."""
    parts = [_part(problem, members, ends) for members, ends in _cut(problem)]
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


def _cut(problem: Problem) -> list[_Part]:
    hosts = [identifier for identifier in problem.sizes if identifier not in problem.hanging]
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
    parts: list[_Part] = []
    left, top = (1 << len(hosts)) - 1, ""
    for number in waists:
        size = (left & ~below[number]).bit_count()
        if left >> number & 1 and hosts[number] != top and size > LEAST and below[number].bit_count() >= LEAST:
            parts.append((_members(left & ~below[number], hosts), (top, hosts[number])))
            left, top = below[number] | 1 << number, hosts[number]
    return [*parts, (_members(left, hosts), (top, ""))]


def _members(bits: int, hosts: Sequence[str]) -> list[str]:
    return [host for number, host in enumerate(hosts) if bits >> number & 1]


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


def _part(problem: Problem, members: Sequence[str], ends: tuple[str, str]) -> tuple[Problem, str]:
    """The problem of one part, and the waist it starts with."""
    top, bottom = ends
    inside = set(members)
    hanging = {box: host for box, host in problem.hanging.items() if host in inside and host != top}
    sizes = {box: size for box, size in problem.sizes.items() if box in inside or box in hanging}
    routes = [route for route in problem.routes if route.source in inside and route.target in inside]
    if bottom:
        far = {route.target if problem.flipped else route.source for route in routes}
        loose = [box for box in members if box not in far and box != bottom]
        ends_of = (lambda box: (bottom, box)) if problem.flipped else (lambda box: (box, bottom))
        routes += [Route(f"{TIE}{box}", *ends_of(box)) for box in loose]
    shapes = {box: shape for box, shape in problem.shapes.items() if box in sizes}
    part = replace(
        problem,
        sizes=sizes,
        hanging=hanging,
        texts=problem.texts & hanging.keys(),
        routes=tuple(routes),
        shapes=shapes,
    )
    return part, top


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
        tuple(sorted(part.shapes.items())),
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
