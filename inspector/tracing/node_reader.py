"""Read Nodes: their outputs, attributes and saved tensors."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Mapping

import torch

from inspector.graph.node_names import op_of
from inspector.tensor_stats import dtype_name, memory_of
from inspector.torch_api.nodes import OUTPUT_METADATA, output_metadata
from inspector.torch_api.saved_tensors import SavedTensorState, attributes_of, saved_by
from inspector.tracing.graph_tensors import GraphTensors
from inspector.tracing.node_facts import ACCUMULATE_GRAD, UNREAD, outputs_of
from inspector.tracing.retained_bytes import RetainedBytes
from inspector.tracing.tensor_facts import shape_of
from inspector.tracing.traced_graph import NodeFacts, Pair, SavedTensorFacts
from inspector.tracing.walk import EMPTY, AutogradNode, Structure, Walk

FULL_NODES = 20_000
"""Graphs with more Nodes are traced as structure, with leaves and roots: no saved tensors, no attributes."""

_WORKSPACES = {
    "cudnn_batch_norm": ("result3",),
    "cudnn_rnn": ("result3", "result4"),
    "miopen_rnn": ("result3", "result4"),
    "mkldnn_rnn_layer": ("result3",),
}
"""What functions save that is memory for their backward, of which they fill only a part, by torch's names."""


class NodeReader:
    """Reads the Nodes of a walk; the tensors that they saved are added to `tensors`."""

    def __init__(self, graph: Walk, tensors: GraphTensors) -> None:
        self._walk, self._tensors = graph, tensors
        self._storages = RetainedBytes()

    def exclude_leaf(self, leaf: torch.Tensor) -> None:
        """Exclude the memory of a leaf from `SavedTensorFacts.bytes`."""
        self._storages.add_leaf(leaf)

    def read(self, position: int) -> NodeFacts:
        """One Node, before backward."""
        node, structure = self._walk.nodes[position], self._walk.structure
        outputs = outputs_of(node)
        if outputs is None:
            outputs = [UNREAD] * self._counts_by_edges[position]
        name, number = structure.names[position], structure.sequence_nrs[position]
        if name == ACCUMULATE_GRAD:
            return NodeFacts(name, number, outputs)
        attributes, states = attributes_of(node), saved_by(node)
        saved = [self._saved(position, state) for state in states] if states else []
        return NodeFacts(name, number, outputs, {"attributes": attributes}, saved)

    def release(self) -> None:
        """Drop the identities of storages, which may be reused from now on."""
        self._storages = RetainedBytes()

    def _saved(self, position: int, saved: SavedTensorState) -> SavedTensorFacts:
        name, state, tensor = saved.name, saved.state, saved.tensor
        if tensor is None:
            return SavedTensorFacts(name, (position, saved.output_nr) if saved.is_output else None, state, state)
        which = (position, saved.output_nr) if saved.is_output else self._identify(position, saved, tensor)
        if isinstance(which, tuple):
            self._tensors.add(which, tensor)
        memory = memory_of(tensor) if self._tensors.may_be_written else None
        size, shape, dtype = self._storages.count(tensor), shape_of(tensor), dtype_name(tensor.dtype)
        return SavedTensorFacts(name, which, state, state, shape, dtype, size, memory)

    def _identify(self, position: int, saved: SavedTensorState, tensor: torch.Tensor) -> Pair | int | None:
        """A saved input: its (position, output number), its position among the constants if it does not belong to
        the graph, or None if it was overwritten, since its grad_fn is that of the new value."""
        if saved.state == "modified":
            return self._tensors.leaf_pair(tensor)
        pair = self._tensors.pair_of(tensor)
        if pair is not None:
            return pair
        is_workspace = saved.name in _WORKSPACES.get(op_of(self._walk.structure.names[position]), ())
        return self._tensors.constant(tensor, is_workspace=is_workspace)

    @functools.cached_property
    def _counts_by_edges(self) -> array[int]:
        return _counts_by_edges(self._walk.structure)


def update_saved(node: AutogradNode, facts: NodeFacts) -> None:
    """Read the states of a Node's saved tensors after backward."""
    if not facts.saved:
        return
    held = [saved.name for saved in facts.saved if saved.before == "held"]
    states = {saved.name: saved.state for saved in saved_by(node, held)}
    for saved in facts.saved:
        saved.after = states.get(saved.name, "released")


def output_counts(walk: Walk, known: Mapping[int, int]) -> array[int]:
    """The number of outputs of each Node; in a large graph, of the outputs that edges or roots use.

    known: the numbers known without asking torch, by position.
    """
    if len(walk.nodes) <= FULL_NODES and OUTPUT_METADATA.is_available:
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
