"""The shapes of parts of a graph, as numbers: equal for parts that are the same but for where they begin.

The layers of a stack usually are, and one certificate (`inspector.folding.isomorphism`) is then enough for all of
them. Parts of different shapes may still be isomorphic.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy

from inspector.folding.columns import Columns, numbered
from inspector.folding.module_paths import mask_digits
from inspector.graph.topology import Topology

_ROUNDS = 8
"""Shapes that are found by comparing all parts with one; if there are more, each part is looked up."""
_OUTER = -2
"""The end of an edge to a leaf outside of a part is at most this, and above it otherwise."""


class PartShapes:
    """The shapes of parts of one graph."""

    def __init__(self, columns: Columns, colors: Any, beyond: Sequence[int]) -> None:
        """colors: a number for what must be equal of two functions, by position, an array. beyond: see
        `outside_of_parts`."""
        of = columns.topology
        self._beyond = numpy.array(beyond, numpy.int32)
        self._columns, self._colors, self._roots = columns, colors, of.roots
        self._ways = _pair_numbers(of.edges.slots, of.edges.input_nrs)
        self._entrances = _integers(of.arrivals.numbers)

    def shapes_of(self, part: Any, labels: Any) -> Any:
        """A number for the shape of each of many parts that have no function in common.

        part: an array with a row for each part, its functions ascending. labels: a number for each function of the
        graph, an array.
        """
        columns, (number, size) = self._columns, part.shape
        flat = part.ravel()
        rows = numpy.arange(len(flat), dtype=numpy.int32)
        owners = numpy.full((2, len(columns.kinds)), -1, numpy.int32)  # each function's part, and place there
        owners[:, flat] = rows // size, rows % size
        counts, edges = columns.leaving.of(flat)
        targets, starting = columns.leaving.others[edges], numpy.repeat(rows, counts)
        inside = owners[0, targets] == starting // size
        ends = numpy.where(inside, owners[1, targets], _OUTER - self._beyond[targets])
        entered, edges_in = columns.arriving.of(flat)
        reached = numpy.repeat(rows, entered)
        outside = owners[0, columns.arriving.others[edges_in]] != reached // size
        doors = reached[outside].astype(numpy.int64) << 32 | self._entrances[edges_in[outside]]
        if not (doors[1:] > doors[:-1]).all():
            doors = numpy.unique(doors)
        own = (doors >> 32) // size
        has_roots = any(owners[0, root] >= 0 for root in self._roots)
        is_root = numpy.isin(part, self._roots) if has_roots else part[:, :0]
        found = (
            *(labels[part], self._colors[part], counts.reshape(part.shape), is_root),
            *((numpy.argsort(columns.turns[part], axis=1),) if size > 1 else ()),
            *(_padded(values, starting // size, number) for values in (self._ways[edges], ends)),
            _padded(doors - (own * size << 32), own, number),
        )
        return row_numbers(found)


def outside_of_parts(of: Topology) -> list[int]:
    """What each function is to the parts that it is outside of, by position: for a leaf, the first leaf of its
    shape that has no name either, or one that differs in numbers at most; -1 for others.

    So modules that are called again are equal, each with its own parameters: `members[0]` and `members[1]`.
    """
    found = [-1] * len(of)
    first: dict[Hashable, int] = {}
    for function, leaf in of.leaves.items():
        position, name = of.leaf_index[function], of.tensors.name(leaf)
        kind = name and mask_digits(name), tuple(of.tensors.shape(leaf))
        found[position] = first.setdefault(kind, position)
    return found


def row_numbers(columns: Sequence[Any]) -> Any:
    """A number for each row of several matrices side by side, the same for equal rows."""
    count = len(columns[0])
    numbers, left = numpy.zeros(count, numpy.int32), numpy.arange(count)
    for number in range(_ROUNDS):
        numbers[left] = number
        same = numpy.ones(len(left), numpy.bool_)
        for column in columns:
            if column.shape[1]:
                same &= (column[left] == column[left[0]]).all(axis=1)
        left = left[~same]
        if not len(left):
            return numbers
    known: dict[bytes, int] = {}
    for index, row in zip(left.tolist(), numpy.hstack([column[left] for column in columns]), strict=True):
        numbers[index] = known.setdefault(row.tobytes(), _ROUNDS + len(known))
    return numbers


def _padded(values: Any, rows: Any, count: int) -> Any:
    """Values as rows of equal length. rows: the number of the row of each value, ascending."""
    lengths = numpy.bincount(rows, minlength=count)
    found = numpy.full((count, lengths.max(initial=0)), -9, numpy.int64)
    found[rows, numpy.arange(len(rows)) - numpy.repeat(numpy.cumsum(lengths) - lengths, lengths)] = values
    return found


def _pair_numbers(one: Sequence[int], other: Sequence[int]) -> Any:
    """A number for each pair, the same for equal ones."""
    others = _integers(other)
    return _integers(one) * (int(others.max(initial=0)) + 1) + others


def _integers(values: Sequence[int]) -> Any:
    """Numbers that are equal where these are, from 0 on and small; a report may hold any integer."""
    if not values or (min(values) >= 0 and max(values) < 1 << 16):
        return numpy.array(values, numpy.int64)
    return numbered(values).astype(numpy.int64)
