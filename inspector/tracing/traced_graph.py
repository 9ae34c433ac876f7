"""The result of tracing a graph, in plain values: a `TracedGraph`."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import msgspec
from msgspec import Struct, field

from inspector.graph.row_types import InnerPart, NodeFields, SavedState
from inspector.graph.values import Unknown
from inspector.tensor_stats import Memory
from inspector.tracing.node_facts import UNREAD, OutputFacts
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.walk import Structure

Pair = tuple[int, int]
"""(position of a Node, output number): a tensor of the forward."""


class SavedTensorFacts(Struct):
    """One saved tensor of a Node: its identity, its state before and after, and its properties if it is held.

    tensor: a tensor of the graph, the position of a constant, or None if it is unknown.
    bytes: what it adds to the memory that the graph keeps alive, see `RetainedBytes.count`.
    memory: the range of its elements before backward, if they may be written until the trace ends.
    """

    name: str
    tensor: Pair | int | None
    before: SavedState
    after: SavedState
    shape: Sequence[int] | None = None
    dtype: str | None = None
    bytes: int | None = None
    memory: Memory | None = None


class NodeFacts(Struct):
    """One Node in plain values."""

    name: str
    sequence_nr: int
    outputs: list[OutputFacts]
    fields: NodeFields = msgspec.field(default_factory=lambda: NodeFields(attributes={}))
    saved: list[SavedTensorFacts] = []


class TracedGraph(Struct):
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

    def read_nodes(self) -> Iterable[tuple[int, NodeFacts]]:
        """The Nodes whose outputs and saved tensors were read, with their positions."""
        nodes = self.nodes
        return nodes.read.items() if isinstance(nodes, StructureOnlyNodes) else enumerate(nodes)

    def output_counts(self) -> Sequence[int]:
        """The number of outputs of each Node, as far as it is known."""
        nodes = self.nodes
        return nodes.counts if isinstance(nodes, StructureOnlyNodes) else [len(node.outputs) for node in nodes]

    def pairs(self, position: int) -> list[Pair]:
        """The outputs of a Node, of which it has at least one."""
        nodes = self.nodes
        count = nodes.counts[position] if isinstance(nodes, StructureOnlyNodes) else len(nodes[position].outputs)
        return [(position, 0)] if count <= 1 else [(position, output_nr) for output_nr in range(count)]


class StructureOnlyNodes(Sequence[NodeFacts]):
    """The Nodes of a trace that read only the structure: each is made on access.

    counts: number of outputs of each Node. read: the Nodes that were read nonetheless, by position.
    """

    def __init__(self, structure: Structure, counts: array[int], read: dict[int, NodeFacts]) -> None:
        self._structure = structure
        self.counts = counts
        self.read = read

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, position: int) -> NodeFacts: ...
    @overload
    def __getitem__(self, position: slice) -> list[NodeFacts]: ...
    def __getitem__(self, position: int | slice) -> NodeFacts | list[NodeFacts]:
        if isinstance(position, slice):
            return [self[k] for k in range(*position.indices(len(self)))]
        if position in self.read:
            return self.read[position]
        structure = self._structure
        outputs = [UNREAD] * self.counts[position]
        return NodeFacts(structure.names[position], structure.sequence_nrs[position], outputs)
