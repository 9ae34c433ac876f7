"""Find isomorphic parts: equal names, module-relative paths, parameter shapes, slots and ports.

A certificate is the part written down in a canonical walk from its entrances, so equal certificates *are* an
isomorphism and do not rely on a hash. (Two equal parts whose entrances cannot be distinguished may in theory get
different certificates, and are then shown as two.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any

from inspector.folding.part_shape import PartShapes, outside_of_parts
from inspector.graph.topology import Topology

StructureKey = tuple[Any, ...]
Label = Callable[[int], Any]
"""Position → the properties that must be equal: name, place within the part."""

_Edge = tuple[int, int, int, int]
"""An edge of a function: its slot, its input_nr, its target, and what the target is outside of the part."""

LONGEST_PERIOD = 8
"""Maximum period of alternating parts (a local and a global attention layer)."""
_FEW = 40
"""Functions of a part for which its shape would take longer than its certificate."""


class IsomorphismKey:
    """Certificates of parts of one Graph; they can be compared with each other."""

    def __init__(self, of: Topology) -> None:
        self._of, self._turns = of, of.turns
        self._numbers: dict[Any, int] = {}
        self._edges: dict[int, list[_Edge]] = {}
        self._of_shapes: dict[Hashable, StructureKey] = {}
        self._shapes = {
            of.index[function]: tuple(of.tensors.shape(leaf)) for function, leaf in of.leaves.items()
        }
        self._beyond = outside_of_parts(of)

    def key_of_equal(self, positions: Sequence[int], label: Label, labels: Any) -> StructureKey:
        """`key_of`, found once for parts of the same shape. labels: a number for the label of each function."""
        if len(positions) < _FEW:
            return self.key_of(positions, label)
        shape = self._part_shapes.shape_of(positions, labels)
        if shape not in self._of_shapes:
            self._of_shapes[shape] = self.key_of(positions, label)
        return self._of_shapes[shape]

    def shapes_of_many(self, parts: Sequence[Sequence[int]], labels: Any) -> list[bytes]:
        """A text for each of many parts of one size that have no function in common: where it is equal, the
        certificate is, too."""
        return self._part_shapes.shapes_of_many(parts, labels)

    def signs_of_single(self, positions: Sequence[int], labels: Any) -> list[int] | None:
        """Numbers that are equal where `key_of_one` is; None if they cannot be found for all functions at once."""
        return self._part_shapes.shapes_of_single(positions, labels)

    @cached_property
    def _part_shapes(self) -> PartShapes:
        return PartShapes(self._of, map(self._shapes.get, range(len(self._of))), self._beyond)

    def key_of(self, positions: Sequence[int], label: Label) -> StructureKey:
        """The certificate of a part."""
        if len(positions) == 1:
            return self.key_of_one(positions[0], label(positions[0]))
        inside = set(positions)
        below = self._below(positions, inside, label)
        doors = {position: self._doors(position, inside) for position in positions}
        first = [position for position in positions if doors[position]]
        first.sort(key=lambda position: (below[position], self._turns[position]))
        rest = sorted(positions, key=lambda position: self._turns[position])
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

    def key_of_one(self, position: int, label: Any) -> StructureKey:
        """The certificate of a single function, of which there may be many. label: its properties."""
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
        for position in sorted(positions, key=self._turns.__getitem__, reverse=True):
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
