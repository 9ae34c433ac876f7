"""The step that is being prepared: its roots, its gradients, and the optimizers that make it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from msgspec import Struct, field
from torch.optim.optimizer import Optimizer

from inspector.recording.flight.gradient_norms import StepNorms, only
from inspector.recording.flight.node_norms import NodeNorms
from inspector.recording.flight.roots import Root
from inspector.recording.flight.step_counter import StepCounter
from inspector.recording.flight.store import Step
from inspector.torch_api.modes import hidden

MOST_OPTIMIZERS = 1_000
"""Maximum number of optimizers. A new one takes the number of one that died, as in a script with one per step."""


class _Known(Struct):
    """An optimizer. held: the ids of its parameters. positions: of those that are followed."""

    reference: weakref.ref[Optimizer]
    kind: type
    held: tuple[int, ...] | None = None
    positions: frozenset[int] = frozenset()


class KnownOptimizers:
    """The optimizers by number."""

    def __init__(self, number: Callable[[Optimizer], int]) -> None:
        self._new = number
        self._known: dict[int, _Known] = {}
        self._numbers: dict[int, int] = {}  # by the id of a live optimizer

    def __len__(self) -> int:
        return len(self._known)

    def number(self, optimizer: Optimizer) -> int:
        """The number of an optimizer."""
        found = self._numbers.get(id(optimizer))
        if found is None or self._known[found].reference() is not optimizer:
            free = (
                number
                for number, known in self._known.items()
                if known.reference() is None and known.kind is type(optimizer)
            )
            found = next(free, None)
            if found is None:
                with hidden():
                    found = self._new(optimizer) if len(self._known) < MOST_OPTIMIZERS else MOST_OPTIMIZERS
            self._numbers = {key: number for key, number in self._numbers.items() if number != found}
            self._numbers[id(optimizer)] = found
            self._known[found] = _Known(weakref.ref(optimizer), type(optimizer))
        return found

    def holds(self, number: int, held: tuple[int, ...]) -> bool:
        """Whether an optimizer had parameters with these ids when it was last looked at."""
        return self._known[number].held == held

    def hold(self, number: int, held: tuple[int, ...], positions: frozenset[int]) -> None:
        """Set the parameters of an optimizer: their ids, and the positions of those that are followed."""
        known = self._known[number]
        known.held, known.positions = held, positions

    def positions(self, number: int) -> frozenset[int]:
        """The positions of the parameters of an optimizer."""
        return self._known[number].positions

    def part(self, number: int, measured: StepNorms, followed: int) -> StepNorms:
        """What was measured of the parameters of an optimizer; everything where a step is not an optimizer's.

        followed: number of parameters that are followed.
        """
        positions = self._known[number].positions if number in self._known else None
        return measured if positions is None or len(positions) == followed else only(measured, positions)


class NextStep(Struct):
    """What the next step will use.

    root: the last root since the last step, or the first that was not finite. measured: the gradient norms.
    is_looked_at: whether Nodes are, too. nodes: what arrived there. updates: how far the step moved parameters.
    """

    root: Root | None = None
    measured: StepNorms | None = None
    is_looked_at: bool = False
    nodes: NodeNorms | None = None
    updates: StepNorms | None = None

    def add_root(self, root: Root) -> None:
        """Backward is called on a root."""
        if not self.is_broken:
            self.root = root

    @property
    def is_broken(self) -> bool:
        """Whether its root is known not to be finite."""
        return self.root is not None and not self.root.is_finite


class OpenSteps(Struct):
    """The step of the run that has begun, in which each optimizer steps at most once.

    optimizers: those that make it. last: what the thread that ran backward last has prepared.
    """

    optimizers: KnownOptimizers
    counter: StepCounter = field(default_factory=StepCounter)
    step: Step = field(default_factory=Step)
    last: NextStep = field(default_factory=NextStep)
    _prepared: dict[int, NextStep] = field(default_factory=dict)  # by thread; torch's threads take turns

    @property
    def next(self) -> NextStep:
        """What the next step of an optimizer in this thread will use."""
        found = self._prepared.get(threading.get_ident())
        if found is None:
            found = self.last if not self._prepared else NextStep()
            self._prepared[threading.get_ident()] = found
        return found

    def forget(self) -> None:
        """What this thread has prepared was for an optimizer that is not recorded."""
        self._prepared[threading.get_ident()] = NextStep()

    def add(self, number: int, rate: float | None, measured: StepNorms | None, calls: int) -> Step | None:
        """An optimizer has stepped. Returns the step of the run before, if it is over now.

        measured: the norms of its gradients. calls: number of backward calls so far.
        """
        ended = None
        if self.counter.add(number):
            ended, self.step = self.step, Step()
        self.step.calls = calls
        self.step.rates[number] = rate
        prepared = self.next
        if prepared.root is not None:
            self.step.roots[number] = prepared.root
            prepared.root = None
        if prepared.nodes is not None:
            self.step.nodes.append(prepared.nodes)
        if prepared.updates is not None:
            self.step.updates.append(prepared.updates)
        prepared.nodes, prepared.updates, prepared.is_looked_at = None, None, False
        if measured is not None:
            self.step.measured.append(measured)
        return ended

    def end(self) -> Step | None:
        """The run has ended: the step that had begun, if there was one."""
        ended, self.step = self.step, Step()
        return ended if self.counter.end() else None


def rate_of(optimizer: Any) -> float | None:
    """The largest learning rate of an optimizer's groups; None if it has none, or if reading it would wait."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    numbers = [
        float(rate)
        for rate in rates
        if isinstance(rate, (int, float)) or (isinstance(rate, torch.Tensor) and rate.is_cpu and rate.numel() == 1)
    ]
    return max(numbers, default=None)
