"""What flows: hooks on every Node of a walk, for the time of one backward call.

Hooks hold positions, never Nodes or tensors: a closure over either is a cycle that nothing frees. They reduce a
gradient at once (`summaries.Batch`) and keep no reference to it, since one would make torch copy the gradient of
every parameter instead of handing it over.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch

from inspector.graph.values import FULL
from inspector.recorder.dynamo import hide_alone, unseen
from inspector.summaries import Batch, Pending
from inspector.tracer.flow import Flow
from inspector.tracer.nodes import REARRANGES
from inspector.tracer.walk import Walk


class GradientCapture:
    """Fills a Flow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = Flow()
        self._batch = batch
        self._handles: list[Any] = []
        self._contributed: dict[int, tuple[weakref.ref[torch.Tensor], int, Pending]] = {}

    def install(self, walk: Walk) -> None:
        """Put our hooks on every Node: on its way in, and on its way out in a full recording, or where what comes
        out holds the same elements, so that they are summarised once."""
        for position, (node, name) in enumerate(zip(walk.nodes, walk.structure.names, strict=True)):
            self._handles.append(node.register_prehook(self._before(position)))
            if self._batch.level == "full" or name in REARRANGES:
                self._handles.append(node.register_hook(self._after(position)))

    def remove(self) -> None:
        """Take our hooks off again: on an AccumulateGrad they would fire in later calls."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._contributed.clear()

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note what `torch.autograd.grad` returned: no hook fires for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)

    def _before(self, position: int) -> Callable[[Any], None]:
        flow = self.flow

        def note(gradients: tuple[torch.Tensor | None, ...]) -> None:
            flow.steps.append(position)
            flow.arrived[position] = [self._value(gradient) for gradient in gradients]

        return _hook(note)

    def _after(self, position: int) -> Callable[[Any, Any], None]:
        contributions, arrived = self.flow.contributions, self.flow.arrived

        def note(gradients: tuple[torch.Tensor | None, ...], arriving: tuple[torch.Tensor | None, ...]) -> None:
            for slot, gradient in enumerate(gradients):
                if gradient is not None and len(arriving) == 1 and _same_elements(gradient, arriving[0]):
                    pending = self._batch.again(arrived[position][0], gradient)
                else:
                    pending = self._batch.add(gradient)
                contributions[position, slot] = pending
                if gradient is not None:
                    self._contributed[id(gradient)] = (weakref.ref(gradient), gradient._version, pending)

        return _hook(note)

    def _value(self, gradient: torch.Tensor | None) -> Pending:
        """The value of what arrives. Where one edge alone leads here it is the very tensor that left the last
        Node, and its value is known."""
        known = self._contributed.pop(id(gradient), None)
        if known is not None and known[0]() is gradient and gradient is not None and known[1] == gradient._version:
            return known[2]
        return self._batch.add(gradient)


def _same_elements(gradient: torch.Tensor, arriving: torch.Tensor | None) -> bool:
    """Whether one is a view of the other that shows each element once: both fill the same memory. Both are alive
    here, so that an address means one memory."""
    if arriving is None or gradient.numel() <= FULL or gradient.numel() != arriving.numel():
        return False
    if type(gradient) is not torch.Tensor or type(arriving) is not torch.Tensor:
        return False
    if gradient.layout is not torch.strided or arriving.layout is not torch.strided:
        return False
    memory, size = arriving.untyped_storage(), arriving.numel() * arriving.element_size()
    return memory.nbytes() == size and memory.data_ptr() == gradient.untyped_storage().data_ptr() != 0


def _hook(note: Callable[..., None]) -> Callable[..., None]:
    """A hook that Dynamo does not look into: it may be running a compiled step that this backward belongs to."""

    def hook(*gradients: Any) -> None:
        unseen(note, *gradients)

    hide_alone(hook)
    return hook
