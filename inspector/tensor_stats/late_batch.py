"""Values of tensors that are measured when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from inspector.graph.elements import MOST_ELEMENTS
from inspector.graph.values import FULL, Value, unknown
from inspector.tensor_stats.batch import Batch, Pending
from inspector.torch_api.modes import hidden

_NOT_READ = Pending(unknown("not read for the picture, and the graph is gone or has changed since"))


_MANY = 32
"""Questions after which values are measured together, so many at once: a folded picture shows fewer."""


class LateValue(Pending):
    """The value of a tensor, measured on first access.

    number: among those of the batch. tensor: None once the batch is closed. found: the measured value; None
    before.
    """

    __slots__ = ("_is_small", "batch", "found", "number", "tensor")

    is_none = False

    def __init__(self, batch: LateBatch, number: int, tensor: torch.Tensor) -> None:
        self.batch, self.number = batch, number
        self.tensor: torch.Tensor | None = tensor
        self.found: Pending | None = None
        self._is_small = _is_small(tensor)

    @property
    def value(self) -> Value:
        return self._measured.value

    @property
    def is_unknown(self) -> bool:
        return self._measured.is_unknown

    @property
    def elements(self) -> str | None:
        return self._measured.elements if self.may_have_elements else None

    @property
    def may_have_elements(self) -> bool:
        return self._is_small

    @property
    def largest_share(self) -> float | None:
        return self._measured.largest_share

    @property
    def _measured(self) -> Pending:
        if self.found is None:
            self.batch.answer(self)
        return self.found or _NOT_READ


def _is_small(tensor: torch.Tensor) -> bool:
    """Whether a summary of the tensor may have elements."""
    try:
        return FULL < tensor.numel() <= MOST_ELEMENTS
    except (RuntimeError, TypeError):  # a nested tensor
        return True


class LateBatch(Batch):
    """Measures tensors of the forward when their values are asked for, and gradients at once. It holds the former
    until it is closed.

    Tensors are measured faster together than one by one: after some questions, each also measures those that were
    added next.
    """

    def __init__(self) -> None:
        super().__init__(holds=True)
        self._values: list[LateValue] = []
        self._questions = 0
        self._again: Callable[[], None] | None = None

    def add(self, tensor: torch.Tensor | None, *, counted: bool = False) -> Pending:
        """As `Batch.add`; a tensor of the forward is not yet measured."""
        if tensor is None or not counted:
            return super().add(tensor)
        late = LateValue(self, len(self._values), tensor)
        self._values.append(late)
        return late

    def answer(self, wanted: LateValue) -> None:
        """Measure this value now, and perhaps others."""
        self._questions += 1
        following = self._values[wanted.number : wanted.number + _MANY] if self._questions >= _MANY else ()
        self.measure([wanted, *following])

    def measure(self, values: Iterable[Pending]) -> None:
        """Measure these values now, together."""
        waiting = [late for late in values if isinstance(late, LateValue) and late.found is None]
        if any(late.tensor is None for late in waiting):
            again, self._again = self._again, None
            if again is not None:
                again()
        with hidden():
            for late in waiting:
                if late.tensor is not None and late.found is None:
                    late.found = super().add(late.tensor, counted=True)
            self.read()

    def close(self, again: Callable[[], None]) -> None:
        """Hold no tensor any more. again: called for a value that is asked for later, once; it may set `found` of
        any value."""
        self._again = again
        for late in self._values:
            late.tensor = None
        self._values = []


def measure_all(values: Iterable[Pending]) -> None:
    """Measure together those values that have not been asked for."""
    waiting = [late for late in values if isinstance(late, LateValue) and late.found is None]
    if waiting:
        waiting[0].batch.measure(waiting)
