"""Record calls that clear or change grads: zero_grad, clipping, a GradScaler."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Set, ValuesView
from types import FrameType, GeneratorType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from inspector.recording.training.event_log import EventLog
from inspector.recording.training.optimizer_steps import held_by


class ZeroedGrads(threading.local):
    """Records each `zero_grad`. Each thread has a state of its own, from `before` to `after`."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._zeroed: list[int] = []
        self._discarded: dict[tuple[int, ...], list[int]] = {}

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Before `zero_grad`: look up what the grads contain."""
        self._zeroed = self._log.leaves.add_all(_parameters_of(args[0]))
        self._discarded = self._log.history.content(self._zeroed)
        return args

    def after(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """After `zero_grad`."""
        leaves = self._zeroed
        self._log.history.zeroed(leaves)
        optimizer = args[0] if isinstance(args[0], Optimizer) else None
        event = self._log.add("zero_grad", frame, optimizer, (), leaves, parameters=leaves)
        if event is not None:
            event.content = self._discarded


class ClippedGrads(threading.local):
    """Records each clipping. Each thread has a state of its own, from `before` to `after`."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._given: list[int] | None = None

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Before the clipping: look up the parameters. An iterator is wrapped, to see its items."""
        leaves: list[int] = []
        self._given = None
        given = args[0] if args else kwargs.get("parameters")
        if isinstance(given, Iterator):
            self._given = leaves
            passed = self._passed(given, leaves) if type(given) is GeneratorType else self._mapped(given, leaves)
            if args:
                return passed, *args[1:]
            kwargs["parameters"] = passed
        elif isinstance(given, (torch.Tensor, list, tuple, Set, ValuesView)):
            tensors = [given] if isinstance(given, torch.Tensor) else given
            leaves += [self._log.leaves.add(item) for item in tensors if isinstance(item, torch.Tensor)]
            self._given = leaves or None  # a list may be empty on purpose, as of a module without parameters
        return args

    def after(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """After the clipping."""
        clipped = [leaf for leaf in self._given or () if self._log.leaves.tensor(leaf) is not None]
        is_known = self._given is not None and (bool(clipped) or not self._given)  # else they are gone
        facts = {"parameters": clipped} if is_known else {}
        event = self._log.add("clip", frame, None, clipped, **facts)
        numbers = [item for item in args if isinstance(item, (int, float)) and not isinstance(item, bool)]
        if event is not None and numbers:
            event.limit = float(numbers[0])

    def _mapped(self, given: Iterator[Any], leaves: list[int]) -> Iterator[Any]:
        """The same iterator; not as a generator, since torch treats generators differently."""

        def noted(item: Any) -> Any:
            if isinstance(item, torch.Tensor):
                leaves.append(self._log.leaves.add(item))
            return item

        return map(noted, given)

    def _passed(self, given: Iterator[Any], leaves: list[int]) -> Iterator[Any]:
        for item in given:
            if isinstance(item, torch.Tensor):
                leaves.append(self._log.leaves.add(item))
            yield item


class ScaledGrads(threading.local):
    """Records the calls of a GradScaler. Each thread has a state of its own."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._in_step = False
        self._scale: float | None = None
        self._steps_before = 0

    def take_scale(self) -> float | None:
        """The scale of a GradScaler that multiplied a loss since the last call of this method, or None."""
        scale, self._scale = self._scale, None
        return scale

    def scaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """After `scale`."""
        if args[0].is_enabled():
            self._scale, self._log.history.is_scaled = args[0].get_scale(), True

    def unscaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """After `unscale_`; recorded only if the script calls it itself, not within a step."""
        self._log.history.unscaled(self._log.leaves.add_all(held_by(args[1])))  # which no version of a grad tells
        if not self._in_step:
            self._log.add("unscale", frame, args[1])

    def before_step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Before `step`, which may skip the step of the optimizer."""
        self._in_step = True
        self._steps_before = len(self._log.events)
        return args

    def after_step(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """After `step`."""
        self._in_step = False
        since = self._log.events[self._steps_before :]
        for event in since:
            event.facts.pop("as_computed", None)  # a fused optimizer divides by the scale itself
        if args[0].is_enabled() and not any(event.kind == "step" for event in since):
            self._log.add("skipped_step", frame, args[1])


def _parameters_of(owner: Optimizer | nn.Module) -> list[torch.Tensor]:
    return held_by(owner) if isinstance(owner, Optimizer) else list(owner.parameters())
