"""Read what a picture left unread, when somebody asks for it later."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from itertools import chain

import torch

from inspector.tensor_stats import LateBatch, LateValue, Pending
from inspector.torch_api.modes import hidden
from inspector.tracing.roots import NoGraphError, roots_of
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import NodeFacts, TracedGraph
from inspector.tracing.walk import walk
from inspector.user_code.variable_names import Names
from inspector.util.gc_pause import gc_paused


class SecondReading:
    """Reads a late trace to its end, once, if the graph still lives and is as it was.

    It holds no tensor. As everywhere, a write through `.data` shows only if torch counts it.
    """

    def __init__(self, record: TracedGraph, outputs: Iterable[object]) -> None:
        """outputs: the roots. Without a weak reference to each, that is not to a tensor with a Node, nothing is
        read."""
        self._record = record
        self._roots = [
            weakref.ref(output) if isinstance(output, torch.Tensor) and not output.is_leaf else _nothing
            for output in outputs
        ]
        self._is_waiting = True
        self._nodes: Sequence[NodeFacts] | None = None

    def nodes(self) -> Sequence[NodeFacts] | None:
        """The Nodes as they are read now; None if the graph is gone or has changed."""
        self.read()
        return self._nodes

    def read(self) -> None:
        """Set the values that the record has left unread."""
        if not self._is_waiting:
            return
        self._is_waiting = False
        outputs = [root() for root in self._roots]
        if any(output is None for output in outputs):
            return
        with gc_paused(), hidden():
            tracing = _traced(outputs)
            if tracing is None:
                return
            try:
                self._take(tracing.close(ran=False))
            finally:
                tracing.end(self)  # else it would hold the graph until garbage is collected

    def _take(self, now: TracedGraph) -> None:
        if _is_same(self._record, now):
            now.measure_all()
            self._nodes = list(now.nodes)
            for unread, read in _in_pairs(self._record, now):
                _set(unread.before["data"], read.before["data"])


def _nothing() -> None:
    return None


def _traced(outputs: Sequence[object]) -> GraphSnapshot | None:
    try:
        roots = roots_of(outputs)
    except NoGraphError:  # detached in place
        return None
    found = walk(edge for _, edge in roots)
    return GraphSnapshot(found, [output for output, _ in roots], Names(), LateBatch())


def _is_same(record: TracedGraph, now: TracedGraph) -> bool:
    """Whether a graph has the same Nodes, which hold the same tensors, and nothing was written to these."""
    one, other = record.structure, now.structure
    if (one.names, one.sequence_nrs, one.targets) != (other.names, other.sequence_nrs, other.targets):
        return False
    if not record.is_structure_only and _states(record) != _states(now):
        return False
    return all(unread.facts.version == read.facts.version for unread, read in _in_pairs(record, now))


def _states(record: TracedGraph) -> list[tuple[str, object]]:
    saved = chain.from_iterable(map(record.saved, range(len(record.nodes))))
    return [(item.before, item.tensor) for item in saved]


def _in_pairs(record: TracedGraph, now: TracedGraph) -> list[tuple[TensorSnapshot, TensorSnapshot]]:
    """The tensors that both traces met."""
    of_graph = [(seen, now.tensors[pair]) for pair, seen in record.tensors.items() if pair in now.tensors]
    return [*of_graph, *zip(record.constants, now.constants, strict=False)]


def _set(unread: Pending, read: Pending) -> None:
    if isinstance(unread, LateValue) and unread.found is None:
        unread.found = read.found if isinstance(read, LateValue) else read
