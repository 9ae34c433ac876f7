"""What flows: hooks on every Node of a walk, for the time of one backward call.

Hooks hold positions, never Nodes or tensors: a closure over either is a cycle that nothing frees. They reduce a
gradient at once (`summaries.Batch`) and keep no reference to it, since one would make torch copy the gradient of
every parameter instead of handing it over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from inspector.summaries import Batch
from inspector.tracer.flow import Flow
from inspector.tracer.walk import Walk


class GradientCapture:
    """Fills a Flow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = Flow()
        self._batch = batch
        self._handles: list[Any] = []

    def install(self, walk: Walk) -> None:
        """Put our hooks on every Node."""
        for position, node in enumerate(walk.nodes):
            self._handles.append(node.register_prehook(self._before(position)))
            self._handles.append(node.register_hook(self._after(position)))

    def remove(self) -> None:
        """Take our hooks off again: on an AccumulateGrad they would fire in later calls."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note what `torch.autograd.grad` returned: no hook fires for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)

    def _before(self, position: int) -> Callable[[Any], None]:
        flow, batch = self.flow, self._batch

        def hook(gradients: tuple[torch.Tensor | None, ...]) -> None:
            flow.steps.append(position)
            flow.arrived[position] = [batch.add(gradient) for gradient in gradients]

        return hook

    def _after(self, position: int) -> Callable[[Any, Any], None]:
        contributions, batch = self.flow.contributions, self._batch

        def hook(gradients: tuple[torch.Tensor | None, ...], _: Any) -> None:
            for slot, gradient in enumerate(gradients):
                contributions[position, slot] = batch.add(gradient)

        return hook
