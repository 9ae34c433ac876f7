"""`flight.again(train)`: run a training again, and record in full the step at which something went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from inspector.diagnosis import diagnose_report
from inspector.recording.flight.second_session import SecondSession
from inspector.recording.session import Callbacks, recording_of
from inspector.report import BackwardCall, Exit, Finding, Recording, Report, ScriptRun, save
from inspector.report.timeline import Timeline
from inspector.user_code.paths import UserFiles


class SecondRecording:
    """The calls of a step, and of the two before it, in a second run.

    step: the wanted one. remark: whether it came, and whether the losses before it are those of the first run.
    """

    def __init__(self, step: int, first: Timeline | None) -> None:
        self.step = step
        self._session = SecondSession(UserFiles(str(Path.cwd())), step, first, Callbacks())
        self._report: Report | None = None

    def record(self, run: Callable[[], object]) -> None:
        """Run the training. Raises what it raises; what was recorded by then is kept."""
        error: str | None = None
        self._session.open()
        try:
            run()
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            self._session.close()
            self._report = self._reported(error)

    @property
    def remark(self) -> str:
        """One sentence: whether the step came, and whether the run was like the first."""
        return self._session.remark()

    @property
    def calls(self) -> list[BackwardCall]:
        """The recorded backward calls, in order."""
        return self.report().calls

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, worst first."""
        return self.report().findings

    def report(self) -> Report:
        """The recording as a Report."""
        return self._report or self._reported(None)

    def save(self, path: str | Path) -> None:
        """Write a report.json. Raises OSError."""
        save(self.report(), path)

    def _reported(self, error: str | None) -> Report:
        session, calls = self._session.session, self._session.calls
        drawn = [calls[-1].index] if calls else []
        report = Report(
            script=ScriptRun(
                Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "<notebook>",
                Exit(status=None if error is None else 1, exception=error),
            ),
            recording=Recording(mode="full", watched=0, drawn=[]),
            calls=calls,
        )
        if session is not None:
            inventory, events = session.inventory, session.events  # first: they may add remarks
            found = recording_of(session, drawn)
            report = replace(report, inventory=inventory, events=events, recording=found)
        return diagnose_report(report)
