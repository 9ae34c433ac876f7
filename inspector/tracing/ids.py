"""Ids that are the same in every run of a program, and shared by before, after and all frames."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy

from inspector.tracing.traced_graph import Pair, TracedGraph


class Ids:
    """`n{k}` for the k-th Node of the walk; `t{k}` for every output of every Node in that order, seen or not, and
    then for the saved constants."""

    def __init__(self, record: TracedGraph) -> None:
        self._counts = record.output_counts()
        self._sequence_nrs = record.structure.sequence_nrs

    @cached_property
    def _first_output(self) -> list[int]:
        return [0, *numpy.cumsum(numpy.maximum(self._counts, 1)).tolist()]

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {number: position for position, number in enumerate(self._sequence_nrs)}

    def functions(self) -> list[str]:
        """The ids of all Nodes."""
        return [f"n{position}" for position in range(len(self._counts))]

    def function(self, position: int) -> str:
        """The id of a Node."""
        return f"n{position}"

    def tensor(self, which: Pair | int) -> str:
        """The id of an output (position of its Node, output number), or of a constant (its position)."""
        if isinstance(which, int):
            return f"t{self._first_output[-1] + which}"
        position, output_nr = which
        first = self._first_output[position] if position else 0  # the root needs no counting
        return f"t{first + output_nr}"

    def position(self, identifier: str) -> int:
        """The position of the Node with this id. Raises KeyError if there is none."""
        number = _number(identifier, "n")
        if number >= len(self._counts):
            raise KeyError(identifier)
        return number

    def which(self, identifier: str) -> Pair | int:
        """The output or the constant that `tensor` gives this id. Raises KeyError if it is not an id of one."""
        number, first = _number(identifier, "t"), self._first_output
        if number >= first[-1]:
            return number - first[-1]
        position = bisect_right(first, number) - 1
        return position, number - first[position]

    def recorded(self, key: tuple[int, int] | None) -> str | None:
        """The id of the tensor with this (sequence number, output number); None if it is not in this graph."""
        position = None if key is None else self._positions.get(key[0])
        return None if key is None or position is None else self.tensor((position, key[1]))


def _number(identifier: str, letter: str) -> int:
    digits = identifier[1:]
    if identifier[:1] != letter or not digits.isdecimal():
        raise KeyError(identifier)
    return int(digits)
