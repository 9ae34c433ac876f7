"""Record optimizers and changes to grads between backward calls: steps, zero_grad, clipping, GradScaler.

Steps are recorded by torch's own global optimizer hooks, everything else by passive wrappers around functions of
torch. Parameters are held by weak references.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.optimizer import Optimizer

from inspector.recording.training.event_log import EventLog, RefusedTensor
from inspector.recording.training.function_watch import FunctionWatch
from inspector.recording.training.grad_changes import ClippedGrads, ScaledGrads, ZeroedGrads
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.leaf_registry import is_leaf
from inspector.recording.training.optimizer_steps import OptimizerSteps
from inspector.recording.training.optimizers import Optimizers
from inspector.report.row_types import EventRow
from inspector.torch_api.compilation import skip_in_dynamo
from inspector.torch_api.step_hooks import STEP_HOOKS
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import names_from


class OptimizerEvents:
    """Records optimizers from `install` to `uninstall`.

    history: the registry of leaves and the origin of their grads. created_by: the line that created a non-leaf
    tensor. ended: number of backward calls that have ended. fail: called with an internal error.
    """

    def __init__(
        self,
        files: UserFiles,
        history: GradProvenance,
        created_by: Callable[[torch.Tensor], Any],
        ended: Callable[[], int],
        fail: Callable[[Exception], None],
    ) -> None:
        self._created_by = created_by
        self._log = log = EventLog(files, history, ended)
        self._watch = FunctionWatch(fail)
        self._steps = OptimizerSteps(log, self._watch)
        self._paused: list[int] | None = None
        self._zeroed, self._clipped, self._scaled = ZeroedGrads(log), ClippedGrads(log), ScaledGrads(log)

    def install(self) -> None:
        """Install the hooks and wrappers. Does nothing if they are installed."""
        watch, scaler = self._watch, torch.amp.GradScaler
        if watch.is_on:
            return
        watch.is_on = True
        skip_in_dynamo(OptimizerSteps.before_step, OptimizerSteps.after_step)
        watch.add_hook(STEP_HOOKS.add(self._steps.before_step, self._steps.after_step))
        watch.add((Optimizer,), "__init__", self._created)
        for kind in (LRScheduler, ReduceLROnPlateau):  # which does not call the constructor of its base class
            watch.add((kind,), "__init__", self._scheduled)
        watch.add((LRScheduler,), "step", self._scheduler_steps)
        watch.add((torch.Tensor,), "register_hook", self._hooked)
        watch.add((scaler,), "scale", self._scaled.scaled)
        watch.add((scaler,), "unscale_", self._scaled.unscaled)
        for owner in (Optimizer, nn.Module):
            watch.add((owner,), "zero_grad", self._zeroed.after, self._zeroed.before)
        watch.add((scaler,), "step", self._scaled.after_step, self._scaled.before_step)
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            watch.add((nn.utils, nn.utils.clip_grad), name, self._clipped.after, self._clipped.before)

    def uninstall(self) -> None:
        """Remove the hooks, and the wrappers that no other code has wrapped since."""
        self._watch.uninstall()
        self._paused = None

    def pause(self) -> None:
        """Remove the hooks until `resume`."""
        if self._watch.is_on:
            self._watch.uninstall()
            self._paused = self._log.leaves.versions()

    def resume(self) -> None:
        """Install the hooks again, unless leaves were changed meanwhile: then an optimizer has stepped unseen."""
        if self._paused is not None and self._log.leaves.versions() == self._paused:
            self.install()
        self._paused = None

    @property
    def optimizers(self) -> Optimizers:
        """The optimizers that were seen."""
        return self._log.optimizers

    @property
    def steps(self) -> list[int]:
        """For each step, the number of backward calls that had ended."""
        return self._log.steps

    @property
    def may_step(self) -> bool:
        """Whether a step may follow and would be seen: an optimizer is alive, and not within a step now."""
        return self._watch.is_on and self.optimizers.any_alive and not self._steps.is_stepping

    @property
    def stepping(self) -> int | None:
        """The id of the optimizer whose step was in progress when it was last seen, such as one with a closure."""
        return self._steps.stepping

    def add_optimizer(self, optimizer: Optimizer) -> int:
        """The number of an optimizer, which was created before the recording if it is new."""
        return self._log.add_optimizer(optimizer)

    def take_scale(self) -> float | None:
        """The scale of a GradScaler that multiplied a loss since the last call of this method, or None."""
        return self._scaled.take_scale()

    def events(self) -> list[EventRow]:
        """The rows of the events in order, followed by the tensors that optimizers refused."""
        return self._log.rows()

    def _created(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        given = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        derived = [item for item in given if isinstance(item, torch.Tensor) and item.grad_fn is not None]
        if not derived:
            self._log.number(args[0], self._log.source(frame), frame)
            return
        names = names_from(frame, self._log.files)  # the constructor raises for them
        for tensor in derived:
            name = names.name(tensor) or "a tensor"
            self._log.refused.append(RefusedTensor(name, self._created_by(tensor), self._log.ended()))

    def _scheduled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        optimizer = next((item for item in args[1:] if isinstance(item, Optimizer)), None)
        if optimizer is not None:
            number = self._log.add_optimizer(optimizer, frame)
            self._log.optimizers.add_scheduler(number, args[0], self._log.source(frame))

    def _scheduler_steps(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        self._log.optimizers.scheduler_steps(args[0], self._log.source(frame))

    def _hooked(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        tensor = args[0]
        if not isinstance(tensor, torch.Tensor) or not tensor.requires_grad or not is_leaf(tensor):
            return
        number, source = self._log.leaves.add(tensor), self._log.source(frame)
        last = self._log.events[-1] if self._log.events else None
        # with a function mode, torch calls this function again from within itself
        if last is None or (last.kind, last.facts.get("parameters"), last.source) != ("hook", [number], source):
            self._log.add("hook", frame, None, parameters=[number])
