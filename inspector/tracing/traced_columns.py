"""The columns of a traced graph, read from the trace."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy

from inspector.graph.columns import EdgeColumns, FunctionColumns, TensorColumns, part_of
from inspector.graph.row_types import FunctionRow, InnerPart, Naming, NextEdge, NodeRow, Place
from inspector.graph.topology import Topology
from inspector.graph.values import Value
from inspector.tracing.ids import Ids
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.node_lookup import NOT_RECORDED, NodeLookup
from inspector.tracing.traced_graph import Pair, TracedGraph
from inspector.tracing.walk import EMPTY


def traced_topology(
    record: TracedGraph, ids: Ids, lookup: NodeLookup, row: Callable[[str], NodeRow], roots: Sequence[str]
) -> Topology:
    """The index of a traced graph. row: makes one row. roots: ids of tensors."""
    names = ids.functions()
    edges = _Edges(record, lookup)
    functions = _Functions(record, lookup, lambda position: cast(FunctionRow, row(names[position])))
    pairs = {ids.tensor(pair): pair for pair in _seen(record, lookup)}
    made_by = [pairs[root][0] for root in roots if root in pairs]
    makers = {tensor: (names[pair[0]], pair[1]) for tensor, pair in pairs.items()}
    tensors = _Tensors(pairs, record, lookup)
    return Topology(
        names, functions, edges.starts, edges.targets, edges, makers, list(dict.fromkeys(made_by)), tensors
    )


def _seen(record: TracedGraph, lookup: NodeLookup) -> Iterable[Pair]:
    """The tensors of the graph that have rows, in walk order."""
    if lookup.has_forward:
        every = (pair for position in range(len(record.structure)) for pair in record.pairs(position))
        return filter(lookup.is_seen, every)
    return sorted(record.tensors)


class _Functions(FunctionColumns):
    def __init__(self, record: TracedGraph, lookup: NodeLookup, row: Callable[[int], FunctionRow]) -> None:
        super().__init__(row, len(record.structure))
        self._record, self._lookup = record, lookup

    @cached_property
    def names(self) -> Sequence[str]:
        return self._record.structure.names

    @cached_property
    def leaf_flags(self) -> bytes:
        return bytes([name == ACCUMULATE_GRAD for name in self.names])

    @cached_property
    def modules(self) -> Sequence[Any]:
        if not self._lookup.has_forward:
            return [None if is_leaf else NOT_RECORDED for is_leaf in self.leaf_flags]
        return self._of_all(self._lookup.module)

    @cached_property
    def passes(self) -> Sequence[list[int] | None]:
        if not self._lookup.has_forward:
            return [None] * len(self)
        return self._of_all(self._lookup.passes)

    @cached_property
    def sources(self) -> Sequence[Place]:
        if not self._lookup.has_forward:
            return [None if is_leaf else NOT_RECORDED for is_leaf in self.leaf_flags]
        return self._of_all(self._lookup.source)

    @cached_property
    def made_in(self) -> Sequence[int | None]:
        if not self._lookup.has_made:
            return [None] * len(self)
        return self._of_all(self._lookup.made_in)

    def _of_all(self, of: Callable[[int], Any]) -> list[Any]:
        """What is known of each Node by its sequence number; None for an AccumulateGrad."""
        numbers = self._record.structure.sequence_nrs
        return [None if is_leaf else of(number) for number, is_leaf in zip(numbers, self.leaf_flags, strict=True)]

    @cached_property
    def steps(self) -> Sequence[Value]:
        gradients = self._lookup.gradients
        if not gradients.has_steps:  # for the same reason
            return [gradients.step(0)] * len(self)
        return list(map(gradients.step, range(len(self))))

    @cached_property
    def gradients(self) -> Sequence[Value]:
        of, counts = self._lookup.gradients.of, self._record.output_counts()
        if self._lookup.gradients.has_none:
            same = of((0, 0))
            return [same if count <= 1 else [same] * count for count in counts]
        return [
            of((at, 0)) if count <= 1 else [of((at, number)) for number in range(count)]
            for at, count in enumerate(counts)
        ]

    def saved_bytes(self, positions: Iterable[int]) -> int:
        if self._record.is_structure_only:
            return 0  # nothing was read but the Node at which backward failed
        nodes = self._record.nodes
        return sum(saved.bytes or 0 for position in positions for saved in nodes[position].saved)

    @cached_property
    def described(self) -> dict[int, FunctionRow]:
        made = {position for position, call in enumerate(self.made_in) if call is not None}
        positions = sorted(made.union(self._record.compiled, self._record.nested))
        return {position: self[position] for position in positions}

    @cached_property
    def parts(self) -> dict[int, InnerPart]:
        positions = sorted({*self._record.compiled, *self._record.nested})
        return {position: part for position in positions if (part := part_of(self[position])) is not None}


class _Edges(EdgeColumns):
    """starts, targets: as in `Topology`, without empty slots."""

    def __init__(self, record: TracedGraph, lookup: NodeLookup) -> None:
        structure = record.structure
        starts, targets = _view(structure.starts), _view(structure.targets)
        slots = numpy.arange(len(targets), dtype=numpy.int32) - numpy.repeat(starts[:-1], starts[1:] - starts[:-1])
        there = targets != EMPTY
        before = numpy.concatenate(([0], numpy.cumsum(there)))
        self.starts = array("i", before[starts].astype(numpy.int32).tobytes())
        self.targets = array("i", targets[there].tobytes())
        self._slots, self._input_nrs = slots[there], _view(structure.input_nrs)[there]
        self._structure, self._lookup = structure, lookup
        super().__init__(self._edge, len(self.targets))

    @cached_property
    def slots(self) -> Sequence[int]:
        return cast("list[int]", self._slots.tolist())

    @cached_property
    def input_nrs(self) -> Sequence[int]:
        return cast("list[int]", self._input_nrs.tolist())

    def order(self, starts: array[int], targets: array[int]) -> array[int]:
        return self._structure.order

    def gradient(self, number: int) -> Value:
        source = bisect_right(self.starts, number) - 1
        return self._lookup.gradients.along(source, self.slots[number])

    def _edge(self, number: int) -> NextEdge:
        slot, input_nr = self.slots[number], self.input_nrs[number]
        return {"kind": "next", "slot": slot, "input_nr": input_nr, "gradient": self.gradient(number)}


def _view(column: array[int]) -> Any:
    """A column as an array of numpy, which shares its memory."""
    return numpy.frombuffer(column, numpy.int32) if column else numpy.zeros(0, numpy.int32)


class _Tensors(TensorColumns):
    """pairs: the tensors by id."""

    def __init__(self, pairs: dict[str, Pair], record: TracedGraph, lookup: NodeLookup) -> None:
        self._pairs, self._record, self._lookup = pairs, record, lookup

    def name(self, identifier: str) -> str | None:
        return self._lookup.naming(self._pairs[identifier])["name"]

    def naming(self, identifier: str) -> Naming:
        return self._lookup.naming(self._pairs[identifier])

    def shape(self, identifier: str) -> Sequence[int]:
        pair = self._pairs[identifier]
        seen = self._record.tensors.get(pair)
        if seen is not None:
            return list(map(int, seen.facts.shape))
        return self._record.nodes[pair[0]].outputs[pair[1]].shape or ()

    def gradient(self, identifier: str) -> Value:
        return self._lookup.gradients.of(self._pairs[identifier])
