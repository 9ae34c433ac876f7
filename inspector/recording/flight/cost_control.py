"""Keep the time that the recording takes within a share of the run's."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Iterator

from msgspec import Struct, field

_SEEN = 0.5
"""The part of the cost that the clock sees, by `benchmarks/flight.py`: not wrappers, and not cold caches."""
_AIM = 0.5
"""The part of the limit that is aimed at: the clock sees even less of a step that is noted in few lines."""
_FREE = 2.0
"""Seconds that the recording may take whatever the budget says: in a short run they go unnoticed."""
_COMPLETE = 0.5
"""Seconds that the recording takes before it leaves anything out: all steps of a short run are recorded."""
MOST_BETWEEN = 64
"""Gradient norms are measured in at least one of so many steps, where every step is recorded."""
MOST_SKIPPED = 1_023
"""Maximum number of steps that are only counted after each recorded one."""
_LEAST_RECORDED, _MOST_WAITED = 16, 1_024
"""A decision is based on so many recorded steps, or on those among so many."""
_LEAST_COMPARED, _COMPARED = 8, 32
"""Minimum and maximum number of recorded steps that are compared with those only counted."""
_LEAST_LEFT = 0.25
"""The part of the budget that recorded steps may use where counting the others takes the rest."""
_COUNTED = 15
"""Number of measurements of counting a step whose median is used: one stands for a thousand steps, and another
process may have run in it."""
_TIMES = 4
"""Recorded steps become at most so many times rarer at once: on a busy machine one may seem to take long."""


class _Sums(Struct):
    """Since the last decision, at the time `since`: seconds of measuring norms, of looking at Nodes, of counting
    steps, and of everything else; norms measured; recorded steps; steps that were only counted."""

    since: float = field(default_factory=time.perf_counter)
    norms: float = 0.0
    looks: float = 0.0
    counting: float = 0.0
    rest: float = 0.0
    measured: int = 0
    steps: int = 0
    skipped: int = 0


class _Clock(Struct):
    """When the recording started, and how many seconds it took: counted, and paused or counted elsewhere.

    recent: the share of the time that it took between the last decisions; 0 if they differ.
    """

    started: float
    spent: float = 0.0
    elsewhere: float = 0.0
    recent: float = 0.0


class StepTimes:
    """Compares each recorded step with those before it that were only counted: what recording costs in all, also
    outside of what its clock sees. By the CPU time of the thread, since other processes may use the processor."""

    def __init__(self) -> None:
        self._ended: float | None = None
        self._plain: float | None = None
        self._more: deque[float] = deque(maxlen=_COMPARED)

    def counted(self, steps: int) -> None:
        """So many steps have ended that were only counted."""
        now = time.thread_time()
        self._plain = None if self._ended is None or not steps else (now - self._ended) / steps
        self._ended = now

    def recorded(self) -> None:
        """A recorded step has ended."""
        now = time.thread_time()
        if self._ended is not None and self._plain:
            self._more.append((now - self._ended) / self._plain - 1.0)
        self._ended, self._plain = now, None

    def interrupted(self) -> None:
        """Something else took time."""
        self._ended = self._plain = None

    @property
    def more(self) -> float:
        """How many times as long as a step that is only counted a recorded one takes more; 0 as long as too few
        were compared."""
        return statistics.median(self._more) if len(self._more) >= _LEAST_COMPARED else 0.0


class CostControl:
    """Decides which steps are recorded, and in which gradient norms are measured.

    limit: the share of the run's time, 0.03 for 3 %; 1: every step is measured, whatever it costs.
    every: norms are measured in one of so many recorded steps, a power of two. skips: so many steps are only
    counted after each recorded one, where even the other numbers of every step would take too long.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.every, self.skips = 1, 0
        self._sums = _Sums()
        self._clock = _Clock(self._sums.since)
        self.turns = StepTimes()
        self._counting: deque[float] = deque(maxlen=_COUNTED)
        self.left = 0.0
        """Seconds of each step that the last decision left."""

    @property
    def cost(self) -> float:
        """The share of the time since the start that the recording took."""
        return self._clock.spent / max(time.perf_counter() - self._clock.started, 1e-9)

    @property
    def is_limited(self) -> bool:
        """Whether the limit holds by now."""
        return self._clock.spent >= _COMPLETE

    def is_exceeded(self, *, may_skip: bool) -> bool:
        """Whether the recording has taken more than its limit, and would go on to, although it measures as seldom
        as it can.

        may_skip: whether steps may be counted only.
        """
        is_rarest = self.skips >= MOST_SKIPPED if may_skip else self.every >= MOST_BETWEEN
        if self.limit >= 1.0 or not is_rarest:
            return False
        passed = time.perf_counter() - self._clock.started
        is_over = self._clock.spent / _SEEN > max(_FREE, self.limit * passed)
        return is_over and self._clock.recent / _SEEN > self.limit

    def begin(self) -> float:
        """Some work begins: what `end` needs to know."""
        return time.perf_counter() - self._clock.elsewhere

    def end(self, begun: float) -> None:
        """The work has ended: count its time, without that of norms and of what is paused."""
        seconds = time.perf_counter() - self._clock.elsewhere - begun
        self._sums.rest += seconds
        self._clock.spent += seconds

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time of a block: what is done once does not depend on the number of steps."""
        began = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - began
            self._clock.elsewhere += passed
            self._sums.since += passed
            self.turns.interrupted()
            self._clock.started += passed

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Count the time of a block, which is work of its own, but not as that of the steps."""
        began, rest = time.perf_counter(), self._sums.rest
        try:
            yield
        finally:
            self._sums.rest = rest
            self._sums.since += time.perf_counter() - began
            self.turns.interrupted()

    def note_norms(self, seconds: float) -> None:
        """Norms were measured."""
        self._sums.norms += seconds
        self._sums.measured += 1
        self._clock.spent += seconds
        self._clock.elsewhere += seconds

    def note_light(self, norms: float, measured: int, rest: float) -> None:
        """Steps were recorded outside of `begin` and `end`. norms, measured: seconds of measuring norms, and how
        often; rest: of everything else."""
        self._sums.norms += norms
        self._sums.measured += measured
        self._sums.rest += rest
        self._clock.spent += norms + rest
        self.turns.interrupted()

    def note_look(self, around: float, engine: float) -> None:
        """Nodes were looked at. around: seconds of work; engine: seconds by which backward was slower."""
        self._sums.looks += around + engine
        self._clock.spent += around + engine
        self._clock.elsewhere += around

    @property
    def clock(self) -> tuple[float, float]:
        """Seconds that the recording took so far, and that have passed."""
        return self._clock.spent, time.perf_counter() - self._clock.started

    def resume(self) -> None:
        """Go on after a time in which nothing was recorded."""
        self._sums = _Sums()
        self.turns.interrupted()

    def note_skipped(self, steps: int, seconds: float) -> None:
        """So many steps were only counted. seconds: of counting the last of them."""
        self._counting.append(seconds)
        seconds = statistics.median_low(self._counting)
        self._sums.skipped += steps
        self._sums.counting += steps * seconds
        self._clock.spent += steps * seconds
        began = time.perf_counter()
        self.turns.counted(steps)  # a call of the system: on a busy machine another process may run first
        self._clock.elsewhere += time.perf_counter() - began

    def note_steps(self, steps: int, *, may_skip: bool = False) -> None:
        """So many recorded steps have ended: decide anew. may_skip: whether steps may be counted only."""
        sums, now = self._sums, time.perf_counter()
        sums.steps += steps
        if not self.is_limited or (sums.steps < _LEAST_RECORDED and sums.skipped < _MOST_WAITED):
            return
        passed, spent = now - sums.since, sums.norms + sums.looks + sums.rest + sums.counting
        before = self.every, self.skips
        if sums.measured and self.limit < 1.0:
            self._decide(sums, passed, may_skip=may_skip)
        self._clock.recent = spent / max(passed, 1e-9) if before == (self.every, self.skips) else 0.0
        self._sums = _Sums(now)

    def _decide(self, sums: _Sums, passed: float, *, may_skip: bool) -> None:
        counted = sums.steps + sums.skipped
        step = (passed - sums.norms - sums.looks - sums.rest - sums.counting) / counted
        allowed, rest, norms = _AIM * _SEEN * self.limit * step, sums.rest / sums.steps, sums.norms / sums.measured
        left = max(allowed - sums.counting / counted, _LEAST_LEFT * allowed)
        self.every = power_of_two(norms, max(left - rest, 0.0))
        more = _SEEN * self.turns.more * step if self.skips else 0.0
        most = min(_TIMES * (self.skips + 1), MOST_SKIPPED + 1)
        self.skips, self.left = 0, max(left - rest - norms / self.every, 0.0)
        if may_skip and max(rest + norms / self.every, more) > left:
            self.every, self.skips = 1, power_of_two(max(rest + norms, more), left, most) - 1


def power_of_two(cost: float, left: float, most: int = MOST_BETWEEN) -> int:
    """In one of how many steps something of this cost fits into what is left in each."""
    every = 1
    while every < most and cost > left * every:
        every *= 2
    return every
