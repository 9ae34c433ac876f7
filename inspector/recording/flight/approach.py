"""Count the steps of a second run up to the one that is to be recorded in full, and note their losses."""

from __future__ import annotations

import itertools
import math
import weakref
from array import array
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct, field
from torch.optim.optimizer import Optimizer

from inspector.recording.engine_hook import EngineCall, EngineHook
from inspector.recording.flight.roots import Root, root_of
from inspector.recording.flight.scaler_watch import ScalerWatch
from inspector.recording.flight.step_counter import StepCounter
from inspector.recording.parts import described
from inspector.torch_api.engine import EngineArguments
from inspector.torch_api.step_hooks import STEP_HOOKS

BEFORE = 2
"""Number of steps before the wanted one that are recorded in full, too."""
_BLOCK = 64
"""Number of losses on a device that are read back together."""


class Goal(Struct, frozen=True):
    """The wanted step. unit, per_step: what a step is and how many backward calls it has, as far as this is known
    from an earlier run."""

    step: int
    unit: Literal["optimizer", "backward"] | None = None
    per_step: float | None = None


class _Counted(Struct):
    """What has been seen.

    calls, trained: number of backward calls, and of those that accumulate. root: the last.
    losses: by optimizer, one for each step; NaN: none, or not finite. waiting: (optimizer, step, root), still on
    their device. inside: the optimizers whose steps are in progress.
    """

    calls: int = 0
    trained: int = 0
    root: Root | None = None
    losses: dict[int, array[float]] = field(default_factory=dict)
    waiting: list[tuple[int, int, Root]] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)
    counter: StepCounter = field(default_factory=StepCounter)
    optimizers: list[weakref.ref[Optimizer]] = field(default_factory=list)

    def number(self, optimizer: Optimizer) -> int:
        """The number of an optimizer, in the order of their first steps; one that died gives its number on."""
        for number, reference in enumerate(self.optimizers):
            if reference() is optimizer:
                return number
        free = [number for number, reference in enumerate(self.optimizers) if reference() is None]
        if free:
            self.optimizers[free[0]] = weakref.ref(optimizer)
            return free[0]
        self.optimizers.append(weakref.ref(optimizer))
        return len(self.optimizers) - 1

    def note(self, number: int, step: int) -> None:
        """A step has used the last root."""
        if self.root is not None:
            self.waiting.append((number, step, self.root))
            self.root = None
        if len(self.waiting) >= _BLOCK:
            self.read()

    def read(self) -> None:
        """Read the roots back."""
        for number, step, root in self.waiting:
            column = self.losses.setdefault(number, array("d"))
            column.extend(itertools.repeat(math.nan, step - len(column)))
            column[step - 1] = root.number()
        self.waiting.clear()


class Approach:
    """Counts steps from `open` on. Nothing is recorded but the root of each.

    reached: called `BEFORE` steps before the goal, with the number of calls made and that of the calls to record.
    """

    def __init__(self, goal: Goal, reached: Callable[[int, int], None]) -> None:
        self._goal, self._reached = goal, reached
        self._engine = EngineHook(self, pauses_gc=False)
        self._counted = _Counted()
        self._scaler = ScalerWatch(lambda error: self._scaler.uninstall())
        self._removers: list[Callable[[], None]] = []
        self.failure: str | None = None
        """The internal error that ended the count, in one line; None if there was none."""

    def open(self) -> None:
        """Begin, when the script has made no step."""
        self._engine.install()
        self._scaler.install()
        self._removers = [STEP_HOOKS.add(self._begins, self._ends), self._scaler.uninstall]
        self._look()

    def close(self) -> None:
        """Remove all hooks. May be called again."""
        self._engine.uninstall()
        while self._removers:
            self._removers.pop()()

    @property
    def steps(self) -> int:
        """Number of steps that have begun; of backward calls, if these are steps or no optimizer has stepped."""
        by_optimizer = 0 if self._goal.unit == "backward" else self._counted.counter.current
        return by_optimizer or (0 if self._goal.unit == "optimizer" else self._counted.trained)

    @property
    def counter(self) -> StepCounter:
        """The steps by the numbers of `optimizers`."""
        return self._counted.counter

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers that have stepped and are alive."""
        return [found for reference in self._counted.optimizers if (found := reference()) is not None]

    @property
    def losses(self) -> list[array[float]]:
        """The losses of the steps, by optimizer. NaN: none, or not finite."""
        self._counted.read()
        return [column for _, column in sorted(self._counted.losses.items())]

    # Called by the hooks

    def before_backward(self, call: EngineCall) -> bool:
        """Called before the engine runs."""
        counted = self._counted
        try:
            counted.calls += 1
            if call.given.accumulates:
                counted.trained += 1
                counted.root = self._scaler.take_root() or root_of(call.given.outputs) or counted.root
        except Exception as error:
            self._fail(error)
        return call.given.accumulates

    def after_backward(self, token: bool, result: Any, error: BaseException | None) -> None:
        """Called after the engine ran or raised."""
        if token and self._goal.unit == "backward":
            self._counted.note(0, self._counted.trained)

    def nested_call(self, token: Any, call: EngineArguments) -> None:
        """Nothing is recorded of what Nodes run in their backward."""

    def call_ended(self) -> None:
        """Called after `after_backward`."""
        if not self._counted.inside:
            self._look()

    def instead_of_return(self) -> Callable[[], None] | None:
        """The script goes on."""
        return None

    def _begins(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook before a step."""
        self._counted.inside.append(id(optimizer))

    def _ends(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook after a step."""
        counted, key = self._counted, id(optimizer)
        while counted.inside and counted.inside.pop() != key:
            pass  # a step that raised
        if not self._removers or key in counted.inside:  # a step that calls that of its base class
            return
        try:
            number = counted.number(optimizer)
            counted.counter.add(number)
            if self._goal.unit != "backward":
                counted.note(number, counted.counter.current)
        except Exception as error:
            self._fail(error)
        self._look()

    def _look(self) -> None:
        if not self._removers or self.steps < self._goal.step - BEFORE - 1:
            return
        counted = self._counted
        steps = counted.counter.current
        per_step = self._goal.per_step or (counted.trained / steps if steps else 1.0)
        open_steps = len(counted.optimizers) > 1  # the other optimizers of the step that has begun
        calls = math.ceil((self._goal.step - self.steps + open_steps) * per_step - open_steps - 1e-9)
        self._reached(counted.calls, max(1, calls))  # before: torch's hooks stay
        self.close()

    def _fail(self, error: Exception) -> None:
        self.failure = described(error)
        self.close()
