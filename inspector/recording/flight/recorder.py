"""Hook into torch for the flight recorder, until the script ends."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct, field
from torch.optim.optimizer import Optimizer

from inspector.recording.engine_hook import EngineCall, EngineHook, caller_of_torch
from inspector.recording.flight.break_point import BreakPoint, stop_at
from inspector.recording.flight.chosen import Chosen
from inspector.recording.flight.flight import Flight
from inspector.recording.flight.light_steps import LightSteps
from inspector.recording.flight.nap import Nap
from inspector.recording.flight.node_watch import NodeWatch
from inspector.recording.flight.roots import number_of
from inspector.recording.flight.scaler_watch import ScalerWatch
from inspector.recording.parts import described
from inspector.recording.session import Session
from inspector.report import BackwardCall
from inspector.report.timeline import Timeline, Trigger
from inspector.torch_api.compilation import skip_in_dynamo, was_compiled, without_dynamo
from inspector.torch_api.engine import EngineArguments
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.modes import hidden
from inspector.torch_api.step_hooks import STEP_HOOKS, Counter
from inspector.user_code.paths import UserFiles

_IN_EVERY_STEP = (
    *(Nap.passes, Nap.passes_all, Nap.begins, Nap.ends, ScalerWatch.number, number_of),
    *(LightSteps.passes, LightSteps.after, LightSteps.begins, LightSteps.ends),
)
_AFTER_REFUSAL = 64
"""Number of steps that are recorded with all that may be due after one that was not as expected."""


class _IdleActions(Struct):
    """What to do as soon as nothing else is being done. busy: how many things are being done.

    process: the id of the process that records. regular: something to do every so many seconds, and when next.
    """

    busy: int = 0
    regular: tuple[float, float, Callable[[], None]] | None = None
    asked: list[Callable[[], None]] = field(default_factory=list)
    process: int = field(default_factory=os.getpid)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self) -> None:
        """Do what was asked for, unless something is being done."""
        while self.asked and not self.busy:
            self.asked.pop(0)()

    def ask_regularly(self, now: float) -> None:
        """Ask for what is to be done regularly, if it is time. now: of `time.perf_counter`."""
        if self.regular is not None and now >= self.regular[1]:
            seconds, _, action = self.regular
            self.regular = (seconds, now + seconds, action)
            self.asked.append(action)

    def do_for_the_last_time(self) -> None:
        """Do now what is to be done regularly."""
        if self.regular is not None:
            self.asked.append(self.regular[2])
            self.regular = None
        self.answer()


class _Quick(NamedTuple):
    """What notes steps in few lines of code. nap: their roots alone; light: their gradients, too."""

    nap: Nap
    light: LightSteps


class _BegunSteps(threading.local):
    """The steps that have begun in a thread, one within the other: (id of the optimizer, number of calls)."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []


