"""What flows: hooks on every Node of a walk, for the time of one backward call.

The hooks are a few functions for all Nodes, which ask the engine whose turn it is: one for each Node would take as
long to make as to run. They reduce a gradient at once (`summaries.Batch`) and keep no reference to it, since that
would make torch copy the gradient of every parameter instead of handing it over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from inspector.recorder.dynamo import hide_alone, unseen
from inspector.summaries import Batch, quick_norm, unobserved
from inspector.tracer.flow import Flow
from inspector.tracer.nodes import ONE_OUTPUT
from inspector.tracer.walk import AutogradNode, Walk

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]

_node_at_work = torch._C._current_autograd_node


class GradientCapture:
    """Fills a Flow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = Flow()
        self._batch = batch
        self._index: dict[AutogradNode, int] = {}
        self._shared: dict[int, Callable[..., None]] = {}
        self._handles: list[Any] = []
        self._errors: list[Exception] = []

    def install(self, walk: Walk, *, runs_all: bool) -> None:
        """Put our hooks on every Node: on its way in, and in a full recording on its way out.

        runs_all: the call is for all leaves, so that the engine stops at none of the Nodes.
        """
        self._index |= walk.index
        one, several = _arriving(self._index, self.flow, self._batch, self._errors)
        if self._batch.level == "light" and runs_all:
            self._install_quickly(walk, one, several)
            return
        leave = _leaving(self._index, self.flow, self._batch, self._errors)
        for node in walk.nodes:
            self._handles.append(node.register_prehook(several))
            if self._batch.level == "full":
                self._handles.append(node.register_hook(leave))

    def _install_quickly(
        self, walk: Walk, one: Callable[[torch.Tensor | None], None], several: Callable[[Gradients], None]
    ) -> None:
        """Hook a Node with one output as `register_hook` of that tensor does: in a tenth of the time of a prehook.

        Torch runs such hooks also where the engine only stops at a Node, and before a prehook of the user's: what
        they see is what `retain_grad` keeps. That of an AccumulateGrad would be the leaf's own, and stay.
        """
        with unobserved():
            carrier = torch.empty(0, device="cpu")
        self._shared[0] = one
        carrier._backward_hooks = self._shared  # type: ignore[assignment]
        for node, name in zip(walk.nodes, walk.structure.names, strict=True):
            if name in ONE_OUTPUT:
                node._register_hook_dict(carrier)
            else:
                self._handles.append(node.register_prehook(several))

    def remove(self) -> None:
        """Take our hooks off again: on an AccumulateGrad they would fire in later calls. Raises what one raised,
        which within the hook would have ended the user's backward."""
        self._shared.clear()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._index.clear()  # a Node that leads to itself is a cycle that nothing frees
        if self._errors:
            raise self._errors[0]

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note what `torch.autograd.grad` returned: no hook fires for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)


def _arriving(
    index: dict[AutogradNode, int], flow: Flow, batch: Batch, errors: list[Exception]
) -> tuple[Callable[[torch.Tensor | None], None], Callable[[Gradients], None]]:
    """What notes the turn of the Node at work and what has arrived at it: as `register_hook` of a tensor and
    `register_prehook` of a Node call it.

    It does not raise: after a first error, which is kept in `errors`, it does nothing.
    """
    steps, arrived, norms, flowing = flow.steps, flow.arrived, flow.norms, batch.flowing
    is_light = batch.level == "light"

    def one(gradient: torch.Tensor | None) -> None:  # runs for most Nodes
        several((gradient,))

    def several(gradients: Gradients) -> None:
        if errors:
            return
        try:
            position = index.get(_node_at_work())
            if position is None:  # compiled autograd runs hooks outside of any Node
                return
            steps.append(position)
            facts = quick_norm(gradients[0], computed=True) if is_light and len(gradients) == 1 else None
            if facts is None:
                arrived[position] = unseen(flowing, gradients)
            else:
                norms[position] = facts
        except Exception as error:
            errors.append(error)

    return one, several


def _leaving(
    index: dict[AutogradNode, int], flow: Flow, batch: Batch, errors: list[Exception]
) -> Callable[[Gradients, Gradients], None]:
    """What notes what the Node at work sends on: as its `register_hook` calls it. Like `_arriving`."""
    contributions, flowing = flow.contributions, batch.flowing

    def left(sent: Gradients, _: Gradients) -> None:
        if errors:
            return
        try:
            position = index.get(_node_at_work())
            if position is None:
                return
            for slot, value in enumerate(unseen(flowing, sent)):
                contributions[position, slot] = value
        except Exception as error:
            errors.append(error)

    return left


hide_alone(quick_norm, *_arriving({}, Flow(), Batch(), []), _leaving({}, Flow(), Batch(), []))
