"""What flows: hooks on every Node of a walk, for the time of one backward call.

Hooks hold positions, never Nodes or tensors: a closure over either is a cycle that nothing frees. They reduce a
gradient at once (`summaries.Batch`) and keep no reference to it, since one would make torch copy the gradient of
every parameter instead of handing it over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from inspector.recorder.dynamo import hide_alone
from inspector.summaries import Batch, Pending
from inspector.tracer.flow import Flow
from inspector.tracer.walk import Walk

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]


class GradientCapture:
    """Fills a Flow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = Flow()
        self._batch = batch
        self._handles: list[Any] = []
        self._errors: list[Exception] = []

    def install(self, walk: Walk) -> None:
        """Put our hooks on every Node: on its way in, and in a full recording on its way out."""
        handles, errors, left = self._handles, self._errors, self._left
        flow, look = self.flow, self._batch.flowing
        for position, node in enumerate(walk.nodes):
            handles.append(node.register_prehook(_prehook(flow, look, position, errors)))
        if self._batch.level == "full":
            for position, node in enumerate(walk.nodes):
                handles.append(node.register_hook(_hook(left, position, errors)))

    def remove(self) -> None:
        """Take our hooks off again: on an AccumulateGrad they would fire in later calls. Raises what one raised,
        which within the hook would have ended the user's backward."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._errors:
            raise self._errors[0]

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note what `torch.autograd.grad` returned: no hook fires for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)

    def _left(self, position: int, gradients: Gradients, _: Gradients) -> None:
        for slot, value in enumerate(self._batch.flowing(gradients)):
            self.flow.contributions[position, slot] = value


def _prehook(
    flow: Flow, look: Callable[[Gradients], Sequence[Pending]], position: int, errors: list[Exception]
) -> Callable[[Gradients], None]:
    """Notes the turn of a Node and what has arrived; like `_hook`, but written out: it runs for every Node."""
    steps, arrived = flow.steps, flow.arrived

    def prehook(gradients: Gradients) -> None:
        if errors:
            return
        previous = _set_eval_frame(None)
        try:
            steps.append(position)
            arrived[position] = look(gradients)
        except Exception as error:
            errors.append(error)
        finally:
            _set_eval_frame(previous)

    return prehook


def _hook(note: Callable[..., None], position: int, errors: list[Exception]) -> Callable[..., None]:
    """A hook that Dynamo does not look into: it may be running a compiled step that this backward belongs to.

    It does not raise; after the first error, which is kept in `errors`, it does nothing.
    """

    def hook(*gradients: Any) -> None:
        if errors:
            return
        previous = _set_eval_frame(None)  # `unseen`, written out
        try:
            note(position, *gradients)
        except Exception as error:
            errors.append(error)
        finally:
            _set_eval_frame(previous)

    return hook


_set_eval_frame = torch._C._dynamo.eval_frame.set_eval_frame
hide_alone(_prehook(Flow(), Batch().flowing, 0, []), _hook(print, 0, []))  # all of them share their code
