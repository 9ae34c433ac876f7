"""Light steps: the root, the learning rate and the gradients are noted, and nothing else is due.

What runs in each of these steps is written out here and touches few objects, as in `nap`, since the script's own
work has displaced the recorder's code from the processor's caches by then. The rest is done for several steps at
once.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from msgspec import Struct
from torch.optim.optimizer import Optimizer

from inspector.recording.flight.gradient_norms import StepNorms
from inspector.recording.flight.scaler_watch import ScalerWatch
from inspector.recording.flight.stepping import rate_of
from inspector.torch_api.compilation import without_dynamo
from inspector.torch_api.modes import dispatch_mode_count as _dispatch_modes
from inspector.torch_api.modes import function_mode_count as _function_modes
from inspector.torch_api.modes import is_profiling as _is_profiling

MOST_LIGHT = 16
"""Maximum number of steps that are worked on together."""
LARGEST = sys.float_info.max
_TENSOR, _EXACT = torch.Tensor, frozenset([torch.float32, torch.float64])


class Expected(NamedTuple):
    """What the steps are expected to be; any other is recorded with all that may be due.

    optimizer, number: the only one. held: number of its parameters. thread: that trains. last: the number of the
    last step. every: gradients are measured in one of so many steps. largest: of the roots, where their sizes are
    usual. until: when other work is due, by `time.perf_counter`.
    """

    optimizer: weakref.ref[Optimizer]
    number: int
    held: int
    thread: int
    last: int
    every: int
    largest: float
    until: float


class LightStep(NamedTuple):
    """A step. root: of its last call; None without one. calls: number of backward calls made by its end."""

    root: float | None
    rate: float | None
    measured: StepNorms | None
    calls: int


class StepBegun(Struct):
    """The step that is being prepared. root, measured: as in `LightStep`. calls: number of backward calls so far.

    depth: how many steps of the optimizer have begun, one within the other. since: number of calls then.
    ended: number of steps before it.
    """

    calls: int = 0
    root: float | None = None
    measured: StepNorms | None = None
    depth: int = 0
    since: int = -1
    ended: int = 0


class Seconds(Struct):
    """Spent on measuring gradients, and how often; on everything else; by the engine in the last call, which began
    at a time."""

    norms: float = 0.0
    measured: int = 0
    rest: float = 0.0
    began: float = 0.0
    engine: float | None = None


class LightSteps:
    """Notes steps from `begin` to `end`, or until one is not as expected.

    scaler: of the script. measure: the norms of all gradients.
    """

    def __init__(self, scaler: ScalerWatch, measure: Callable[[], StepNorms]) -> None:
        self._scaler, self._measure = scaler, measure
        self._expected: Expected | None = None
        self._steps: list[LightStep] = []
        self._seconds = Seconds()
        self._error: Exception | None = None
        self.begun = StepBegun()
        self.wait = 0
        """Number of steps that are recorded with all that may be due before others are expected again."""

    @property
    def are_expected(self) -> bool:
        """Whether steps are noted."""
        return self._expected is not None

    def begin(self, expected: Expected, begun: StepBegun) -> None:
        """Note steps from now on, between two of them."""
        self._expected, self.begun = expected, begun

    def end(self) -> Expected | None:
        """Note no more steps. Returns what they were expected to be."""
        expected, self._expected = self._expected, None
        return expected

    def taken(self) -> tuple[Expected | None, list[LightStep], Seconds]:
        """What is expected, and the steps and the seconds since this was asked last. Raises the internal error in
        measuring gradients, if there was one."""
        if self._error is not None:
            self._expected = None
            raise self._error
        steps, self._steps = self._steps, []
        seconds, self._seconds = self._seconds, Seconds()
        return self._expected, steps, seconds

    def has(self, optimizer: Optimizer) -> bool:
        """Whether the steps of an optimizer in this thread are noted."""
        expected = self._expected
        is_same = expected is not None and expected.optimizer() is optimizer
        return is_same and expected is not None and expected.thread == threading.get_ident()

    # Called in every step

    def passes(self, roots: Sequence[Any]) -> bool:
        """Whether a call is as expected. roots: of a call that accumulates, else nothing."""
        clock, expected = time.perf_counter(), self._expected
        if expected is None or len(roots) != 1 or type(tensor := roots[0]) is not _TENSOR or self._scaler.scales:
            return False
        if _function_modes() or _dispatch_modes() or _is_profiling():
            return False
        if not tensor.is_cpu or tensor.dtype not in _EXACT or tensor.numel() != 1:
            return False
        if threading.get_ident() != expected.thread or self._error is not None:
            return False
        root = tensor.item()  # may raise, in torch.func
        if not abs(root) <= expected.largest:  # NaN is not
            return False
        begun, seconds = self.begun, self._seconds
        if begun.root is None:
            begun.measured = None  # of the step before
        begun.root = root
        begun.calls += 1
        seconds.began = time.perf_counter()
        seconds.rest += seconds.began - clock
        return True

    def after(self) -> None:
        """The engine has run."""
        expected, seconds = self._expected, self._seconds
        if expected is None or threading.get_ident() != expected.thread:
            return
        clock = time.perf_counter()
        seconds.engine = clock - seconds.began
        if self.begun.ended % expected.every == 0:
            try:
                self.begun.measured = without_dynamo(self._measure)
            except Exception as error:
                self._error = error
            seconds.norms += time.perf_counter() - clock
            seconds.measured += 1

    def begins(self, optimizer: Optimizer) -> bool:
        """A step begins. Returns whether it is as expected."""
        expected = self._expected
        if expected is None or expected.optimizer() is not optimizer or threading.get_ident() != expected.thread:
            return False
        held = 0
        try:
            for group in optimizer.param_groups:
                held += len(group["params"])
        except Exception:  # which the step is about to raise
            return False
        if held != expected.held:
            return False
        begun = self.begun
        begun.depth = begun.depth + 1 if begun.calls == begun.since else 1  # else one has raised
        begun.since = begun.calls
        return True

    def ends(self, optimizer: Optimizer) -> bool:
        """A step ends. Returns whether others are expected; the last is left for `ends_last`."""
        begun, expected, clock = self.begun, self._expected, time.perf_counter()
        if expected is None or expected.optimizer() is not optimizer:
            return False
        if begun.depth == 1:
            if begun.ended >= expected.last - 1 or clock >= expected.until or self._error is not None:
                return False
            self._append(optimizer)
        begun.depth -= 1
        self._seconds.rest += time.perf_counter() - clock
        return True

    def ends_last(self, optimizer: Optimizer) -> None:
        """The last of the expected steps ends."""
        self._append(optimizer)
        self.begun.depth = 0

    def _append(self, optimizer: Optimizer) -> None:
        begun, groups = self.begun, optimizer.param_groups
        rate = groups[0].get("lr") if len(groups) == 1 else None
        if type(rate) is not float:
            rate = without_dynamo(rate_of, optimizer)
        self._steps.append(LightStep(begun.root, rate, begun.measured, begun.calls))
        begun.root = None
        begun.ended += 1
