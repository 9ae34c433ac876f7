"""What flows: hooks on every Node of a walk, for the time of one backward call.

The hooks are a few functions for all Nodes, which ask the engine whose turn it is: one for each Node would take as
long to make as to run. They reduce a gradient at once (`summaries.Batch`) and keep no reference to it, since that
would make torch copy the gradient of every parameter instead of handing it over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch

from inspector.recorder.dynamo import hide_alone, unseen
from inspector.summaries import Batch, quick_norm, unobserved
from inspector.tracer.flow import Flow
from inspector.tracer.nodes import ONE_OUTPUT
from inspector.tracer.walk import AutogradNode, Walk

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]

_node_at_work = torch._C._current_autograd_node


class _Hooks(NamedTuple):
    """Note the turn of the Node at work and what has arrived at it: as `register_hook` of a tensor and
    `register_prehook` of a Node call them. left: what it sends on. None of them raises."""

    one: Callable[[torch.Tensor | None], None]
    several: Callable[[Gradients], None]
    left: Callable[[Gradients, Gradients], None]


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
        hooks = _hooks(self._index, self.flow, self._batch, self._errors)
        if self._batch.level == "light" and runs_all:
            self._install_quickly(walk, hooks)
            return
        for node in walk.nodes:
            self._handles.append(node.register_prehook(hooks.several))
            if self._batch.level == "full":
                self._handles.append(node.register_hook(hooks.left))

    def _install_quickly(self, walk: Walk, hooks: _Hooks) -> None:
        """Hook a Node with one output as `register_hook` of that tensor does: in a tenth of the time of a prehook.

        Torch runs such hooks also where the engine only stops at a Node, and before a prehook of the user's: what
        they see is what `retain_grad` keeps. That of an AccumulateGrad would be the leaf's own, and stay.
        """
        with unobserved():
            carrier = torch.empty(0, device="cpu")
        self._shared[0] = hooks.one
        carrier._backward_hooks = self._shared  # type: ignore[assignment]
        for node, name in zip(walk.nodes, walk.structure.names, strict=True):
            if name in ONE_OUTPUT:
                node._register_hook_dict(carrier)
            else:
                self._handles.append(node.register_prehook(hooks.several))

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


def _hooks(index: dict[AutogradNode, int], flow: Flow, batch: Batch, errors: list[Exception]) -> _Hooks:
    """errors: after the first of ours, which is kept there, they do nothing."""
    steps, arrived, norms, flowing = flow.steps, flow.arrived, flow.norms, batch.flowing
    is_light = batch.level == "light"

    def several(gradients: Gradients) -> None:
        if errors:
            return
        try:
            position = index[_node_at_work()]
            steps.append(position)
            facts = quick_norm(gradients[0], computed=True) if is_light and len(gradients) == 1 else None
            if facts is None:
                arrived[position] = unseen(flowing, gradients)
            else:
                norms[position] = facts
        except Exception as error:
            errors.append(error)

    def one(gradient: torch.Tensor | None) -> None:  # as `several`: this one runs for most Nodes
        if errors:
            return
        try:
            position = index[_node_at_work()]
            steps.append(position)
            facts = quick_norm(gradient, computed=True)
            if facts is None:
                arrived[position] = unseen(flowing, (gradient,))
            else:
                norms[position] = facts
        except Exception as error:
            errors.append(error)

    def left(sent: Gradients, _: Gradients) -> None:
        if errors:
            return
        try:
            position = index[_node_at_work()]
            for slot, value in enumerate(unseen(flowing, sent)):
                flow.contributions[position, slot] = value
        except Exception as error:
            errors.append(error)

    return _Hooks(one, several, left)


hide_alone(quick_norm, *_hooks({}, Flow(), Batch(), []))  # which always have the same code
