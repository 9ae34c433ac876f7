"""Record gradients: hooks on every Node of a walk, during one backward call.

The same few hook functions serve all Nodes and ask the engine for the current one: creating one function per Node
would take as long as running it. They reduce a gradient at once (`summaries.Batch`) and keep no reference to it,
because a reference would make torch copy the gradient of every parameter instead of moving it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from inspector.graph.node_kinds import has_one_output
from inspector.tensor_stats import Batch, quick_norm
from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.engine import CURRENT_NODE, hook_carrier, register_shared
from inspector.torch_api.modes import unobserved
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.walk import AutogradNode, Walk

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]

class GradientCapture:
    """Fills a GradientFlow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = GradientFlow()
        self._batch = batch
        self._index: dict[AutogradNode, int] = {}
        self._shared: dict[int, Callable[..., None]] = {}
        self._handles: list[Any] = []
        self._errors: list[Exception] = []

    def install(self, walk: Walk, *, runs_all: bool) -> None:
        """Install hooks on every Node: for incoming gradients, and in a full recording also for outgoing ones.

        runs_all: the call is for all leaves, so that the engine runs every Node.
        """
        self._index |= walk.index
        at_work = CURRENT_NODE.parts
        if at_work is None:
            self._install_one_by_one(walk)
            return
        one, several = self._arriving(at_work)
        if self._batch.level == "light" and runs_all:
            self._install_quickly(walk, one, several)
            return
        leave = self._leaving(at_work)
        for node in walk.nodes:
            self._hook(node, several, leave)

    def _install_quickly(
        self, walk: Walk, one: Callable[[torch.Tensor | None], None], several: Callable[[Gradients], None]
    ) -> None:
        """Hook a Node with one output as `register_hook` of that tensor does: in a tenth of the time of a prehook.

        Torch runs such hooks also where the engine only stops at a Node, and before a prehook of the user's: what
        they see is what `retain_grad` keeps. That of an AccumulateGrad would be the leaf's own, and stay.
        """
        self._shared[0] = one
        with unobserved():
            carrier = hook_carrier(self._shared)
        for node, name in zip(walk.nodes, walk.structure.names, strict=True):
            if not has_one_output(name) or not register_shared(node, carrier):
                self._handles.append(node.register_prehook(several))

    def _install_one_by_one(self, walk: Walk) -> None:
        """Fallback if torch does not say which Node is running: a pair of hooks for each."""
        for node in walk.nodes:
            at_work = functools.partial(_same, node)
            self._hook(node, self._arriving(at_work)[1], self._leaving(at_work))

    def _hook(self, node: AutogradNode, several: Callable[..., None], leave: Callable[..., None]) -> None:
        self._handles.append(node.register_prehook(several))
        if self._batch.level == "full":
            self._handles.append(node.register_hook(leave))

    def _arriving(
        self, at_work: Callable[[], AutogradNode]
    ) -> tuple[Callable[[torch.Tensor | None], None], Callable[[Gradients], None]]:
        return _arriving(at_work, self._index, self.flow, self._batch, self._errors)

    def _leaving(self, at_work: Callable[[], AutogradNode]) -> Callable[[Gradients, Gradients], None]:
        return _leaving(at_work, self._index, self.flow, self._batch, self._errors)

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
        """Note the result of `torch.autograd.grad`: no hook runs for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)


def _same(node: AutogradNode) -> AutogradNode:
    return node


def _arriving(
    at_work: Callable[[], AutogradNode],
    index: dict[AutogradNode, int],
    flow: GradientFlow,
    batch: Batch,
    errors: list[Exception],
) -> tuple[Callable[[torch.Tensor | None], None], Callable[[Gradients], None]]:
    """What notes the turn of the Node that `at_work` names and what has arrived at it: as `register_hook` of a
    tensor and `register_prehook` of a Node call it.

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
            position = index.get(at_work())
            if position is None:  # compiled autograd runs hooks outside of any Node
                return
            steps.append(position)
            facts = quick_norm(gradients[0], computed=True) if is_light and len(gradients) == 1 else None
            if facts is None:
                arrived[position] = without_dynamo(flowing, gradients)
            else:
                norms[position] = facts
        except Exception as error:
            errors.append(error)

    return one, several


def _leaving(
    at_work: Callable[[], AutogradNode],
    index: dict[AutogradNode, int],
    flow: GradientFlow,
    batch: Batch,
    errors: list[Exception],
) -> Callable[[Gradients, Gradients], None]:
    """What notes what the Node at work sends on: as its `register_hook` calls it. Like `_arriving`."""
    contributions, flowing = flow.contributions, batch.flowing

    def left(sent: Gradients, _: Gradients) -> None:
        if errors:
            return
        try:
            position = index.get(at_work())
            if position is None:
                return
            for slot, value in enumerate(without_dynamo(flowing, sent)):
                contributions[position, slot] = value
        except Exception as error:
            errors.append(error)

    return left


_NOBODY = functools.partial(_same, None)
skip_in_dynamo(
    quick_norm,
    *_arriving(_NOBODY, {}, GradientFlow(), Batch(), []),
    _leaving(_NOBODY, {}, GradientFlow(), Batch(), []),
)
