"""Snapshots of one graph, before and after backward.

A `GraphSnapshot` lives for one backward call: it holds Nodes, so it holds the graph. Its result, a `TracedGraph`,
holds plain values only.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import torch

from inspector.graph.row_types import SavedState
from inspector.tensor_stats import Batch, Memory, Pending, dtype_name, memory_of
from inspector.torch_api.nodes import OUTPUT_METADATA, output_metadata
from inspector.torch_api.saved_tensors import SavedTensorState, attributes_of, saved_by
from inspector.tracing.node_facts import ACCUMULATE_GRAD, UNREAD, OutputFacts, outputs_of
from inspector.tracing.retained_bytes import RetainedBytes
from inspector.tracing.tensor_facts import TensorSnapshot, shape_of, snapshot_after, snapshot_before
from inspector.tracing.walk import EMPTY, AutogradNode, Structure, Walk
from inspector.user_code.variable_names import Names

Pair = tuple[int, int]
"""(position of a Node, output number): a tensor of the forward."""

FULL_NODES = 20_000
"""Graphs with more Nodes are traced as structure, with leaves and roots: no saved tensors, no attributes."""


@dataclass(slots=True)
class SavedTensorFacts:
    """One saved tensor of a Node: which tensor it is, its state before and after, and what it is where it is held.

    bytes: what it adds to the memory that the graph keeps alive, see `RetainedBytes.count`.
    """

    name: str
    tensor: Pair | int | None  # of the graph, or the position of a constant, or unknown
    before: SavedState
    after: SavedState
    shape: list[int] | None = None
    dtype: str | None = None
    bytes: int | None = None
    memory: Memory | None = None  # where its elements lay before backward


@dataclass(slots=True)
class NodeFacts:
    """One Node in plain values."""

    name: str
    sequence_nr: int
    outputs: list[OutputFacts]
    attributes: dict[str, Any] = field(default_factory=dict)
    saved: list[SavedTensorFacts] = field(default_factory=list)


@dataclass(slots=True)
class TracedGraph:
    """All that is kept of a traced graph. `tensors` are its tensors, `constants` those saved from outside of
    it."""

    structure: Structure
    nodes: Sequence[NodeFacts]
    tensors: dict[Pair, TensorSnapshot]
    constants: list[TensorSnapshot]

    @property
    def roots(self) -> list[Pair]:
        """The outputs that backward starts from."""
        return self.structure.roots

    @property
    def is_structure_only(self) -> bool:
        """Whether nothing but the structure is known of its Nodes."""
        return isinstance(self.nodes, StructureOnlyNodes)

    def read_nodes(self) -> Iterable[tuple[int, NodeFacts]]:
        """The Nodes of which more than the structure was read, with their positions."""
        nodes = self.nodes
        return nodes.read.items() if isinstance(nodes, StructureOnlyNodes) else enumerate(nodes)

    def output_counts(self) -> Sequence[int]:
        """How many outputs each Node has, as far as that is known."""
        nodes = self.nodes
        return nodes.counts if isinstance(nodes, StructureOnlyNodes) else [len(node.outputs) for node in nodes]


class StructureOnlyNodes(Sequence[NodeFacts]):
    """The Nodes of a trace that read nothing but structure: each is made when it is asked for.

    counts: of the outputs of each. read: those that were read nonetheless, by their positions.
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


