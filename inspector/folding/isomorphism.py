"""Find isomorphic parts: equal names, module-relative paths, parameter shapes, slots and ports.

A certificate is the part written down in a canonical walk from its entrances, so equal certificates *are* an
isomorphism and do not rely on a hash. (Two equal parts whose entrances cannot be distinguished may in theory get
different certificates, and are then shown as two.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy

from inspector.folding.columns import Columns, numbered, present
from inspector.folding.part_shape import PartShapes
from inspector.folding.parts import Parts

StructureKey = tuple[Any, ...]
Label = Callable[[int], Any]
"""Position → the properties that must be equal: name, place within the part."""

_Edge = tuple[int, int, int, int]
"""An edge of a function: its slot, its input_nr, its target, and the target as seen from outside of the part."""

LONGEST_PERIOD = 8
"""Maximum period of alternating parts (a local and a global attention layer)."""
_FEW = 100
"""Functions of several parts for which their shapes would take longer than their certificates."""
_OUTSIDE = -1


class IsomorphismKey:
    """Certificates of parts of one Graph; they can be compared with each other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._of = of = columns.topology
        self._numbers: dict[Any, int] = {}
        self._edges: dict[int, list[_Edge]] = {}
        self._shapes = {
            of.index[function]: tuple(of.tensors.shape(leaf)) for function, leaf in of.leaves.items()
        }

    def signs(self, parts: Parts, labels: Sequence[Any]) -> list[int]:
        """A number for each part, the same for isomorphic ones.

        labels: for each part, what must be equal of each function of the graph, as an array of numbers; parts of
        the same array are compared at once.
        """
        signs, sizes = numpy.arange(len(parts)), parts.sizes
        for size in present(sizes):
            indexes = numpy.flatnonzero(sizes == size)
            if len(indexes) > 1:  # a part of a size of its own is like no other
                signs[indexes] = self._alike(parts, indexes, labels)
        found: list[int] = signs.tolist()
        return found

    def _alike(self, parts: Parts, indexes: Any, labels: Sequence[Any]) -> Any:
        """For each of several parts of one size, the first that is isomorphic."""
        shapes = self._shapes_of(parts, indexes, labels)
        if not shapes.any():
            return indexes[0]
        firsts = numpy.full(int(shapes.max()) + 1, len(parts))
        numpy.minimum.at(firsts, shapes, indexes)
        known: dict[StructureKey, int] = {}
        for place in numpy.argsort(firsts).tolist():
            index = int(firsts[place])
            key = self.key_of(parts[index].tolist(), labels[index].item)
            firsts[place] = known.setdefault(key, index)
        return firsts[shapes]

    def _shapes_of(self, parts: Parts, indexes: Any, labels: Sequence[Any]) -> Any:
        """Numbers for parts of one size that are equal only where their shapes are."""
        size = int(parts.sizes[indexes[0]])
        if size * len(indexes) < _FEW:
            return numpy.arange(len(indexes))
        kinds = numbered([id(labels[index]) for index in indexes.tolist()])
        found, known = numpy.zeros(len(indexes), numpy.int64), 0
        for kind in range(int(kinds.max()) + 1):
            chosen = kinds == kind
            rows = parts.starts[indexes[chosen]][:, None] + numpy.arange(size)
            found[chosen] = self._part_shapes.shapes_of(parts.flat[rows], labels[indexes[chosen][0]]) + known
            known = int(found.max()) + 1
        return found

    @cached_property
    def _part_shapes(self) -> PartShapes:
        return PartShapes(self._columns, list(map(self._shapes.get, range(len(self._of)))))

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
            of, is_leaf = self._of, self._of.leaf_flags
            own = slice(of.starts[position], of.starts[position + 1])
            found = self._edges[position] = [
                (slot, input_nr, target, target if is_leaf[target] else _OUTSIDE)
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


def repeated_runs(certificates: Sequence[Any], least: int) -> list[tuple[int, int, int]]:
    """(start, period, repetitions) of every run that repeats at least `least` times, from left to right."""
    found, start = [], 0
    while start < len(certificates):
        best = (1, 1)
        for period in range(1, min(LONGEST_PERIOD, (len(certificates) - start) // least) + 1):
            end = start + period
            while end < len(certificates) and certificates[end] == certificates[end - period]:
                end += 1
            repetitions = (end - start) // period
            if repetitions >= least and repetitions * period > best[0] * best[1]:
                best = (period, repetitions)
                if end == len(certificates) and period == 1:
                    break  # no longer period covers more
        if best[1] >= least:
            found.append((start, *best))
        start += best[0] * best[1]
    return found
