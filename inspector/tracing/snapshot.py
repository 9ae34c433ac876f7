"""Snapshots of one graph, before and after backward.

A `GraphSnapshot` lives for one backward call: it holds Nodes, so it holds the graph. Its result, a `TracedGraph`,
holds plain values only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from inspector.graph.row_types import InnerPart
from inspector.graph.values import Unknown
from inspector.tensor_stats import Batch, Pending
from inspector.tracing.compiled_parts import compiled_parts
from inspector.tracing.graph_tensors import GraphTensors
from inspector.tracing.node_reader import FULL_NODES, NodeReader, output_counts, update_saved
from inspector.tracing.tensor_facts import TensorSnapshot, snapshot_after
from inspector.tracing.traced_graph import NodeFacts, Pair, StructureOnlyNodes, TracedGraph
from inspector.tracing.uses import Use
from inspector.tracing.walk import Walk
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names


class GraphSnapshot:
    """Traces a graph: created before backward; `close` after it (or at once) returns the TracedGraph."""

    def __init__(self, graph: Walk, outputs: list[Any], names: Names, batch: Batch) -> None:
        """graph: the walk from `outputs`, the tensors or GradientEdges that are its roots.

        A batch of level "light" means a light trace: no saved tensors, no attributes, no data of large tensors.
        """
        self.walk = graph
        self._batch = batch
        self.tensors = tensors = GraphTensors(graph, names, batch)
        self._reader = NodeReader(graph, tensors)
        for output, pair in zip(outputs, graph.roots, strict=True):
            if isinstance(output, torch.Tensor):
                tensors.add(pair, output)
        is_full = batch.level == "full" and len(graph.nodes) <= FULL_NODES
        for position, leaf in tensors.leaves():
            if is_full:
                self._reader.exclude_leaf(leaf)
            tensors.add_leaf(position, leaf)
        tensors.add_named()
        self._nodes = [self._reader.read(position) for position in range(len(graph.nodes))] if is_full else None
        self._failed: dict[int, NodeFacts] = {}
        self._compiled: dict[int, InnerPart | Unknown] = {}
        tensors.release()
        self._reader.release()

    def attach_forward_values(self, find: Callable[[torch.Tensor], Pending | None]) -> None:
        """Attach what constants contained in the forward: `find` returns it, or None."""
        for seen in self.tensors.constants:
            tensor = seen.reference() if seen.shared else None
            seen.forward.content = None if tensor is None else find(tensor)

    def attach_uses(self, find: Callable[[torch.Tensor], Use | None]) -> None:
        """Attach under which names the forward used leaves and constants: `find` returns it, or None."""
        for seen in self.tensors.all():
            tensor = seen.reference() if seen.facts.is_leaf else None
            seen.forward.use = seen.forward.use if tensor is None else find(tensor) or seen.forward.use

    def attach_sources(self, find: Callable[[torch.Tensor], Any]) -> None:
        """Attach where the leaves were created: `find` returns the source of a tensor, or None."""
        for seen in self.tensors.all():
            tensor = seen.reference() if seen.facts.is_leaf else None
            seen.forward.source = None if tensor is None else find(tensor)

    def attach_compiled(self, files: UserFiles) -> None:
        """Attach what is in the Nodes of compiled functions. files: which ones are the user's."""
        self._compiled = compiled_parts(self.walk, files)

    def read_failed(self, position: int) -> None:
        """Read the saved tensors of the Node at which backward failed, which a light trace has not read."""
        if self._nodes is None and len(self.walk.nodes) <= FULL_NODES:
            facts = self._failed[position] = self._reader.read(position)
            for saved in facts.saved:
                saved.bytes = None  # of one Node of many it says nothing about what the graph keeps alive

    def close(
        self, *, ran: bool, counts: Mapping[int, int] | None = None, beside: Sequence[Batch] = ()
    ) -> TracedGraph:
        """Take the snapshots after backward, if it `ran`, and read back what was reduced on a device.

        counts: the number of outputs of Nodes, by position, where it is known without asking torch.
        beside: batches to read together with it, so that the device is waited for only once.
        """
        if ran:
            for seen in self.tensors.all():
                snapshot_after(seen, self._batch)
            if self._nodes is not None:
                for node, facts in zip(self.walk.nodes, self._nodes, strict=True):
                    update_saved(node, facts)
        self._batch.read(*beside)
        nodes: Sequence[NodeFacts] | None = self._nodes
        if nodes is None:
            nodes = StructureOnlyNodes(self.walk.structure, output_counts(self.walk, counts or {}), self._failed)
        tensors = self.tensors
        return TracedGraph(self.walk.structure, nodes, tensors.by_pair, tensors.constants, self._compiled)

    def find(self, tensor: torch.Tensor) -> tuple[Pair | None, TensorSnapshot | None]:
        """The (position, output number) of a tensor and its snapshot; None if it does not belong to the graph, or
        was not met."""
        pair = self.tensors.pair_of(tensor)
        return pair, None if pair is None else self.tensors.by_pair.get(pair)
