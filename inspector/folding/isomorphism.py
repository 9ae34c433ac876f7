"""Find isomorphic parts: equal names, module-relative paths, parameter shapes, slots and ports.

A certificate is the part written down in a canonical walk from its entrances, so equal certificates *are* an
isomorphism and do not rely on a hash. (Two equal parts whose entrances cannot be distinguished may in theory get
different certificates, and are then shown as two.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy

from inspector.folding.columns import Columns, present
from inspector.folding.graph_parts import GraphParts
from inspector.folding.part_shape import PartShapes, outside_of_parts

StructureKey = tuple[Any, ...]
Label = Callable[[int], Any]
"""Position → the properties that must be equal: name, place within the part."""

_Edge = tuple[int, int, int, int]
"""An edge of a function: its slot, its input_nr, its target, and what the target is outside of the part."""

LONGEST_PERIOD = 8
"""Maximum period of alternating parts (a local and a global attention layer)."""
_FEW = 100
"""Functions of several parts for which their shapes would take longer than their certificates."""


class IsomorphismKey:
    """Certificates of parts of one Graph; they can be compared with each other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._of = of = columns.topology
        self._numbers: dict[Any, int] = {}
        self._edges: dict[int, list[_Edge]] = {}
        self._shapes = {
            of.leaf_index[function]: tuple(of.tensors.shape(leaf)) for function, leaf in of.leaves.items()
        }
        self._beyond = outside_of_parts(of)

    def signs(self, parts: GraphParts, of_parts: Any, labels: Mapping[int, Any]) -> Any:
        """A number for each part, the same for isomorphic ones, as an array.

        labels: what must be equal of each function of the graph, as an array of numbers. of_parts: an array with
        the key in `labels` for each part; parts of one key are compared at once.
        """
        signs, sizes = numpy.arange(len(parts)), parts.sizes
        for size in present(sizes):
            indexes = numpy.flatnonzero(sizes == size)
            if len(indexes) > 1:  # a part of a size of its own is like no other
                signs[indexes] = self._alike(parts, indexes, of_parts, labels)
        return signs

    def _alike(self, parts: GraphParts, indexes: Any, of_parts: Any, labels: Mapping[int, Any]) -> Any:
        """For each of several parts of one size, the first that is isomorphic."""
        shapes = self._shapes_of(parts, indexes, of_parts[indexes], labels)
        if not shapes.any():
            return indexes[0]
        firsts = numpy.full(int(shapes.max()) + 1, len(parts))
        numpy.minimum.at(firsts, shapes, indexes)
        known: dict[StructureKey, int] = {}
        for place in numpy.argsort(firsts).tolist():
            index = int(firsts[place])
            key = self.key_of(parts[index].tolist(), labels[int(of_parts[index])].item)
            firsts[place] = known.setdefault(key, index)
        return firsts[shapes]

    def _shapes_of(self, parts: GraphParts, indexes: Any, of_parts: Any, labels: Mapping[int, Any]) -> Any:
        """Numbers for parts of one size that are equal only where their shapes are."""
        size = int(parts.sizes[indexes[0]])
        if size * len(indexes) < _FEW:
            return numpy.arange(len(indexes))
        found, known = numpy.zeros(len(indexes), numpy.int64), 0
        for kind in present(of_parts):
            chosen = of_parts == kind
            rows = parts.starts[indexes[chosen]][:, None] + numpy.arange(size)
            found[chosen] = self._part_shapes.shapes_of(parts.flat[rows], labels[kind]) + known
            known = int(found[chosen].max()) + 1
        return found

    @cached_property
    def _part_shapes(self) -> PartShapes:
        colors = numpy.zeros(len(self._of), numpy.int32)  # of leaves, a number for their shape
        numbers: dict[Any, int] = {}
        for position, shape in self._shapes.items():
            colors[position] = numbers.setdefault(shape, len(numbers) + 1)
        return PartShapes(self._columns, colors, self._beyond)

    def key_of(self, positions: Sequence[int], label: Label) -> StructureKey:
        """The certificate of a part."""
        if len(positions) == 1:
            return self._key_of_one(positions[0], label(positions[0]))
        inside, turns = set(positions), self._of.turns
        below = self._below(positions, inside, label)
        doors = {position: self._doors(position, inside) for position in positions}
        first = [position for position in positions if doors[position]]
        first.sort(key=lambda position: (below[position], turns[position]))
        rest = sorted(positions, key=lambda position: turns[position])
        order = self._walk([*first, *rest], inside)
        return tuple([
            (
                below[position],
                doors[position],
                tuple([
                    (slot, input_nr, order[target]) if target in inside else (slot, beyond)
                    for slot, input_nr, target, beyond in self._leaving(position)
                ]),
            )
            for position in order
        ])

    def _key_of_one(self, position: int, label: Any) -> StructureKey:
        edges = tuple([(slot, input_nr, beyond) for slot, input_nr, _, beyond in self._leaving(position)])
        key = (label, self._shapes.get(position), edges)
        below = self._numbers.setdefault(key, len(self._numbers))
        return below, self._doors(position, {position})

    def _doors(self, position: int, inside: set[int]) -> tuple[int, ...]:
        """The outputs at which gradients arrive from outside, regardless of their number and source."""
        doors = self._of.arrivals.outputs_entered(position, inside)
        if position in self._of.roots:
            doors.add(0)
        return tuple(sorted(doors)) if len(doors) > 1 else tuple(doors)

    def _below(self, positions: Sequence[int], inside: set[int], label: Label) -> dict[int, int]:
        """A number for each function that identifies its subgraph within the part (a Merkle hash, but exact)."""
        below: dict[int, int] = {}
        for position in sorted(positions, key=self._of.turns.__getitem__, reverse=True):
            edges = tuple([
                (slot, input_nr, below[target]) if target in inside else (slot, beyond)
                for slot, input_nr, target, beyond in self._leaving(position)
            ])
            key = (label(position), self._shapes.get(position), edges)
            below[position] = self._numbers.setdefault(key, len(self._numbers))
        return below

    def _leaving(self, position: int) -> list[_Edge]:
        """The edges of a function, by slot. A target outside of a part counts only if it is a leaf."""
        found = self._edges.get(position)
        if found is None:
            of, beyond = self._of, self._beyond
            own = slice(of.starts[position], of.starts[position + 1])
            found = self._edges[position] = [
                (slot, input_nr, target, beyond[target])
                for slot, input_nr, target in zip(
                    of.edges.slots[own], of.edges.input_nrs[own], of.targets[own], strict=True
                )
            ]
        return found

    def _walk(self, starts: Sequence[int], inside: set[int]) -> dict[int, int]:
        """Position → its index in a depth-first walk by slots."""
        order: dict[int, int] = {}
        for start in starts:
            stack = [start]
            while stack:
                position = stack.pop()
                if position in order:
                    continue
                order[position] = len(order)
                stack.extend([target for target in reversed(self._of.following(position)) if target in inside])
        return order


def repeated_runs(signs: Any, least: int) -> list[tuple[int, int, int]]:
    """(start, period, repetitions) of every run that repeats at least `least` times, from left to right.

    signs: an array.
    """
    found, start, changes = [], 0, dict[int, list[int]]()
    while start < len(signs):
        best = (1, 1)
        for period in range(1, min(LONGEST_PERIOD, (len(signs) - start) // least) + 1):
            if period not in changes:
                changes[period] = (numpy.flatnonzero(signs[period:] != signs[:-period]) + period).tolist()
            place = bisect_left(changes[period], start + period)
            end = changes[period][place] if place < len(changes[period]) else len(signs)
            repetitions = (end - start) // period
            if repetitions >= least and repetitions * period > best[0] * best[1]:
                best = (period, repetitions)
                if end == len(signs) and period == 1:
                    break  # no longer period covers more
        if best[1] >= least:
            found.append((start, *best))
        start += best[0] * best[1]
    return found
