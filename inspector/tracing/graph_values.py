"""Which tensors of a graph keep their elements, so that a report stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import islice

from inspector.graph.values import Value
from inspector.tensor_stats import Pending
from inspector.tracing.names_over_time import GraphNames
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.traced_graph import Pair, TracedGraph

MOST_NODES = 64
"""Nodes of a graph of which every tensor may keep its elements; above, only leaves and tensors with a name."""

_MOST_TENSORS = 256
"""Tensors of a graph that keep their elements: of float32 some 350 kB."""


class GraphValues:
    """The values of one graph, the first `_MOST_TENSORS` that can with their elements.

    measured: returns the values of a tensor. In a small graph the order is that of the questions, since its rows
    are made together; in others it is the walk order, since any of their rows may be asked for first.
    """

    def __init__(
        self, record: TracedGraph, names: GraphNames, measured: Callable[[Pair], Iterable[Pending]]
    ) -> None:
        self._record, self._names, self._measured = record, names, measured
        self._is_small, self._has_none = len(record.structure) <= MOST_NODES, record.is_structure_only
        self._known: dict[int, tuple[Pending, Value]] = {}
        self._count = 0

    def value(self, pending: Pending, pair: Pair | None = None) -> Value:
        """The value, with its elements if it is a summary that has some, and the graph keeps those of the tensor.

        pair: of the tensor; None for a constant.
        """
        if self._has_none or not (self._is_small or self._is_leaf_or_named(pair)):
            return pending.value
        found = self._known.get(id(pending))
        if found is None:
            whole = self._whole(pending)
            found = self._known[id(pending)] = pending, whole  # `pending` is kept, so that its id stays its own
        return found[1]

    def _is_leaf_or_named(self, pair: Pair | None) -> bool:
        return pair is not None and (
            pair in self._names.tensors or self._record.structure.names[pair[0]] == ACCUMULATE_GRAD
        )

    def _whole(self, pending: Pending) -> Value:
        value, packed = pending.value, pending.elements
        if packed is None or not (self._count < _MOST_TENSORS if self._is_small else id(pending) in self._first):
            return value
        self._count += 1
        return {**value, "elements": packed}

    @cached_property
    def _first(self) -> dict[int, Pending]:
        """The first values in walk order that have elements, by their ids; all values if they are few."""
        pairs = filter(self._is_leaf_or_named, sorted({*self._record.tensors, *self._names.tensors}))
        every = {id(pending): pending for pair in pairs for pending in self._measured(pair)}
        if len(every) <= _MOST_TENSORS:
            return every
        having = (item for item in every.items() if item[1].elements is not None)
        return dict(islice(having, _MOST_TENSORS))
