"""The tensors met while a graph is traced: its own, and the constants that its Nodes saved."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from inspector.tensor_stats import Batch
from inspector.torch_api.tensors import other_shape, reshaped_from
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.tensor_facts import TensorSnapshot, snapshot_before, workspace_snapshot
from inspector.tracing.traced_graph import Pair
from inspector.tracing.uses import Use
from inspector.tracing.walk import Walk
from inspector.user_code.variable_names import Names


class GraphTensors:
    """Takes a snapshot of each tensor when it is first met.

    by_pair: those of the graph. constants: saved tensors that do not belong to it.
    may_be_written: whether the script runs on before the trace ends.
    """

    def __init__(self, graph: Walk, names: Names, batch: Batch) -> None:
        self.by_pair: dict[Pair, TensorSnapshot] = {}
        self.constants: list[TensorSnapshot] = []
        self._walk, self._names, self._batch = graph, names, batch
        self.may_be_written = not batch.holds
        self._leaf_pairs: dict[int, Pair] = {}
        self._constant_numbers: dict[int, tuple[int, torch.Tensor]] = {}  # held, so that no identity is reused

    def all(self) -> list[TensorSnapshot]:
        """The snapshots of all tensors."""
        return [*self.by_pair.values(), *self.constants]

    def leaves(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The leaves of the graph, with the positions of their AccumulateGrads.

        A parameter under `fully_shard` stands for the whole tensor that was made of its shards."""
        for position, name in enumerate(self._walk.structure.names):
            leaf = self._walk.nodes[position].variable if name == ACCUMULATE_GRAD else None
            if isinstance(leaf, torch.Tensor):
                yield position, self._names.held(leaf)

    def add(self, pair: Pair, tensor: torch.Tensor) -> None:
        """Take the snapshot of a tensor of the graph, unless it was met before."""
        if pair not in self.by_pair:
            self.by_pair[pair] = snapshot_before(tensor, self._names.name(tensor), self._batch)

    def add_leaf(self, position: int, leaf: torch.Tensor) -> None:
        """`add` of a leaf. position: of its AccumulateGrad."""
        pair = self._leaf_pairs[id(leaf)] = position, 0
        self.add(pair, leaf)

    def add_named(self) -> None:
        """`add` of the tensors of the graph that the script's variables hold."""
        for tensor, _, _ in self._names.rows():
            pair = self.pair_of(tensor)
            if pair is not None:
                self.add(pair, tensor)

    def constant(self, tensor: torch.Tensor, *, is_workspace: bool = False) -> int:
        """The position of a saved tensor among the constants, to which it is added when it is first met.

        is_workspace: whether it is memory that torch has only partly filled.
        """
        known = self._constant_numbers.get(id(tensor))
        if known is None:
            known = self._constant_numbers[id(tensor)] = len(self.constants), tensor
            if is_workspace:
                seen = workspace_snapshot(tensor)
            else:
                seen = snapshot_before(tensor, self._names.name(tensor), self._batch)
            if (base := reshaped_from(tensor)) is not None and (name := self._names.name(base)) is not None:
                seen.forward.use = Use(name, shape=other_shape(base, tensor))
            self.constants.append(seen)
        return known[0]

    def pair_of(self, tensor: torch.Tensor) -> Pair | None:
        """The (position, output number) of a tensor; None if it does not belong to the graph."""
        try:
            node = tensor.grad_fn
        except RuntimeError:  # a view whose base was changed where autograd forbids it
            return None
        if node is not None:
            position = self._walk.index.get(node)
            return None if position is None else (position, tensor.output_nr)
        return self._leaf_pairs.get(id(tensor))

    def leaf_pair(self, tensor: torch.Tensor) -> Pair | None:
        """`pair_of` for leaves only, which does not read grad_fn."""
        return self._leaf_pairs.get(id(tensor))

    def release(self) -> None:
        """Drop the tensors and names held for the trace before backward."""
        self._constant_numbers.clear()
        self._names = Names()
