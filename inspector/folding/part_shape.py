"""The shape of a part of a graph, as bytes: equal for parts that are the same but for where they begin.

The layers of a stack usually are, and one certificate (`inspector.folding.isomorphism`) is then enough for all of
them. Parts of different shapes may still be isomorphic.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy

from inspector.folding.context import mask_digits
from inspector.graph.topology import Topology


class PartShapes:
    """The shapes of parts of one graph."""

    def __init__(self, of: Topology, colors: Iterable[Hashable], beyond: Sequence[int]) -> None:
        """colors: what must be equal of two functions, by position. beyond: see `outside_of_parts`."""
        edges = zip(of.edges.slots, of.edges.input_nrs, strict=True)
        self._colors = numbered(colors)
        self._turns = numpy.array(of.turns, numpy.int32)
        self._beyond = numpy.array(beyond, numpy.int32)
        self._roots = of.roots
        self._leaving = _Ways(of.starts, of.targets, numbered(edges))
        self._arriving = _Ways(of.arrivals.starts, of.arrivals.sources, numbered(of.arrivals.numbers))
        self._places = numpy.full(len(of), -1, numpy.int32)

    def shape_of(self, positions: Sequence[int], labels: Any) -> Hashable:
        """The shape of a part. positions: ascending. labels: a number for each function of the graph, an array."""
        part, places = numpy.array(positions, numpy.int32), self._places
        places[part] = numpy.arange(len(part), dtype=numpy.int32)
        counts, targets, kinds = self._leaving.of(part)
        inner = places[targets]
        ends = numpy.where(inner >= 0, inner, _OUTER - self._beyond[targets])
        entered, sources, numbers = self._arriving.of(part)
        outside = places[sources] < 0
        rows = numpy.repeat(places[part], entered)[outside]
        doors = numpy.unique(rows.astype(numpy.int64) << 32 | numbers[outside])
        roots = numpy.array([places[position] for position in self._roots if places[position] >= 0], numpy.int32)
        places[part] = -1
        columns = (
            *(labels[part], self._colors[part], numpy.argsort(self._turns[part])),
            *(counts, kinds, ends, doors, roots),
        )
        return tuple([column.tobytes() for column in columns])

    def shapes_of_many(self, parts: Sequence[Sequence[int]], labels: Any) -> list[bytes]:
        """The shapes of many parts without a common function, all of the same size; they compare with each other.
        """
        part = numpy.array(parts, numpy.int32)
        flat, (number, size) = part.ravel(), part.shape
        rows, owners = numpy.arange(len(flat)), numpy.full(len(self._places), -1, numpy.int32)
        owners[flat] = rows // size
        counts, targets, kinds = self._leaving.of(flat)
        starting, places = numpy.repeat(rows, counts), self._places
        places[flat] = rows % size
        outer = _OUTER - self._beyond[targets]
        ends = numpy.where(owners[targets] == owners[flat[starting]], places[targets], outer)
        places[flat] = -1
        entered, sources, numbers = self._arriving.of(flat)
        reached = numpy.repeat(rows, entered)
        outside = owners[sources] != owners[flat[reached]]
        doors = numpy.unique(reached[outside].astype(numpy.int64) << 32 | numbers[outside])
        own = (doors >> 32) // size
        columns = (
            *(labels[part], self._colors[part], numpy.argsort(self._turns[part], axis=1)),
            *(counts.reshape(part.shape), numpy.isin(part, self._roots)),
            *(_padded(values, starting // size, number) for values in (kinds, ends)),
            _padded(doors - (own * size << 32), own, number),
        )
        return [row.tobytes() for row in numpy.hstack(columns)]

    def shapes_of_single(self, positions: Sequence[int], labels: Any) -> list[int] | None:
        """A number for the shape of each of many functions as parts of their own: equal where certificates are.

        None if a function has too many edges, or gradients arrive at other outputs than the first.
        """
        part = numpy.array(positions, numpy.int32)
        counts, targets, kinds = self._leaving.of(part)
        entered, _, numbers = self._arriving.of(part)
        if counts.max() > _MOST_EDGES or (len(numbers) and numbers.min() != numbers.max()):
            return None
        edges = numpy.full((len(part), 2 * _MOST_EDGES), -2, numpy.int64)
        rows = numpy.repeat(numpy.arange(len(part)), counts)
        slots = numpy.arange(len(rows)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        edges[rows, 2 * slots] = kinds
        edges[rows, 2 * slots + 1] = self._beyond[targets]
        entered[numpy.isin(part, self._roots)] = 1
        columns = numpy.column_stack((labels[part], self._colors[part], entered > 0, edges))
        known: dict[bytes, int] = {}  # numpy.unique would sort the rows, which takes ten times as long
        return [known.setdefault(row.tobytes(), len(known)) for row in columns]


def outside_of_parts(of: Topology) -> list[int]:
    """What each function is to the parts that it is outside of, by position: for a leaf, the first leaf of its
    shape that has no name either, or one that differs in numbers at most; -1 for others.

    So modules that are called again are equal, each with its own parameters: `members[0]` and `members[1]`.
    """
    found = [position if is_leaf else -1 for position, is_leaf in enumerate(of.leaf_flags)]
    first: dict[Hashable, int] = {}
    for function, leaf in of.leaves.items():
        position, name = of.index[function], of.tensors.name(leaf)
        kind = name and mask_digits(name), tuple(of.tensors.shape(leaf))
        found[position] = first.setdefault(kind, position)
    return found


def _padded(values: Any, rows: Any, count: int) -> Any:
    """Values as rows of equal length. rows: the number of the row of each value, ascending."""
    lengths = numpy.bincount(rows, minlength=count)
    found = numpy.full((count, lengths.max()), -9, numpy.int64)
    found[rows, numpy.arange(len(rows)) - numpy.repeat(numpy.cumsum(lengths) - lengths, lengths)] = values
    return found


_OUTER = -2
"""The end of an edge to a leaf outside of a part is below this, and above it otherwise."""
_MOST_EDGES = 4
"""Edges of a function of which there are many."""


class _Ways:
    """Edges by the functions at one of their ends. others: the functions at the other end. kinds: of the edges."""

    def __init__(self, starts: Sequence[int], others: Sequence[int], kinds: Any) -> None:
        self._starts, self._others = numpy.array(starts, numpy.int32), numpy.array(others, numpy.int32)
        self._kinds = kinds

    def of(self, part: Any) -> tuple[Any, Any, Any]:
        """The number of edges of each function, and the other end and the kind of each edge."""
        first = self._starts[part]
        counts = self._starts[part + 1] - first
        shifts = first - numpy.cumsum(counts) + counts
        edges = numpy.repeat(shifts, counts) + numpy.arange(int(counts.sum()), dtype=numpy.int32)
        return counts, self._others[edges], self._kinds[edges]


def numbered(values: Iterable[Hashable]) -> Any:
    """A number for each value, the same for equal ones, as an array."""
    numbers: dict[Hashable, int] = {}
    return numpy.array([numbers.setdefault(value, len(numbers)) for value in values], numpy.int32)
