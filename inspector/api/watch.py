"""`inspector.watch`: record every step of a block: the first calls in full, then a few numbers of each step."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct
from rich.console import Console

from inspector.api.again import SecondRecording
from inspector.api.notebook import call_bundle, first_shown, notebook_bundle, script_name, source_of
from inspector.api.tensorboard_scalars import write_scalars
from inspector.api.timeline_picture import TimelinePicture
from inspector.diagnosis import RULES, diagnose_report
from inspector.export.svg import write_svg
from inspector.options.choices import MODES, Mode, Text, Theme, check_choice
from inspector.plots import plot_timeline
from inspector.recording.flight import FlightRecorder
from inspector.recording.flight.chosen import Chosen
from inspector.recording.session import Callbacks, Session, recording_of
from inspector.recording.training.parameter_inventory import given_modules, given_optimizers
from inspector.recording.watch_plan import DEFAULT_WATCH, WatchPlan
from inspector.report import Exit, Finding, Report, ScriptRun, save
from inspector.report.timeline import NOT_RECORDED, Timeline, first_step
from inspector.report.timeline_arrays import Array, arrays_of
from inspector.terminal import show_timeline, show_watched
from inspector.torch_api.tensor_references import REFERENCES
from inspector.typography import pluralize
from inspector.user_code.paths import UserFiles

DEFAULT_BUDGET = 0.03
_WIDTH = 100


class _State(Struct):
    """How far a recording is. recorder: of the steps, once the calls recorded in full have ended. uses: of
    references to tensors. error: the exception that ended the block. report: the result, once it has ended."""

    recorder: FlightRecorder | None = None
    uses: contextlib.ExitStack | None = None
    error: str | None = None
    report: Report | None = None


class FlightRecording:
    """The recording of a block: `with inspector.watch(model, optimizer) as flight: ...`.

    Trainers that have no block call `open` and `close`. Everything else may be asked at any time, also within the
    block and from another thread.
    """

    def __init__(self, model: Any, optimizer: Any, *, budget: float, calls: int, mode: Mode) -> None:
        self._budget = budget
        self._files = UserFiles(str(Path.cwd()))
        modules, optimizers = given_modules(model), given_optimizers(optimizer)
        self._chosen = Chosen(modules, optimizers)
        callbacks = Callbacks(on_done=self._goes_on, is_wanted=self._chosen.reached_by)
        self._session = Session(self._files, WatchPlan(calls, mode), callbacks, modules)
        for item in optimizers:
            self._session.watch_optimizer(item)
        self._script = script_name()
        self._state = _State()

    # The block

    def open(self) -> FlightRecording:
        """Begin. Raises RuntimeError if it has begun: a recording is of one run."""
        if self._state.uses is not None:
            raise RuntimeError("this recording has begun already: call inspector.watch() for each run")
        self._state.uses = contextlib.ExitStack()
        self._state.uses.enter_context(REFERENCES.used())
        self._session.open()
        return self

    def close(self) -> None:
        """End, and remove all hooks. May be called again."""
        state = self._state
        if state.uses is None or state.report is not None:
            return
        self._session.close()
        if state.recorder is not None:
            state.recorder.close()
        state.report = self._report(ended=True)
        state.uses.close()

    def __enter__(self) -> FlightRecording:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state.error = None if kind is None else f"{kind.__name__}: {error}"
        self.close()

    def _goes_on(self) -> None:
        """The calls recorded in full have ended: record the steps that follow."""
        if self._budget > 0 and self._session.failure is None:
            self._state.recorder = FlightRecorder(self._files, self._budget, self._session, self._chosen)
            self._state.recorder.open()

    # Results

    def report(self) -> Report:
        """Everything as a Report: the calls recorded in full, the timeline and the findings."""
        return self._state.report or self._report(ended=False)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, worst first."""
        return self.report().findings

    @property
    def failure(self) -> str | None:
        """The internal error that stopped the recording, if any. The block itself is not affected."""
        recorder = self._state.recorder
        return self._session.failure or (None if recorder is None else recorder.failure)

    @property
    def steps(self) -> int:
        """Number of steps so far, as far as a timeline knows them."""
        timeline = self.report().timeline
        return 0 if timeline is None else timeline["steps"]

    def columns(self) -> dict[str, Array]:
        """The timeline as arrays of equal length: `step`, `loss`, `learning rate`, `gradient/NAME`.

        After some hundred steps a row stands for several: `step` is its last one, and a value the median of its
        steps. NaN: not finite or not recorded. With several optimizers, `loss/NAME`. Empty without a timeline.
        """
        timeline = self.report().timeline
        return {} if timeline is None else arrays_of(timeline)

    def to_tensorboard(self, folder: str | Path) -> None:
        """Write the columns as scalars of TensorBoard. Raises ImportError if the package is not installed."""
        write_scalars(self.columns(), folder)

    def picture(self, *, theme: Theme = "light", text: Text | None = None) -> TimelinePicture:
        """The timeline as a picture. Raises ValueError if no step was recorded after the calls in full."""
        return TimelinePicture(plot_timeline(self.report()), theme=theme, text=text)

    def again(self, run: Callable[[], object], *, at: int | None = None) -> SecondRecording:
        """Run a training a second time, and record in full the step of the first trigger and the two before it.

        run: makes the model anew and trains it; until then only the losses are looked at, to compare them.
        at: the step, by default that of the first value that is not finite, else of the first trigger.
        Raises ValueError if there is none, and what `run` raises.
        """
        timeline = self.report().timeline
        found = [] if timeline is None else timeline["triggers"]
        step = first_step(found) if at is None else at
        if step is None:
            raise ValueError("nothing went wrong in the recorded steps: give again(at=STEP)")
        if step < 1:
            raise ValueError(f"again(at=...) must be at least 1, got {step}")
        second = SecondRecording(step, timeline)
        second.record(run)
        return second

    def save(self, path: str | Path) -> None:
        """Write a report.json. Raises OSError."""
        save(self.report(), path)

    def __str__(self) -> str:
        """The findings about the steps, the timeline as bars, and how much was watched."""
        return _text(self.report())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For a notebook: the page of the first call with a finding, the picture of the timeline, and the text."""
        report = self.report()
        scene = plot_timeline(report).scene if report.timeline is not None and report.timeline["rows"] else None
        if not report.calls:
            shown = {"text/plain": _text(report)}
            return shown if scene is None else {"image/svg+xml": write_svg(scene, text="path"), **shown}
        call = first_shown(report)
        source = source_of(report, call, self._files)
        if scene is None:
            return call_bundle(call, source, said=_text(report))
        return notebook_bundle(call, scene, source=source, said=_text(report))

    def _report(self, *, ended: bool) -> Report:
        session, state = self._session, self._state
        timeline: Timeline | None = None
        calls = list(session.calls)
        if state.recorder is not None:
            timeline = state.recorder.timeline(ended=ended)
            calls += state.recorder.calls
        inventory, ours = session.inventory, self._chosen.numbers(session)  # first: this may add remarks
        events = [event for event in session.events if event["optimizer"] is None or event["optimizer"] in ours]
        report = Report(
            script=ScriptRun(self._script, Exit(status=None if state.error is None else 1, exception=state.error)),
            recording=recording_of(session, [session.first_trained or 1] if calls else []),
            calls=calls,
            inventory=inventory,
            events=events,
            timeline=timeline,
        )
        return diagnose_report(report)


def _text(report: Report) -> str:
    timeline = report.timeline
    if timeline is None:
        return f"{pluralize(len(report.calls), 'backward call')} recorded in full; {NOT_RECORDED}"
    stream = io.StringIO()
    console = Console(file=stream, width=_WIDTH, color_system=None, highlight=False, force_jupyter=False)
    timed = [finding for finding in report.findings if "timeline" in RULES[finding.rule].needs]
    show_timeline(console, report, timed)
    show_watched(console, timeline)
    return stream.getvalue().strip("\n")


def watch(
    model: Any = None,
    optimizer: Any = None,
    *,
    budget: float = DEFAULT_BUDGET,
    calls: int = DEFAULT_WATCH,
    mode: Mode = "full",
) -> FlightRecording:
    """Record every step of a `with` block: `flight.columns()`, `flight.findings`, `print(flight)`.

    model: an nn.Module, or a list or dict of them; optimizer: one or several. Only steps of optimizers that hold
    a parameter of these are recorded; by default all steps in the process. Several recordings may be open at once.
    budget: the share of the run's time for recording the steps, from 0 to 1: 0.03 is 3 %; 1 records every number
    in every step, and 0 records no step. calls: number of backward calls recorded in full before, as by `record`.
    mode: how to record their forward.
    Raises TypeError and ValueError for other arguments.
    """
    if isinstance(budget, bool) or not isinstance(budget, (int, float)):
        raise TypeError(f"watch(budget=...) must be a number from 0 to 1, got {type(budget).__name__}")
    if not 0.0 <= budget <= 1.0:
        raise ValueError(f"watch(budget=...) must be from 0 to 1, such as 0.03 for 3 %, got {budget}")
    if isinstance(calls, bool) or not isinstance(calls, int):
        raise TypeError(f"watch(calls=...) must be an int, got {type(calls).__name__}")
    if calls < 1:
        raise ValueError(f"watch(calls=...) must be at least 1, got {calls}")
    check_choice("mode", mode, MODES)
    return FlightRecording(model, optimizer, budget=float(budget), calls=calls, mode=mode)
