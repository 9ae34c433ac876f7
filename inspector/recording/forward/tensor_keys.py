"""Which output of which Node a tensor is, without changing its graph."""

from __future__ import annotations

import torch

from inspector.recording.forward.cuts_and_writes import Key
from inspector.recording.forward.engine_thread_nodes import EngineThreadNodes
from inspector.recording.training.leaf_registry import is_leaf
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.torch_api.tensors import is_changed_view, version_counter

_version = version_counter()


class TensorKeys:
    """The keys of the tensors of one thread: the number of their Node, and of the output.

    engine_threads: the Nodes that the engine's own threads created.
    """

    def __init__(self) -> None:
        self.engine_threads = EngineThreadNodes()
        self._recorded: dict[int, tuple[TensorReference, Key, int]] = {}

    def add(self, tensor: torch.Tensor, key: Key) -> None:
        """Note the key of a recorded output."""
        self._recorded[id(tensor)] = (reference_to(tensor), key, _version(tensor))

    def recorded(self, tensor: torch.Tensor) -> Key | None:
        """The key that was noted for a tensor, even if it was written since; None if it was not recorded."""
        kept = self._recorded.get(id(tensor))
        return kept[1] if kept is not None and kept[0]() is tensor else None

    def of(self, tensor: torch.Tensor) -> Key | None:
        """The Node and output number of a tensor; None for a leaf, and if reading them would change the graph.

        Reading the grad_fn of a view after an in-place write creates a new Node (torch: `VariableHooks::grad_fn`).
        """
        if not tensor.requires_grad or is_leaf(tensor):
            return None
        kept = self._recorded.get(id(tensor))
        if kept is not None and kept[0]() is tensor and kept[2] == _version(tensor):
            return kept[1]
        if is_changed_view(tensor):
            return None
        node = tensor.grad_fn
        return (self.engine_threads.sequence_number_of(node), tensor.output_nr) if node is not None else None
