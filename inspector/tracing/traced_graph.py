"""The result of tracing a graph, in plain values: a `TracedGraph`."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import overload

from inspector.graph.row_types import InnerPart, NodeFields, SavedState
from inspector.graph.values import Unknown
from inspector.tensor_stats import Memory, measure_all
from inspector.tracing.node_facts import UNREAD, OutputFacts
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.walk import Structure

Pair = tuple[int, int]
"""(position of a Node, output number): a tensor of the forward."""


@dataclass(slots=True)
class SavedTensorFacts:
    """One saved tensor of a Node: its identity, its state before and after, and its properties if it is held.

    tensor: a tensor of the graph, the position of a constant, or None if it is unknown.
    bytes: what it adds to the memory that the graph keeps alive, see `RetainedBytes.count`.
    memory: the range of its elements before backward, if they may be written until the trace ends.
    """

    name: str
    tensor: Pair | int | None
    before: SavedState
    after: SavedState
    shape: list[int] | None = None
    dtype: str | None = None
    bytes: int | None = None
    memory: Memory | None = None


@dataclass(slots=True)
class NodeFacts:
    """One Node in plain values."""

    name: str
    sequence_nr: int
    outputs: list[OutputFacts]
    fields: NodeFields = field(default_factory=lambda: NodeFields(attributes={}))
    saved: list[SavedTensorFacts] = field(default_factory=list)


@dataclass(slots=True)
class TracedGraph:
    """Everything that is kept of a traced graph.

    tensors: the tensors of the graph that were met. constants: the saved tensors that do not belong to it.
    compiled: what is in the Nodes of compiled functions, by position. nested: what Nodes ran in their backward.
    """

    structure: Structure
    nodes: Sequence[NodeFacts]
    tensors: dict[Pair, TensorSnapshot]
    constants: list[TensorSnapshot]
    compiled: dict[int, InnerPart | Unknown] = field(default_factory=dict)
    nested: dict[int, InnerPart | Unknown] = field(default_factory=dict)

    @property
    def roots(self) -> list[Pair]:
        """The outputs that backward starts from."""
        return self.structure.roots

    @property
    def is_structure_only(self) -> bool:
        """Whether only the structure of its Nodes is known."""
        return isinstance(self.nodes, StructureOnlyNodes)

    def measure_all(self) -> None:
        """Measure together what is measured when it is asked for."""
        held = chain.from_iterable(seen.before.values() for seen in (*self.tensors.values(), *self.constants))
        measure_all(held)

    def read_nodes(self) -> Iterable[tuple[int, NodeFacts]]:
        """The Nodes whose outputs and saved tensors were read, with their positions."""
        nodes = self.nodes
        return nodes.read.items() if isinstance(nodes, StructureOnlyNodes) else enumerate(nodes)

    def saved(self, position: int) -> list[SavedTensorFacts]:
        """The saved tensors of a Node, as far as they were read."""
        nodes = self.nodes
        return nodes.saved[position] if isinstance(nodes, LateNodes) else nodes[position].saved

    def output_counts(self) -> Sequence[int]:
        """The number of outputs of each Node, as far as it is known."""
        nodes = self.nodes
        return nodes.counts if isinstance(nodes, _CountedNodes) else [len(node.outputs) for node in nodes]

    def pairs(self, position: int) -> list[Pair]:
        """The outputs of a Node, of which it has at least one."""
        nodes = self.nodes
        count = nodes.counts[position] if isinstance(nodes, _CountedNodes) else len(nodes[position].outputs)
        return [(position, 0)] if count <= 1 else [(position, output_nr) for output_nr in range(count)]


class _CountedNodes(Sequence[NodeFacts]):
    """The Nodes of a trace, each made on access.

    counts: number of outputs of each Node.
    """

    def __init__(self, counts: array[int]) -> None:
        self.counts = counts

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, position: int) -> NodeFacts: ...
    @overload
    def __getitem__(self, position: slice) -> list[NodeFacts]: ...
    def __getitem__(self, position: int | slice) -> NodeFacts | list[NodeFacts]:
        if isinstance(position, slice):
            return [self[k] for k in range(*position.indices(len(self)))]
        return self._at(position)

    @abstractmethod
    def _at(self, position: int) -> NodeFacts:
        """One Node."""


class StructureOnlyNodes(_CountedNodes):
    """The Nodes of a trace that read only the structure.

    read: the Nodes that were read nonetheless, by position.
    """

    def __init__(self, structure: Structure, counts: array[int], read: dict[int, NodeFacts]) -> None:
        super().__init__(counts)
        self._structure = structure
        self.read = read

    def _at(self, position: int) -> NodeFacts:
        return self.read.get(position) or _unread(self._structure, position, self.counts[position])


def _unread(structure: Structure, position: int, count: int) -> NodeFacts:
    """A Node of which only the structure is known. count: of its outputs."""
    return NodeFacts(structure.names[position], structure.sequence_nrs[position], [UNREAD] * count)


class LateNodes(_CountedNodes):
    """The Nodes of a trace whose outputs and attributes are read on access, until it is closed.

    saved: the saved tensors of each Node. read: reads a Node, without its saved tensors.
    """

    def __init__(
        self, counts: array[int], saved: list[list[SavedTensorFacts]], read: Callable[[int], NodeFacts]
    ) -> None:
        super().__init__(counts)
        self.saved = saved
        self._read = read
        self._known: dict[int, NodeFacts] = {}

    def _at(self, position: int) -> NodeFacts:
        found = self._known.get(position)
        if found is None:
            found = self._known[position] = replace(self._read(position), saved=self.saved[position])
        return found

    def with_saved(self, saved: list[list[SavedTensorFacts]], now: Sequence[NodeFacts]) -> LateNodes:
        """The same Nodes with other saved tensors. now: the Nodes to read where these were not."""
        known = dict(self._known)
        return LateNodes(self.counts, saved, lambda position: known.get(position) or now[position])

    def close(self, structure: Structure, again: Callable[[], Sequence[NodeFacts] | None]) -> None:
        """Read no Node any more. again: returns Nodes of the same graph that can be read, or None."""

        def read(position: int) -> NodeFacts:
            nodes = again()
            return _unread(structure, position, self.counts[position]) if nodes is None else nodes[position]

        self._read = read
