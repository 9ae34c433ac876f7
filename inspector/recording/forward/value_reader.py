"""Read the values of tensors in the forward, also of those whose memory others may write to."""

from __future__ import annotations

import torch

from inspector.tensor_stats import Batch, Pending, is_shared
from inspector.torch_api.tensor_references import TensorReference, reference_to


class ValueReader:
    """Reads the values of the tensors of one thread into a batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._shared: dict[int, tuple[TensorReference, Pending]] = {}

    def note_shared(self, tensor: torch.Tensor) -> None:
        """Note the content of a tensor without a gradient when a Node uses it, if its memory is shared.

        Only the last content is kept: an array may be refilled for every batch.
        """
        if not tensor.requires_grad and tensor.is_floating_point() and is_shared(tensor):
            self._shared[id(tensor)] = (reference_to(tensor), self.read(tensor))

    def content_at_last_use(self, tensor: torch.Tensor) -> Pending | None:
        """The content noted by `note_shared`, or None."""
        kept = self._shared.get(id(tensor))
        return kept[1] if kept is not None and kept[0]() is tensor else None

    def read(self, tensor: torch.Tensor, *, counted: bool = True) -> Pending:
        """The value of a tensor; unknown under CUDA graph capture, which would record the reading too.

        counted: whether its version counts all writes until now.
        """
        if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
            return Pending({"unknown": "inside a CUDA graph capture"})
        return self._batch.add(tensor, counted=counted)

    def memory_is_shared(self) -> None:
        """The script got access to the memory of a tensor that bypasses version counting."""
        self._batch.counts_writes = False
