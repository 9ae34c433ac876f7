"""Record a step of a second run in full, and compare the losses before it with those of the first run."""

from __future__ import annotations

from copy import deepcopy

from msgspec.structs import replace

from inspector.recording.flight.approach import Approach, Goal
from inspector.recording.flight.same_losses import Comparison, compared
from inspector.recording.session import Callbacks, Session
from inspector.recording.watch_plan import WatchPlan
from inspector.report import BackwardCall
from inspector.report.timeline import Timeline
from inspector.user_code.paths import UserFiles


class SecondSession:
    """Counts steps from `open` on, then records the steps up to the wanted one.

    first: the timeline of the first run; None if there is none. session: records; None while steps are counted.
    """

    def __init__(self, files: UserFiles, step: int, first: Timeline | None, callbacks: Callbacks) -> None:
        self.session: Session | None = None
        self._files, self._callbacks = files, callbacks
        self._step, self._first = step, first
        per_step = None if first is None or not first["steps"] else first["calls"] / first["steps"]
        unit = None if first is None else first["unit"]
        self._approach = Approach(Goal(step, unit, per_step), self._reached)
        self._begun = 0

    def open(self) -> None:
        """Begin, when the script has made no step."""
        self._approach.open()

    def close(self) -> None:
        """Remove all hooks. May be called again."""
        self._approach.close()
        if self.session is not None:
            self.session.close()

    @property
    def failure(self) -> str | None:
        """The internal error that ended the count, in one line; None if there was none."""
        return self._approach.failure

    @property
    def calls(self) -> list[BackwardCall]:
        """The recorded calls, with their steps."""
        if self.session is None:
            return []
        counter, used = deepcopy(self._approach.counter), []  # [(last call before a step, number of the step)]
        for event in self.session.events:
            if event["event"] == "step" and event["optimizer"] is not None:
                counter.add(event["optimizer"])
                used.append((event["after_call"], counter.current))
        found, optimizers = [], {event["optimizer"] for event in self.session.events if event["event"] == "step"}
        is_open = 0 < counter.stepped < len(optimizers)  # another optimizer is yet to step
        for position, call in enumerate(self.session.calls, 1):
            # without an optimizer each call is a step
            left = counter.current + (not is_open) if counter.current else self._approach.steps + position
            step = next((step for last, step in used if last >= call.index), left)
            found.append(replace(call, setting=replace(call.setting, step=step)))
        return found

    def comparison(self) -> Comparison | None:
        """How the losses compare with those of the first run; None if nothing can be compared."""
        if self._first is None:
            return None
        found = compared(self._first, self._approach.losses)
        return found if found.compared or found.first else None

    def remark(self) -> str:
        """What is to be known of the run: that the step did not come, or whether the run is like the first."""
        if self._approach.failure is not None:
            return f"internal error, the steps were not counted: {self._approach.failure}"
        if self.session is None:
            return f"step {self._step:,} did not come: the script made {_steps(self._approach.steps)}"
        found = self.comparison()
        if found is None:
            return "the losses before were not compared: no earlier run has them" if self._begun else ""
        if found.first is None:
            return f"the losses of the first {_steps(found.compared)} are those of the last run"
        assert found.before is not None and found.now is not None
        return (
            f"the script is not deterministic: at step {found.first:,} the loss was {found.before:.6g} in the "
            f"last run and is {found.now:.6g} now. The recorded steps may not show what went wrong; set seeds "
            "(torch.manual_seed)"
        )

    def _reached(self, made: int, calls: int) -> None:
        self._begun = made
        plan = WatchPlan(calls, "full", lambda index: True, made + 1, made)
        self.session = Session(self._files, plan, self._callbacks)
        for optimizer in self._approach.optimizers:
            self.session.watch_optimizer(optimizer)
        self.session.open()


def _steps(count: int) -> str:
    return f"{count:,} step{'s' * (count != 1)}"