class GraphSnapshot:
    """Trace a graph: made before backward; `close` after it (or at once) gives the TracedGraph."""

    def __init__(self, graph: Walk, outputs: list[Any], names: Names, batch: Batch) -> None:
        """graph: the walk from `outputs`, the tensors or GradientEdges that are its roots.

        A batch of level "light" means a light trace: no saved tensors, no attributes, no data of large tensors.
        """
        self.walk = graph
        self._batch = batch
        self._names = names
        self._tensors: dict[Pair, TensorSnapshot] = {}
        self._constants: list[TensorSnapshot] = []
        self._constant_by_id: dict[int, int] = {}
        self._held: list[torch.Tensor] = []  # so that no identity is used twice while tracing
        self._leaf_pairs: dict[int, Pair] = {}
        self._storages = RetainedBytes()
        full = batch.level == "full" and len(graph.nodes) <= FULL_NODES
        self._snapshot_roots(outputs)
        self._snapshot_leaves(full)
        self._snapshot_named()
        self._records: list[NodeFacts] | None = self._read_nodes() if full else None
        self._looked_into: dict[int, NodeFacts] = {}
        self._held.clear()
        self._storages = RetainedBytes()
        self._names = Names()

    def attach_forward_values(self, find: Callable[[torch.Tensor], Pending | None]) -> None:
        """Note what constants held in the forward: `find` gives it, or None."""
        for seen in self._constants:
            tensor = seen.reference() if seen.shared else None
            seen.made = None if tensor is None else find(tensor)

    def attach_sources(self, find: Callable[[torch.Tensor], Any]) -> None:
        """Note where the leaves were made: `find` gives the source of a tensor, or None."""
        for seen in [*self._tensors.values(), *self._constants]:
            tensor = seen.reference() if seen.facts.is_leaf else None
            seen.source = None if tensor is None else find(tensor)

    def look_into(self, position: int) -> None:
        """Note what a Node saved, where a light trace did not: it is the one at which backward has failed."""
        if self._records is None and len(self.walk.nodes) <= FULL_NODES:
            record = self._looked_into[position] = self._record(position)
            for saved in record.saved:
                saved.bytes = None  # of one Node of many it says nothing about what the graph keeps alive

    def close(
        self, *, ran: bool, counts: Mapping[int, int] | None = None, beside: Sequence[Batch] = ()
    ) -> TracedGraph:
        """Look again if backward `ran`, and read back what was summarised on a device.

        counts: how many outputs Nodes have, by position, where that is known without asking torch.
        beside: batches to be read with that, so that the device is waited for once.
        """
        if ran:
            for seen in [*self._tensors.values(), *self._constants]:
                snapshot_after(seen, self._batch)
            if self._records is not None:
                for node, record in zip(self.walk.nodes, self._records, strict=True):
                    self._update_saved(node, record)
        self._batch.read(*beside)
        nodes: Sequence[NodeFacts]
        if self._records is not None:
            nodes = self._records
        else:
            nodes = StructureOnlyNodes(
                self.walk.structure, _output_counts(self.walk, counts or {}), self._looked_into
            )
        return TracedGraph(self.walk.structure, nodes, self._tensors, self._constants)

    def pair_of(self, tensor: torch.Tensor) -> Pair | None:
        """Which tensor of the graph this is; None if it is none of them."""
        try:
            node = tensor.grad_fn
        except RuntimeError:  # a view whose base was changed where autograd forbids it
            return None
        if node is not None:
            position = self.walk.index.get(node)
            return None if position is None else (position, tensor.output_nr)
        return self._leaf_pairs.get(id(tensor))

    def find(self, tensor: torch.Tensor) -> tuple[Pair | None, TensorSnapshot | None]:
        """Which tensor of the graph this is, and what was seen of it; None for what it is not, or was not."""
        pair = self.pair_of(tensor)
        return pair, None if pair is None else self._tensors.get(pair)

    def _snapshot_roots(self, outputs: list[Any]) -> None:
        for output, (position, output_nr) in zip(outputs, self.walk.roots, strict=True):
            if isinstance(output, torch.Tensor):
                self._snapshot((position, output_nr), output)

    def _snapshot_leaves(self, full: bool) -> None:
        for position, leaf in self.leaves():
            pair = self._leaf_pairs[id(leaf)] = position, 0
            if full:
                self._storages.add_leaf(leaf)
            self._snapshot(pair, leaf)

    def leaves(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The leaves of the graph, with the positions of their AccumulateGrads."""
        for position, name in enumerate(self.walk.structure.names):
            leaf = self.walk.nodes[position].variable if name == ACCUMULATE_GRAD else None
            if isinstance(leaf, torch.Tensor):
                yield position, leaf

    def _snapshot_named(self) -> None:
        for tensor in self._names.tensors:
            pair = self.pair_of(tensor)
            if pair is not None:
                self._snapshot(pair, tensor)

    def _snapshot(self, pair: Pair, tensor: torch.Tensor) -> None:
        if pair not in self._tensors:
            self._tensors[pair] = snapshot_before(tensor, self._names.name(tensor), self._batch)

    def _read_nodes(self) -> list[NodeFacts]:
        return [self._record(position) for position in range(len(self.walk.nodes))]

    def _record(self, position: int) -> NodeFacts:
        node, structure = self.walk.nodes[position], self.walk.structure
        outputs = outputs_of(node)
        if outputs is None:
            outputs = [UNREAD] * self._counts_by_edges[position]
        record = NodeFacts(structure.names[position], structure.sequence_nrs[position], outputs)
        if record.name != ACCUMULATE_GRAD:
            record.attributes = attributes_of(node)
            record.saved = [self._saved_record(position, saved) for saved in saved_by(node)]
        return record

    def _saved_record(self, position: int, saved: SavedTensorState) -> SavedTensorFacts:
        which = (position, saved.output_nr) if saved.is_output else self._identify(saved)
        if isinstance(which, tuple) and saved.tensor is not None:
            self._snapshot(which, saved.tensor)
        record = SavedTensorFacts(saved.name, which, saved.state, saved.state)
        if saved.tensor is not None:
            record.shape, record.dtype = shape_of(saved.tensor), dtype_name(saved.tensor.dtype)
            record.bytes = self._storages.count(saved.tensor)
            record.memory = memory_of(saved.tensor)
        return record

    def _identify(self, saved: SavedTensorState) -> Pair | int | None:
        """The pair of a saved input; the position among the constants of one that is not of the graph; None for
        one that was overwritten, whose grad_fn is that of its new value."""
        if saved.tensor is None:
            return None
        if saved.state == "modified":
            return self._leaf_pairs.get(id(saved.tensor))
        pair = self.pair_of(saved.tensor)
        if pair is not None:
            return pair
        known = self._constant_by_id.get(id(saved.tensor))
        if known is None:
            known = self._constant_by_id[id(saved.tensor)] = len(self._constants)
            self._held.append(saved.tensor)
            self._constants.append(snapshot_before(saved.tensor, self._names.name(saved.tensor), self._batch))
        return known

    @functools.cached_property
    def _counts_by_edges(self) -> array[int]:
        return _counts_by_edges(self.walk.structure)

    def _update_saved(self, node: AutogradNode, record: NodeFacts) -> None:
        if not record.saved:
            return
        states = {saved.name: saved.state for saved in saved_by(node)}
        for saved in record.saved:
            saved.after = states.get(saved.name, "released")


def _output_counts(walk: Walk, known: Mapping[int, int]) -> array[int]:
    """How many outputs each Node has; of a large graph, how many edges lead to or backward starts from.

    known: by positions.
    """
    if len(walk.nodes) <= FULL_NODES and OUTPUT_METADATA.is_here:
        found = map(known.get, range(len(walk.nodes)))
        return array(
            "i",
            [count or len(output_metadata(node) or [0]) for node, count in zip(walk.nodes, found, strict=True)],
        )
    return _counts_by_edges(walk.structure)


def _counts_by_edges(structure: Structure) -> array[int]:
    counts = array("i", [1]) * len(structure)
    for target, input_nr in (*structure.roots, *zip(structure.targets, structure.input_nrs, strict=True)):
        if target != EMPTY and counts[target] <= input_nr:
            counts[target] = input_nr + 1
    return counts
