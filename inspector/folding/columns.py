"""What folding asks of all functions of a graph, as columns: arrays of numpy by position, or by kind of function.

Few kinds of functions are in a graph of many, and what follows from the kind is found once for each.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy

from inspector.folding.module_calls import ModuleCalls
from inspector.folding.module_paths import Path, masked_names
from inspector.graph.places import file_and_line
from inspector.graph.topology import Topology

Line = tuple[str, int]
"""File and line."""


class Ways:
    """Edges, grouped by the functions at one of their ends. others: the functions at the other end."""

    def __init__(self, starts: Sequence[int], others: Sequence[int]) -> None:
        self.starts, self.others = numpy.asarray(starts, numpy.int32), numpy.asarray(others, numpy.int32)

    def of(self, part: Any) -> tuple[Any, Any]:
        """The number of edges of each function, and the number of each of these edges."""
        first = self.starts[part]
        counts = self.starts[part + 1] - first
        shifts = first - numpy.cumsum(counts, dtype=numpy.int32) + counts
        edges = numpy.repeat(shifts, counts)
        edges += numpy.arange(len(edges), dtype=numpy.int32)
        return counts, edges


class Columns:
    """Columns of one graph.

    kinds: the kind of each function, a number: functions of one kind have the same name, path and line. firsts,
    names, paths, lines: a function of each kind, and what all of the kind share.
    """

    def __init__(self, of: Topology) -> None:
        self.topology, self.calls = of, ModuleCalls(of)
        names, (lines, known_lines) = numbered(of.functions.names), _line_numbers(of)
        together = names.astype(numpy.int64) * len(self.calls.known) + self.calls.numbers
        _, firsts, kinds = numpy.unique(
            together * len(known_lines) + lines, return_index=True, return_inverse=True
        )
        self.kinds, self.firsts = kinds.astype(numpy.int32).ravel(), firsts.tolist()
        self.names = [of.functions.names[first] for first in self.firsts]
        self.paths: list[Path] = [self.calls.known[number] for number in self.calls.numbers[firsts].tolist()]
        self.lines: list[Line | None] = [known_lines[number] for number in lines[firsts].tolist()]

    @cached_property
    def leaving(self) -> Ways:
        """The edges from each function."""
        return Ways(self.topology.starts, self.topology.targets)

    @cached_property
    def arriving(self) -> Ways:
        """The edges to each function."""
        return Ways(self.topology.arrivals.starts, self.topology.arrivals.sources)

    @cached_property
    def turns(self) -> Any:
        """The index of each function in a topological order."""
        turns = numpy.empty(len(self.topology), numpy.int32)
        turns[numpy.asarray(self.topology.order, numpy.int32)] = numpy.arange(len(turns), dtype=numpy.int32)
        return turns

    @cached_property
    def is_leaf(self) -> Any:
        """Whether each function is an AccumulateGrad."""
        return numpy.frombuffer(self.topology.leaf_flags, numpy.bool_)

    @cached_property
    def made_in(self) -> Any:
        """The backward call that created each function; 0 for a function of the forward."""
        return numpy.array([call or 0 for call in self.topology.functions.made_in], numpy.int32)

    @cached_property
    def own_lines(self) -> dict[Path, set[Line | None]]:
        """The lines of the functions in each path, without AccumulateGrads."""
        lines: dict[Path, set[Line | None]] = {}
        for first, path, line in zip(self.firsts, self.paths, self.lines, strict=True):
            if not self.is_leaf[first]:
                lines.setdefault(path, set()).add(line)
        return lines

    @cached_property
    def loop_kinds(self) -> Any:
        """A number for what each function shares with its counterparts in other iterations of a loop."""
        numbers: dict[Hashable, int] = {}
        masked = {path: masked_names(path) for path in set(self.paths)}
        shared = zip(self.names, map(masked.__getitem__, self.paths), self.lines, strict=True)
        return numpy.array([numbers.setdefault(key, len(numbers)) for key in shared], numpy.int64)[self.kinds]

    def path(self, position: int) -> Path:
        """The calls of modules around a function."""
        return self.paths[int(self.kinds[position])]

    def line(self, position: int) -> Line | None:
        """The line that made a function; None if it is unknown."""
        return self.lines[int(self.kinds[position])]


def numbered(values: Sequence[Hashable]) -> Any:
    """A number for each value, the same for equal ones, as an array."""
    numbers: dict[Hashable, int] = dict.fromkeys(values, 0)
    for number, value in enumerate(numbers):
        numbers[value] = number
    if len(numbers) == 1:
        return numpy.zeros(len(values), numpy.int32)
    return numpy.fromiter(map(numbers.__getitem__, values), numpy.int32, len(values))


def present(numbers: Any) -> list[int]:
    """The numbers that occur in an array, ascending. They must be small."""
    found: list[int] = numpy.bincount(numbers).nonzero()[0].tolist()
    return found


def translated(numbers: Any, known: Sequence[int], values: Sequence[int]) -> Any:
    """Each number of an array replaced by its value. known: the numbers that occur."""
    table = numpy.empty(known[-1] + 1 if known else 0, numpy.int64)
    table[known] = values
    return table[numbers]


def _line_numbers(of: Topology) -> tuple[Any, list[Line | None]]:
    """A number for the line of each function, and the lines.

    Functions of one line often share the object that says so.
    """
    sources = of.functions.sources
    objects = list(map(id, sources))
    lines = {key: file_and_line(source) for key, source in dict(zip(objects, sources, strict=True)).items()}
    numbers: dict[Line | None, int] = {}
    by_object = {key: numbers.setdefault(line, len(numbers)) for key, line in lines.items()}
    return numpy.fromiter(map(by_object.__getitem__, objects), numpy.int32, len(objects)), list(numbers)
