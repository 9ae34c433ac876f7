"""Count the backward calls of a run: which of them train, which are recorded, and when the watch ends.

A call trains if it adds to grads, as `backward()` does, or if it is the last one before a step of an optimizer.
Other calls of `torch.autograd.grad` compute derivatives, often for a loss: they belong to the step of the next one
that trains.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import Protocol

from inspector.recording.watch_plan import WatchPlan

MOST_BEFORE_STEP = 3
"""Maximum number of calls recorded beyond the limit, until the first step of an optimizer."""

MOST_COUNTED = 1_000
"""Maximum number of calls that are counted without a call that trains, or without a step, if an optimizer was
created."""

MOST_WITHOUT_OPTIMIZER = 100
"""The same if no optimizer was created: the script may not train at all."""


class Steps(Protocol):
    """The steps of optimizers (`OptimizerEvents`)."""

    @property
    def steps(self) -> list[int]:
        """For each step, the number of backward calls that had ended."""

    @property
    def may_step(self) -> bool:
        """Whether a step may follow and would be seen."""


class TrainedCalls:
    """The calls that train, by their indexes. steps: of the optimizers.

    plan: with no limit, all calls are recorded, and only those that add to grads are known to train.
    """

    def __init__(self, plan: WatchPlan, steps: Steps) -> None:
        self._plan, self._steps = plan, steps
        self._indexes: list[int] = []
        self._noted = 0  # number of steps that `_indexes` takes into account
        self._skipped: set[int] = set()

    @property
    def indexes(self) -> list[int]:
        """In order, of the calls that have ended."""
        self.note_steps()
        return self._indexes

    def step_of(self, index: int) -> int | None:
        """The call that trains whose step a call belongs to; None for one that trains, and if none followed."""
        place = bisect_left(self.indexes, index)
        after = self._indexes[place] if place < len(self._indexes) else index
        return None if after == index else after

    def skip(self, index: int) -> None:
        """A call of which nothing is known: a step after it does not say that it trains."""
        self._skipped.add(index)

    def note_steps(self) -> None:
        """Before a step without a call that adds to grads, the last call trains."""
        if self._plan.limit is None:
            return
        steps = self._steps.steps
        before = steps[self._noted - 1] if self._noted else self._plan.after
        for after in steps[self._noted :]:
            place = bisect_left(self._indexes, before + 1)
            is_own = after > before and after not in self._skipped
            if is_own and not any(index <= after for index in self._indexes[place:]):
                self.add(after)
            before = after
        self._noted = len(steps)

    def add(self, index: int) -> None:
        """A call that trains has ended."""
        self._indexes.insert(bisect_left(self._indexes, index), index)


class CallCount:
    """Counts the calls of a session: `begins` and `ends` around each.

    plan: what to record. ended: number of calls that have ended. recorded: number of those that were recorded.
    """

    def __init__(self, plan: WatchPlan, steps: Steps) -> None:
        self.ended, self.recorded = plan.after, 0
        self.plan, self._steps = plan, steps
        self._begun = itertools.count(plan.after + 1)  # threads may start calls at the same time
        self._trained = TrainedCalls(plan, steps)
        self._left_out: tuple[list[int], list[int]] = [], []  # that add to no grad, and that do

    def begins(self) -> int:
        """A call begins: its index, from 1."""
        return next(self._begun)

    def skips(self) -> None:
        """A call begins that is not wanted: it has a number, and nothing else is known of it."""
        self._trained.skip(self.begins())
        self.ended += 1

    def ends(self, index: int, *, accumulates: bool, is_recorded: bool) -> None:
        """A call has ended. accumulates: whether it added to grads."""
        self._trained.note_steps()
        self.ended += 1
        if accumulates:
            self._trained.add(index)
        if is_recorded:
            self.recorded += 1
        else:
            self._left_out[accumulates].append(index)

    def is_recorded(self, index: int, *, accumulates: bool) -> bool:
        """Whether to record a call that begins, or only to count it. accumulates: whether it adds to grads."""
        limit, trained = self.plan.limit, len(self.trained)
        if limit is None or index <= self.plan.wanted:
            return True
        if accumulates:
            return trained < limit + MOST_BEFORE_STEP
        return trained < limit and self._within < limit

    @property
    def is_done(self) -> bool:
        """Whether the watch ends: all wanted calls have ended, or no call that trains and no step is in sight."""
        limit, trained = self.plan.limit, len(self.trained)
        if limit is None or self.ended < max(1, self.plan.wanted):
            return False
        may_step = self._steps.may_step
        if trained >= limit:
            since = self.ended - self.trained[limit - 1]
            return bool(self._steps.steps) or not may_step or since >= MOST_COUNTED
        return self._within >= max(limit, MOST_COUNTED if may_step else MOST_WITHOUT_OPTIMIZER)

    @property
    def waits_for_step(self) -> bool:
        """Whether only the first step is awaited, and no further call will be recorded."""
        limit = self.plan.limit
        if limit is None or self.ended < self.plan.wanted:
            return False
        return len(self.trained) >= limit + MOST_BEFORE_STEP

    @property
    def trained(self) -> list[int]:
        """The indexes of the calls that train, among those that have ended."""
        return self._trained.indexes

    def step_of(self, index: int) -> int | None:
        """The call that trains whose step a call belongs to; None for one that trains, and if none followed."""
        return self._trained.step_of(index)

    @property
    def remarks(self) -> list[str]:
        """Which calls were not recorded, and why."""
        limit, last = self.plan.limit, max(self.trained, default=0)
        within = [index for index in self._left_out[False] if index < last]
        found = []
        if within:
            most = "call" if limit == 1 else f"{limit} calls"
            found.append(f"{_calls(within)} not recorded: only the first {most} of torch.autograd.grad in a step")
        if self._left_out[True]:
            found.append(f"{_calls(self._left_out[True])} not recorded, only awaited until an optimizer steps")
        return found

    @property
    def _within(self) -> int:
        """Number of calls that have ended since the last one that trains."""
        return self.ended - (self.trained[-1] if self.trained else self.plan.after)


def _calls(indexes: list[int]) -> str:
    """`backward call 4 was`, `backward calls 4 to 7 were`, `30 backward calls between 4 and 90 were`."""
    first, last = indexes[0], indexes[-1]
    if first == last:
        return f"backward call {first} was"
    if last - first + 1 == len(indexes):
        return f"backward calls {first} {'and' if len(indexes) == 2 else 'to'} {last} were"
    return f"{len(indexes)} backward calls between {first} and {last} were"
