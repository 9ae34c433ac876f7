"""The rows of a traced graph: all of them, or before that single ones, with columns that need no rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

from inspector.graph.row_types import AccumulateEdge, EdgeRow, FunctionRow, NextEdge, NodeRow, SavedEdge, TensorRow
from inspector.graph.rows import Rows, rows_of
from inspector.graph.topology import Topology
from inspector.tracing.ids import Ids
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.node_lookup import NodeLookup
from inspector.tracing.row_builder import RowBuilder
from inspector.tracing.traced_columns import traced_topology
from inspector.tracing.traced_graph import TracedGraph
from inspector.tracing.walk import EMPTY
from inspector.util.gc_pause import gc_paused

_Edge = tuple[str, str, EdgeRow]


class TracedRows:
    """The `RowSource` of a traced graph.

    made: single rows that were asked for, by id.
    """

    def __init__(self, record: TracedGraph, ids: Ids, lookup: Callable[[], NodeLookup]) -> None:
        self._record, self._ids, self._look_up = record, ids, lookup
        self._made: dict[str, Any] = {}

    @cached_property
    def _lookup(self) -> NodeLookup:
        return self._look_up()

    @cached_property
    def _builder(self) -> RowBuilder:
        return RowBuilder(self._record, self._lookup, self._ids)

    @property
    def has_steps(self) -> bool:
        """Whether it is known which functions the engine ran."""
        return self._lookup.gradients.has_steps

    def topology(self, roots: list[str]) -> Topology:
        """The index of the graph. roots: ids of tensors."""
        return traced_topology(self._record, self._ids, self._lookup, self.row, roots)

    # ---- single rows --------------------------------------------------------------------------------------

    def row(self, identifier: str) -> NodeRow:
        """The attributes of one node. Raises KeyError if there is none with this id."""
        found: NodeRow | None = self._made.get(identifier)
        if found is None:
            found = self._made[identifier] = self._row(identifier)
        return found

    def _row(self, identifier: str) -> NodeRow:
        if identifier.startswith("n"):
            return self._builder.function(self._ids.position(identifier))
        which = self._ids.which(identifier)
        if isinstance(which, int):
            if which >= len(self._record.constants):
                raise KeyError(identifier)
            return self._builder.constant(which)
        if not self._lookup.is_seen(which):
            raise KeyError(identifier)
        return self._builder.tensor(which)

    def out_edges(self, identifier: str) -> Iterator[tuple[str, EdgeRow]]:
        """(target, attributes) of the edges from a node, without the `next` edges."""
        if identifier.startswith("n"):
            yield from self._tensors_of(self._ids.position(identifier))
            return
        which = self._ids.which(identifier)
        if not isinstance(which, int) and self._record.structure.names[which[0]] != ACCUMULATE_GRAD:
            yield self._ids.function(which[0]), {"kind": "grad_fn"}

    def _tensors_of(self, position: int) -> Iterator[tuple[str, EdgeRow]]:
        """The leaf of an AccumulateGrad; the tensors that a Node saved, edges to the same one together."""
        if self._record.structure.names[position] == ACCUMULATE_GRAD:
            for pair in filter(self._lookup.is_seen, self._record.pairs(position)):
                edge: AccumulateEdge = {"kind": "accumulate", "gradient": self._lookup.gradients.of(pair)}
                yield self._ids.tensor(pair), edge
        by_target: dict[str, list[SavedEdge]] = {}
        for saved in self._record.nodes[position].saved:
            if saved.tensor is not None:
                edges = by_target.setdefault(self._ids.tensor(saved.tensor), [])
                edges.append({"kind": "saved", "name": saved.name})
        for target, edges in by_target.items():
            for one in edges:
                yield target, one

    def in_walk_order(self, identifiers: Iterable[str]) -> list[str]:
        """These ids in the order of all rows."""
        return sorted(identifiers, key=self._place)

    def _place(self, identifier: str) -> tuple[int, int, int]:
        """Nodes in walk order, a tensor before its grad_fn and a leaf after its AccumulateGrad, constants last."""
        if identifier.startswith("n"):
            return self._ids.position(identifier), 1, 0
        which = self._ids.which(identifier)
        if isinstance(which, int):
            return len(self._record.structure), 0, which
        is_leaf = self._record.structure.names[which[0]] == ACCUMULATE_GRAD
        return which[0], 2 if is_leaf else 0, which[1]

    # ---- all rows -----------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """All rows, with those that were made already."""
        with gc_paused():
            tensor_edges: list[_Edge] = []  # filled by `_nodes`
            made, builder = self._made.get, self._builder
            constants = (
                (identifier, made(identifier) or builder.constant(number))
                for number in range(len(self._record.constants))
                if (identifier := self._ids.tensor(number))
            )
            nodes = chain(self._nodes(tensor_edges), constants)
            return rows_of(nodes, chain(tensor_edges, self._next_edges(), self._saved_edges()))

    def _nodes(self, edges: list[_Edge]) -> Iterator[tuple[str, FunctionRow | TensorRow]]:
        """(id, attributes) of functions and their tensors. edges: receives the edges between the two."""
        names, met, made = self._record.structure.names, self._record.tensors, self._made
        builder, is_plain = self._builder, self._builder.is_plain
        for position, count in enumerate(self._record.output_counts()):
            identifier, is_leaf = f"n{position}", names[position] == ACCUMULATE_GRAD
            if is_plain and count == 1 and (position, 0) not in met:
                yield identifier, made.get(identifier) or builder.plain_function(position)
                continue
            function, tensors = builder.node(position)
            function = made.get(identifier, function)
            if is_leaf:
                yield identifier, function
            for pair, facts in tensors:
                tensor = self._ids.tensor(pair)
                edges.append(_edge_of(identifier, tensor, facts))
                yield tensor, made.get(tensor, facts)
            if not is_leaf:
                yield identifier, function

    def _next_edges(self) -> Iterator[_Edge]:
        along, edges = self._lookup.gradients.along, self._record.structure.edges()
        same = along(0, 0) if self._builder.is_plain else None  # the same for all edges
        for source, slot, target, input_nr in edges:
            if target != EMPTY:
                gradient = same or along(source, slot)
                facts: NextEdge = {"kind": "next", "slot": slot, "input_nr": input_nr, "gradient": gradient}
                yield f"n{source}", f"n{target}", facts

    def _saved_edges(self) -> Iterator[_Edge]:
        for position, node in self._record.read_nodes():
            for saved in node.saved:
                if saved.tensor is not None:
                    tensor = self._ids.tensor(saved.tensor)
                    yield self._ids.function(position), tensor, {"kind": "saved", "name": saved.name}


def _edge_of(function: str, tensor: str, facts: TensorRow) -> _Edge:
    """The edge between a function and a tensor with these attributes."""
    if facts["is_leaf"]:
        return function, tensor, {"kind": "accumulate", "gradient": facts["gradient"]}
    return tensor, function, {"kind": "grad_fn"}
