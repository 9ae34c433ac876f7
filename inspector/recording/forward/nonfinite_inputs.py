"""Find NaN and infinities in tensors that do not require a gradient, and so have no Node, such as input data."""

from __future__ import annotations

import math

import torch

from inspector.graph.row_types import Given
from inspector.recording.forward.cuts_and_writes import Where
from inspector.tensor_stats.plain_tensor import has_memory
from inspector.torch_api.modes import unobserved
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.user_code.source_expressions import SourceExpressions

_LARGEST = 1 << 24
"""Maximum elements of a result that is checked: one pass over 64 MiB."""

_LIMIT = 20_000
"""Maximum number of non-finite tensors remembered."""


class NonFiniteInputs:
    """The first operations with non-finite results, and the tensors that contain these results."""

    def __init__(self) -> None:
        self._origins: list[Where] = []
        self._tensors: dict[int, tuple[TensorReference, int]] = {}

    def of(self, inputs: list[torch.Tensor]) -> int | None:
        """The origin of a non-finite value in `inputs`, as a number for `described`."""
        for tensor in inputs if self._tensors else ():
            kept = self._tensors.get(id(tensor))
            if kept is not None and kept[0]() is tensor:
                return kept[1]
        return None

    def note(self, where: Where, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> None:
        """Check the results of an operation that created no Node."""
        for tensor in results:
            if len(self._tensors) >= _LIMIT or _is_finite(tensor):
                continue
            origin = self.of(inputs)
            if origin is None and any(other.requires_grad for other in inputs):
                continue  # it comes from the graph, whose Nodes show it
            if origin is None:
                origin = len(self._origins)
                self._origins.append(where)
            self._tensors[id(tensor)] = (reference_to(tensor), origin)

    def described(self, origin: int, sources: SourceExpressions) -> Given:
        """An origin as a plain dictionary: operation, source, name, code."""
        row = self._origins[origin].described(sources)
        return {"operation": row["operation"], "source": row["source"], "name": row["name"], "code": row["code"]}


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all elements are finite; True for what is not checked. On a device the check would have to wait."""
    if type(tensor) is not torch.Tensor or not has_memory(tensor) or tensor.is_inference():
        return True
    if not tensor.is_floating_point() or tensor.device.type != "cpu":
        return True
    if not 0 < tensor.numel() <= _LARGEST:
        return True
    with unobserved():
        least, most = torch.aminmax(tensor.detach())
        return math.isfinite(least) and math.isfinite(most)
