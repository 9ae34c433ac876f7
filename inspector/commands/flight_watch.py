"""Record the steps of a script after its watched backward calls, and put them into its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.commands.live_signals import LiveSignals
from inspector.commands.options import WatchOptions

if TYPE_CHECKING:
    from inspector.recording.flight import FlightRecorder
    from inspector.recording.session import Session
    from inspector.report import Report
    from inspector.report.timeline import Timeline


KEPT_EVERY = 20.0
"""Seconds: after SIGKILL, which nothing can answer, the timeline ends at most so long before."""


class _TimelineKeeper:
    """Writes the timeline so far, and the report if calls were added to it since. write: see `FlightWatch`."""

    def __init__(self, recorder: FlightRecorder, write: Callable[[Timeline, bool], None]) -> None:
        self._recorder, self._write = recorder, write
        self._calls = 0  # those in the report

    def keep(self) -> None:
        timeline, calls = self._recorder.timeline(ended=False), len(self._recorder.calls)
        if timeline is not None:
            self._write(timeline, calls > self._calls)
            self._calls = calls


class FlightWatch:
    """Records from `begin` to `close`, between `prepare` and `release`.

    folder: the script's. write: a signal has arrived: writes what is known, and says what follows. keep: writes
    the timeline so far beside the report, and with True the report, to which calls were added.
    """

    def __init__(
        self,
        options: WatchOptions,
        folder: str,
        write: Callable[[str], None],
        keep: Callable[[Timeline, bool], None],
    ) -> None:
        self._options = options
        self._folder = folder
        self._write, self._keep = write, keep
        self._signals = LiveSignals(self._write_when_idle)
        self._recorder: FlightRecorder | None = None
        self._session: Session | None = None
        self._is_prepared = False

    def prepare(self) -> None:
        """torch was imported: what the recorded calls know of parameters is needed until `release`."""
        if self._options.flight.budget == 0 or self._options.stop:
            return
        from inspector.torch_api.tensor_references import REFERENCES

        REFERENCES.open()
        self._is_prepared = True

    def begin(self, session: Session) -> None:
        """The watched calls have ended, and the script goes on. Does nothing if the budget is 0."""
        if not self._is_prepared or session.failure is not None:
            return
        from inspector.recording.flight import FlightRecorder
        from inspector.recording.flight.break_point import BreakPoint
        from inspector.user_code.paths import UserFiles

        self._session = session
        flight, files = self._options.flight, UserFiles(self._folder)
        point = None if flight.breaks is None else BreakPoint(flight.breaks)
        self._recorder = FlightRecorder(files, flight.budget, session, break_point=point)
        self._recorder.every(KEPT_EVERY, _TimelineKeeper(self._recorder, self._keep).keep)
        self._recorder.open()
        self._signals.install()

    def close(self) -> None:
        """Remove all hooks and handlers of signals."""
        if self._recorder is not None:
            self._recorder.close()
            self._signals.uninstall()

    def release(self) -> None:
        """Refer to no parameter any more, once the report is complete."""
        if self._is_prepared:
            from inspector.torch_api.tensor_references import REFERENCES

            self._is_prepared = False
            REFERENCES.close()

    @property
    def failure(self) -> str | None:
        """The internal error that ended the recording, in one line; None if there was none."""
        return None if self._recorder is None else self._recorder.failure

    def completed(self, report: Report, *, ended: bool) -> Report:
        """The report with the steps so far, diagnosed again. ended: whether the script has ended."""
        from inspector.diagnosis import diagnose_report
        from inspector.recording.session import recording_of

        timeline = None if self._recorder is None else self._recorder.timeline(ended=ended)
        if self._recorder is None or self._session is None or timeline is None:
            return report
        calls = [*report.calls, *self._recorder.calls]
        recording = recording_of(self._session, report.recording["drawn"])
        return diagnose_report(replace(report, timeline=timeline, calls=calls, recording=recording))

    def _write_when_idle(self, follows: str, then: Callable[[], None]) -> None:
        def write() -> None:
            self._write(follows)
            then()

        assert self._recorder is not None
        self._recorder.when_idle(write)
