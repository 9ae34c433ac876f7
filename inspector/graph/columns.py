"""What is asked of all functions, edges and tensors of a graph, as columns by position.

These classes read the rows. A graph that was just traced has its own (`inspector.tracing.traced_columns`), which
read the trace: a folded picture of it then makes only the rows that it shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from inspector.graph.row_types import FunctionRow, InnerPart, Naming, NextEdge, Place
from inspector.graph.saved_memory import saved_bytes
from inspector.graph.traversal import topological_order
from inspector.graph.values import Value, is_unknown

Row = TypeVar("Row")

def part_of(node: FunctionRow) -> InnerPart | None:
    """What is in a function that is compiled or ran a graph of its own; None for others, and if it is unknown."""
    part = node.get("compiled") or node.get("nested")
    return None if part is None or is_unknown(part) else part


class RowColumn(Generic[Row]):
    """Rows by position.

    row: returns one of them. count: their number.
    """

    def __init__(self, row: Callable[[int], Row], count: int) -> None:
        self._row, self._count = row, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> Row:
        return self._row(position)

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, range(self._count))


class FunctionColumns(RowColumn[FunctionRow]):
    """The functions of a graph, by position. The columns are keys of their rows."""

    @cached_property
    def names(self) -> Sequence[str]:
        return [row["name"] for row in self]

    @cached_property
    def leaf_flags(self) -> bytes:
        """1 for an AccumulateGrad, else 0."""
        return bytes([row["is_leaf"] for row in self])

    @cached_property
    def modules(self) -> Sequence[Any]:
        return [row["module"] for row in self]

    @cached_property
    def passes(self) -> Sequence[list[int] | None]:
        """None where the row has none."""
        return [row.get("passes") for row in self]

    @cached_property
    def sources(self) -> Sequence[Place]:
        return [row["source"] for row in self]

    @cached_property
    def made_in(self) -> Sequence[int | None]:
        """None where the row has none."""
        return [row.get("made_in") for row in self]

    @cached_property
    def steps(self) -> Sequence[Value]:
        return [row["step"] for row in self]

    @cached_property
    def gradients(self) -> Sequence[Value]:
        return [row["gradient"] for row in self]

    def saved_bytes(self, positions: Iterable[int]) -> int:
        """The bytes that some functions add to the memory held by the graph."""
        return sum(saved_bytes(row) for at in positions if (row := self[at])["saved"])

    @cached_property
    def parts(self) -> dict[int, InnerPart]:
        """What is in the functions that are compiled or ran a graph of their own, as far as it is known."""
        found = ((position, part_of(row)) for position, row in enumerate(self))
        return {position: part for position, part in found if part is not None}

    @cached_property
    def described(self) -> dict[int, FunctionRow]:
        """The rows of the functions that are compiled, ran a graph of their own or were created by backward."""
        return {
            position: row
            for position, row in enumerate(self)
            if "compiled" in row or "nested" in row or "made_in" in row
        }


class EdgeColumns(RowColumn[NextEdge]):
    """The `next` edges of a graph, by the position of their source and by slot. The columns are keys of the rows.
    """

    @cached_property
    def slots(self) -> Sequence[int]:
        return [row["slot"] for row in self]

    @cached_property
    def input_nrs(self) -> Sequence[int]:
        return [row["input_nr"] for row in self]

    def order(self, starts: array[int], targets: array[int]) -> array[int]:
        """The functions in topological order. starts, targets: the edges as in `Topology`."""
        return topological_order(starts, targets)

    def gradient(self, number: int) -> Value:
        """The gradient that flows along one edge."""
        return self[number]["gradient"]


class TensorColumns:
    """The tensors of a graph, by id."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self._rows = rows

    def name(self, identifier: str) -> str | None:
        """`TensorRow.name`"""
        name: str | None = self._rows[identifier]["name"]
        return name

    def naming(self, identifier: str) -> Naming:
        """The keys of a row that say how a tensor is called, among others."""
        naming: Naming = self._rows[identifier]
        return naming

    def shape(self, identifier: str) -> Sequence[int]:
        """`TensorRow.shape`"""
        shape: Sequence[int] = self._rows[identifier]["shape"]
        return shape

    def gradient(self, identifier: str) -> Value:
        """`TensorRow.gradient`"""
        gradient: Value = self._rows[identifier]["gradient"]
        return gradient
