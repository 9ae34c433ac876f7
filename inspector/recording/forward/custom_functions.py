"""Name the results of custom Functions, which get their Node only after their forward has returned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import CodeType
from typing import Any

import torch
from msgspec import Struct

from inspector.recording.forward.outputs import Outputs
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.torch_api.frames import forward_code
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.user_code.source_expressions import Expression, Place

_MOST = 100
"""Maximum number of pending results; results that the script does not use never get a Node."""


class _Applied(Struct):
    """A custom Function whose forward has returned.

    results: the tensors it returned; apply may return others, for example for an input returned unchanged.
    numbers: the range of sequence numbers that contains its Node.
    """

    code: CodeType
    results: list[TensorReference]
    numbers: range
    expression: Expression
    place: Place


class AppliedFunctions:
    """The custom Functions whose results have no name yet. True if there are some."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._waiting: list[_Applied] = []
        self._last = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def returned(
        self, code: CodeType, results: Sequence[torch.Tensor], expression: Expression, place: Place
    ) -> None:
        """The forward of a custom Function has returned to user code. code: of that forward."""
        number = sequence_number()
        references = [reference_to(item) for item in results]
        self._waiting.append(_Applied(code, references, range(self._last, number), expression, place))
        self._last = number
        del self._waiting[:-_MOST]

    def name_pending(self, used: Iterable[Any] = ()) -> None:
        """Name the results that have their Node by now. used: tensors that the next operation uses."""
        tensors = [item for item in used if isinstance(item, torch.Tensor)]
        self._waiting = [applied for applied in self._waiting if not self._is_named(applied, tensors)]

    def clear(self) -> None:
        """Drop the pending results."""
        self._waiting.clear()

    def _is_named(self, applied: _Applied, used: list[torch.Tensor]) -> bool:
        """Name the results of one call; whether a result was found."""
        known = [reference() for reference in applied.results]
        found = {
            index: tensor
            for index, tensor in enumerate(known)
            if tensor is not None and self._is_of(applied, tensor)
        }
        for tensor in used:
            if self._is_of(applied, tensor) and tensor.output_nr < len(known):
                found.setdefault(tensor.output_nr, tensor)
        results = [found.get(index) for index in range(len(known))]
        self._outputs.name_results("apply", results, applied.expression, applied.place)
        return bool(found)

    def _is_of(self, applied: _Applied, tensor: torch.Tensor) -> bool:
        """Whether a tensor is a result of this call."""
        key = self._outputs.keys.of(tensor)
        if key is None or key[0] not in applied.numbers:
            return False
        return forward_code(tensor.grad_fn) in (None, applied.code)
