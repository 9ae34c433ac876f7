"""Memory held by a graph: the bytes of the storages saved by its Nodes, each counted once."""

from __future__ import annotations

import torch
from torch import nn

from inspector.tensor_stats import inner_tensors
from inspector.torch_api.modes import unobserved
from inspector.torch_api.tensors import VIEWS, base_of, sparse_parts, storage_id


class RetainedBytes:
    """The storages that were counted, or that belong to leaves, which live without the graph.

    The identity of a storage is only valid while the Node that saved it is alive.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()

    def add_leaf(self, leaf: torch.Tensor) -> None:
        """Exclude the memory of a leaf, which does not belong to the graph."""
        for storage in _storages(leaf) or ():
            self._known.add(storage_id(storage))

    def count(self, tensor: torch.Tensor) -> int | None:
        """The bytes that a saved tensor adds: 0 if a leaf or an earlier tensor has the same storage, None if torch
        cannot tell."""
        if not VIEWS.is_available:
            return None
        storages = _storages(tensor)
        if storages is None:
            return None
        known, added = self._known, 0
        for storage in storages:
            identity = storage_id(storage)
            if identity not in known:
                known.add(identity)
                added += storage.nbytes()
        return 0 if not added or _is_parameter(tensor) else added


def _is_parameter(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a parameter or a view of one. Frozen parameters are not leaves of the graph."""
    if type(tensor) is not torch.Tensor and isinstance(tensor, nn.Parameter):  # which runs Python code of torch
        return True
    base = base_of(tensor)
    return base is not None and isinstance(base, nn.Parameter)


def _storages(tensor: torch.Tensor) -> list[torch.UntypedStorage] | None:
    """The storages of a tensor; for a sparse tensor, of its indices and values; for a subclass that wraps other
    tensors, of these. None for a tensor without a storage, and for a subclass that fails to tell its tensors."""
    if type(tensor) is not torch.Tensor and hasattr(type(tensor), "__tensor_flatten__"):
        return _storages_of_wrapped(tensor)
    try:
        if tensor.layout is torch.strided:
            return [tensor.untyped_storage()]
        with torch.no_grad():
            parts = sparse_parts(tensor.detach())
        return None if parts is None else [part.untyped_storage() for part in parts]
    except (RuntimeError, NotImplementedError):  # a tensor of a torch.func transform has no storage
        return None


def _storages_of_wrapped(tensor: torch.Tensor) -> list[torch.UntypedStorage] | None:
    found = []
    try:
        with unobserved():
            inner = inner_tensors(tensor) or {}
    except Exception:  # it is code of the script or of a library
        return None
    for one in inner.values():
        storages = _storages(one)
        if storages is None:
            return None
        found += storages
    return found