class FlightRecorder:
    """Records the steps of a run, from the end of the watched calls to that of the script.

    budget: the share of the run's time that this may take. session: what has recorded the watched calls.
    chosen: whose steps are recorded; by default all. break_point: where to stop in a debugger, if anywhere.
    """

    def __init__(
        self,
        files: UserFiles,
        budget: float,
        session: Session,
        chosen: Chosen | None = None,
        break_point: BreakPoint | None = None,
    ) -> None:
        place = None if break_point is None else break_point.place
        with hidden():
            self._flight = Flight(files, budget, session, chosen or Chosen(), place)
        self._engine = EngineHook(self, pauses_gc=False)
        self._removers: list[Callable[[], None]] = []
        self._idle = _IdleActions()
        self._break = break_point
        scaler = self._flight.scaler
        self._quick = _Quick(Nap(scaler), LightSteps(scaler, self._flight.measured))
        self._begun = _BegunSteps()
        if session.stepping is not None:  # the last call was made by the closure of a step
            self._begun.steps.append((session.stepping, session.made))
        self.failure: str | None = None
        """The internal error that ended the recording, in one line; None if there was none."""

    def open(self) -> None:
        """Start recording."""
        self._guarded(self._flight.begin)
        if self.failure is None:
            self._guarded(self._warn)
            LEAVES_IN_USE.add_reader(self)
            self._engine.install()
            if self._flight.counts_steps:
                self._install_step_hooks()

    def close(self) -> None:
        """Remove all hooks. May be called again."""
        self._engine.uninstall()
        self._remove_step_hooks()
        LEAVES_IN_USE.remove_reader(self)

    def timeline(self, *, ended: bool) -> Timeline | None:
        """The steps so far; None if no backward call followed. ended: whether the script has ended."""
        self._guarded(self._end_nap)
        self._guarded(self._note_light)
        with self._flight.cost.apart():  # every so many seconds, however many steps there are
            found: Timeline | None = self._guarded(self._flight.timeline, ended)
        return found

    def when_idle(self, action: Callable[[], None]) -> None:
        """Call a function now, or at the end of what is being done: a signal may arrive in the middle of it."""
        self._idle.asked.append(action)
        self._idle.answer()

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Call a function every so many seconds, at the end of a step."""
        self._idle.regular = (seconds, time.perf_counter() + seconds, action)

    @property
    def is_within_budget(self) -> bool:
        """Whether the budget holds by now; the first steps are recorded whatever that takes."""
        return self._flight.cost.is_limited

    @property
    def nodes(self) -> NodeWatch:
        """What looks at Nodes."""
        return self._flight.nodes

    @property
    def calls(self) -> list[BackwardCall]:
        """The backward calls that were recorded in full because of a trigger."""
        return self._flight.extra

    # Called by the engine hook

    def before_backward(self, call: EngineCall) -> Any:
        """Called before the engine runs."""
        if self._quick.light.are_expected:
            self._guarded(self._leave_light, _AFTER_REFUSAL)
        if self._flight.is_over:
            self.close()  # not in a step, where torch's hooks cannot be removed
            self._idle.do_for_the_last_time()  # what is known would be lost if the script is killed
            return None
        if self._removers and was_compiled():
            self._remove_step_hooks()
            self._flight.stop_counting_steps()
        if self._quick.nap.left > 0 and self._guarded(self._leaves_out, call):
            return None
        return self._guarded(self._flight.before_backward, call)

    def after_backward(self, token: Any, result: Any, error: BaseException | None) -> None:
        """Called after the engine ran or raised."""
        self._guarded(self._flight.after_backward, token, result, error)
        if not self._flight.counts_steps:
            self._idle.ask_regularly(time.perf_counter())
            self._idle.answer()

    def nested_call(self, token: Any, call: EngineArguments) -> None:
        """Nothing is recorded of what Nodes run in their backward."""

    def call_ended(self) -> None:
        """Called after `after_backward`."""

    def instead_of_return(self) -> Callable[[], None] | None:
        """The script goes on, or stops in a debugger."""
        found = None if self._break is None else self._guarded(self._stops_at, self._break)
        if found is None:
            return None
        graph = self.calls[-1].graph if self.calls else None
        flight = self._flight
        return lambda: stop_at(found, graph, flight.grads(), flight.nodes.kept, caller_of_torch())

    def _warn(self) -> None:
        if self._break is not None:
            places = {name for layout in self._flight.nodes.layouts for name in layout.called()}
            self._break.warn(self._flight.grads(), places)

    def _stops_at(self, break_point: BreakPoint) -> Trigger | None:
        place = break_point.place
        at_nodes = () if place is None else self._flight.prepared_at(place)
        return break_point.look(self._flight.prepared(), at_nodes)

    # Called by torch's optimizer hooks

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook before a step of any optimizer."""
        if self._quick.nap.left:
            self._nap_begins(optimizer)
            return
        if self._quick.light.are_expected:
            if self._quick.light.begins(optimizer):
                return
            without_dynamo(self._guarded, self._leave_light, _AFTER_REFUSAL)
        steps, moment = self._begun.steps, (id(optimizer), self._flight.calls)
        if not (steps and steps[-1] == moment):  # else a step that calls that of its base class
            steps[:] = [item for item in steps if item[0] != moment[0]]
            without_dynamo(self._guarded, self._flight.before_step, optimizer, sys._getframe(1))
        steps.append(moment)

    def after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """torch's hook after a step."""
        nap = self._quick.nap
        if nap.left:
            if not self._nap_ends(optimizer):
                nap.ends_last()
                without_dynamo(self._guarded, self._end_nap)
            return
        if self._quick.light.are_expected and self._light_ends(optimizer):
            return
        steps, key = self._begun.steps, id(optimizer)
        if not any(item[0] == key for item in steps):
            return  # it began before the recording
        while steps.pop()[0] != key:
            pass  # a step that raised
        if not any(item[0] == key for item in steps):
            without_dynamo(self._guarded, self._flight.after_step, optimizer)
            self._flight.cost.turns.recorded()
            self._step_ended(optimizer)

    def _step_ended(self, optimizer: Optimizer) -> None:
        self._begin_nap()
        self._idle.ask_regularly(time.perf_counter())
        self._idle.answer()
        if self._quick.nap.left <= 0 and self._break is None and self._removers:
            without_dynamo(self._guarded, self._begin_light, optimizer)

    def _begin_light(self, optimizer: Optimizer) -> None:
        light, regular = self._quick.light, self._idle.regular
        if light.wait > 0:
            light.wait -= 1
            return
        expected = self._flight.expected(optimizer, None if regular is None else regular[1])
        if expected is not None:
            light.begin(expected, self._flight.begun)
            self._engine.passes, self._engine.passed = light.passes, light.after
            STEP_HOOKS.count(Counter(expected.thread, light.begins, light.ends))

    def _light_ends(self, optimizer: Optimizer) -> bool:
        """A step ends. Returns whether it was noted."""
        if not self._quick.light.has(optimizer):  # it began before
            without_dynamo(self._guarded, self._leave_light, _AFTER_REFUSAL)
            return False
        if not self._quick.light.ends(optimizer):
            without_dynamo(self._guarded, self._end_light, optimizer)
            self._step_ended(optimizer)
        return True

    def _end_light(self, optimizer: Optimizer) -> None:
        """The last of the steps that are noted ends."""
        self._quick.light.ends_last(optimizer)
        self._leave_light()
        self._flight.plan()

    def _leave_light(self, wait: int = 0) -> None:
        """Record the step that is to come with all that may be due, and as many after it as are to wait."""
        light, begun = self._quick.light, self._quick.light.begun
        self._engine.passes = self._engine.passed = None
        STEP_HOOKS.count(None)
        self._note_light()
        expected, light.wait = light.end(), wait
        if expected is None or expected.thread != threading.get_ident():
            return  # what another thread has begun is not known
        self._flight.go_on(begun)
        if begun.depth > 0 and (optimizer := expected.optimizer()) is not None:
            self._begun.steps.append((id(optimizer), begun.since))

    def _note_light(self) -> None:
        expected, steps, seconds = self._quick.light.taken()
        if expected is not None and steps:
            self._flight.noted(expected.number, steps, seconds)

    def _begin_nap(self) -> None:
        nap = self._quick.nap
        nap.left = 0 if self.failure is not None else self._flight.skips()
        if nap.left > 0:
            self._engine.passes = nap.passes_all if self._flight.is_broken else nap.passes
            self._count()

    def _count(self) -> None:
        hooks = (self._nap_begins, self._nap_ends)
        if self._flight.records_all:
            hooks = (self._quick.nap.begins, self._quick.nap.ends)
        STEP_HOOKS.count(Counter(threading.get_ident(), *hooks))

    def _nap_begins(self, optimizer: Optimizer) -> bool:
        if self._flight.has(optimizer):
            self._quick.nap.begins(optimizer)
        else:
            self._quick.nap.root = None  # of what is not recorded
        return True

    def _nap_ends(self, optimizer: Optimizer) -> bool:
        return self._quick.nap.ends(optimizer) if self._flight.has(optimizer) else True

    def _leaves_out(self, call: EngineCall) -> bool:
        """Whether a call of a step that is only counted is left out although its root is not finite; the first is
        not, unless a step that calls backward itself has begun: then the step that it belongs to is recorded."""
        nap, is_first = self._quick.nap, not self._flight.is_broken
        if is_first and nap.depth <= 0:
            nap.left, nap.root = 0, None
            self._end_nap()
            return False
        nap.passes_all(call.given.outputs)
        nap.left = 1 if is_first else nap.left
        return True

    def _end_nap(self) -> None:
        """Note the steps that were only counted, so far; the next step is recorded, if none is left."""
        if self._quick.nap.left <= 0:
            self._engine.passes = None
            STEP_HOOKS.count(None)
        self._flight.skipped(*self._quick.nap.taken())

    def _install_step_hooks(self) -> None:
        skip_in_dynamo(FlightRecorder.before_step, FlightRecorder.after_step, *_IN_EVERY_STEP)
        self._removers.append(STEP_HOOKS.add(self.before_step, self.after_step))
        if self._quick.nap.left > 0:  # it goes on
            self._count()
        self._flight.scaler.install()

    def _remove_step_hooks(self) -> None:
        if self._quick.light.are_expected:
            self._guarded(self._leave_light)
        while self._removers:
            self._removers.pop()()
        self._flight.end()

    def _guarded(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """The result of some work, whose time is counted and whose errors are not the script's."""
        if self.failure is not None or os.getpid() != self._idle.process:
            return None
        self._idle.busy += 1
        cost = self._flight.cost
        begun = cost.begin()
        try:
            with self._idle.lock, hidden():
                return work(*arguments)
        except Exception as error:
            self.failure = described(error)
            with contextlib.suppress(Exception):
                self.close()
            return None
        finally:
            cost.end(begun)
            self._idle.busy -= 1
            if self._idle.asked:
                self._idle.answer()
