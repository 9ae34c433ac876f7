"""Record the steps of optimizers, and the frozen parameters that they change."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from inspector.recording.training.event_log import EventLog, OptimizerEvent
from inspector.recording.training.function_watch import FunctionWatch
from inspector.recording.training.grad_provenance import are_all_zero
from inspector.tensor_stats.plain_tensor import plain_tensor
from inspector.torch_api.compilation import without_dynamo
from inspector.torch_api.modes import unobserved
from inspector.torch_api.tensor_references import TensorReference, reference_to

MOST_COMPARED = 1_000_000
"""Maximum elements of a frozen parameter that are compared before and after a step: 4 MB."""

_Sample = tuple[TensorReference, torch.Tensor]
"""A frozen parameter, and its first elements before a step."""


class OptimizerSteps(threading.local):
    """Records each step, through torch's optimizer hooks. Each thread has a state of its own, for the step that it
    makes."""

    def __init__(self, log: EventLog, watch: FunctionWatch) -> None:
        self._log, self._watch = log, watch
        self._frozen: list[_Sample] = []
        self._step: OptimizerEvent | None = None
        self._stepping: tuple[int, int] | None = None
        self._steps_within = 0
        self._is_inner = False
        self._used: dict[int, tuple[tuple[int, ...], int]] = {}

    @property
    def is_stepping(self) -> bool:
        """Whether a step is in progress, which may call backward by its closure."""
        return self._stepping is not None

    @property
    def stepping(self) -> int | None:
        """The id of the optimizer whose step is in progress."""
        return None if self._stepping is None else self._stepping[0]

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook before a step of any optimizer."""
        moment = (id(optimizer), self._log.ended())
        if moment == self._stepping:  # a step that calls that of its base class
            self._steps_within += 1
            return
        self._is_inner = self._stepping is not None
        self._stepping, self._steps_within = moment, 0
        without_dynamo(self._watch.notify, self._begins, (optimizer,), {}, None)
        if not _has_closure(args, kwargs):
            without_dynamo(self._watch.notify, self._uses_grads, (optimizer,), {}, sys._getframe(1))

    def after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook after a step."""
        if self._steps_within:
            self._steps_within -= 1
            return
        self._stepping = None
        if _has_closure(args, kwargs):
            without_dynamo(self._watch.notify, self._uses_grads, (optimizer,), {}, sys._getframe(1))
        without_dynamo(self._watch.notify, self._ends, (optimizer,), {}, None)

    def _begins(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step begins: remember the parameters that have a grad but do not require a gradient."""
        frozen = [tensor for tensor in held_by(args[0]) if tensor.grad is not None and not tensor.requires_grad]
        with unobserved():
            samples = [(reference_to(tensor), _first_elements(tensor)) for tensor in frozen]
            self._frozen = [(reference, sample.clone()) for reference, sample in samples if sample is not None]

    def _uses_grads(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step is about to use the grads (a step with a closure has used them)."""
        optimizer = args[0]
        tensors = held_by(optimizer)
        numbers = self._log.leaves.add_all(tensors)
        held = dict(zip(numbers, tensors, strict=True))
        grads = {number: tensor.grad for number, tensor in held.items()}
        empty = are_all_zero(grad for grad in grads.values() if grad is not None)
        if empty:
            self._log.history.zeroed(held)  # by the script itself, for which torch has no hook
        self._step = self._log.add(
            "step",
            frame,
            optimizer,
            held,
            numbers,
            without_gradient=[number for number, grad in grads.items() if grad is None],
            frozen=[
                number for number, grad in grads.items() if grad is not None and not held[number].requires_grad
            ],
        )
        if self._step is not None:
            self._step.empty = empty
            again, unchanged = self._used_again(self._step), self._log.history.unchanged(numbers)
            if again:
                self._step.facts["again"] = again
            if unchanged:
                self._step.facts["as_computed"] = unchanged

    def _used_again(self, step: OptimizerEvent) -> list[int]:
        """The leaves whose gradients another optimizer's step has used, with no backward call since.

        Not for a step within another: an optimizer that wraps another one shares its parameters.
        """
        again: list[int] = []
        if self._is_inner or step.optimizer is None:
            return again
        for calls, leaves in step.content.items():
            for leaf in leaves:
                used_in, by = self._used.get(leaf, ((), step.optimizer))
                if used_in == calls and by != step.optimizer:
                    again.append(leaf)
                self._used[leaf] = calls, step.optimizer
        return again

    def _ends(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step has ended: find the frozen parameters that it changed."""
        frozen, self._frozen = self._frozen, []
        with unobserved():
            moved = [
                self._log.leaves.add(tensor)
                for reference, sample in frozen
                if (tensor := reference()) is not None
                and (now := _first_elements(tensor)) is not None
                and not torch.equal(now, sample)
            ]
        if self._step is not None and moved:
            self._step.facts["moved"] = moved


def held_by(optimizer: Optimizer) -> list[torch.Tensor]:
    """The parameters that an optimizer holds."""
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def _first_elements(tensor: torch.Tensor) -> torch.Tensor | None:
    elements, _ = plain_tensor(tensor)
    return None if elements is None else elements.flatten()[:MOST_COMPARED]


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a step was given a closure, which runs backward within it."""
    return kwargs.get("closure") is not None or any(callable(item) for item in args[1:])
