"""Which tensors of a graph keep their elements, so that a report stays small."""

from __future__ import annotations

from inspector.graph.elements import MOST_ELEMENTS
from inspector.graph.values import Value
from inspector.tensor_stats import Pending
from inspector.tracing.names_over_time import GraphNames
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.traced_graph import Pair, TracedGraph

MOST_NODES = 64
"""Nodes of a graph of which every tensor may keep its elements; above, only leaves and tensors with a name."""

_MOST_IN_A_GRAPH = 256 * MOST_ELEMENTS
"""Elements that a graph keeps: some 350 kB of float32."""


class GraphValues:
    """The values of one graph, with their elements as long as there is room, in the order of the questions."""

    def __init__(self, record: TracedGraph, names: GraphNames) -> None:
        self._kinds, self._names = record.structure.names, names
        self._keeps_none = record.is_structure_only
        self._room = _MOST_IN_A_GRAPH
        self._known: dict[int, tuple[Pending, Value]] = {}

    def value(self, pending: Pending, pair: Pair | None = None) -> Value:
        """The value, with its elements if it is a summary that has some, and the graph keeps those of the tensor.

        pair: of the tensor; None for a constant.
        """
        if self._keeps_none or not (len(self._kinds) <= MOST_NODES or self._is_leaf_or_named(pair)):
            return pending.value
        found = self._known.get(id(pending))
        if found is None:
            found = self._known[id(pending)] = pending, self._whole(pending)  # kept, so that its id stays its own
        return found[1]

    def _is_leaf_or_named(self, pair: Pair | None) -> bool:
        return pair is not None and (pair in self._names.tensors or self._kinds[pair[0]] == ACCUMULATE_GRAD)

    def _whole(self, pending: Pending) -> Value:
        value = pending.value
        packed = pending.elements if self._room > 0 else None
        if packed is None:
            return value
        self._room -= MOST_ELEMENTS
        return {**value, "elements": packed}
