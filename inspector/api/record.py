"""`inspector.record`: record the backward calls of a block of code."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from inspector.api.notebook import call_bundle, first_shown, script_name, source_of
from inspector.diagnosis import diagnose_report
from inspector.options.choices import MODES, Mode, check_choice
from inspector.recording.session import Session, recording_of
from inspector.recording.training.parameter_inventory import given_modules, given_optimizers
from inspector.recording.watch_plan import DEFAULT_WATCH, WatchPlan
from inspector.report import BackwardCall, Exit, Finding, Report, ScriptRun, save
from inspector.user_code.paths import UserFiles


class BlockRecording:
    """The recording of a block: `with inspector.record() as recording: ...`."""

    def __init__(self, model: Any, optimizer: Any, watch: int, mode: Mode) -> None:
        optimizers = given_optimizers(optimizer)
        self._files = UserFiles(str(Path.cwd()))
        self._session = Session(self._files, WatchPlan(watch, mode), given=given_modules(model))
        for item in optimizers:
            self._session.watch_optimizer(item)
        self._script = script_name()
        self._error: str | None = None

    def __enter__(self) -> BlockRecording:
        self._session.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        self._error = None if kind is None else f"{kind.__name__}: {error}"

    @property
    def calls(self) -> list[BackwardCall]:
        """The recorded backward calls, in order."""
        return self._session.calls

    @property
    def failure(self) -> str | None:
        """The internal error that stopped the recording, if any. The block itself is not affected."""
        return self._session.failure

    @property
    def before(self) -> Any:
        """The networkx graph of the first call, before backward. Raises IndexError if there was no call."""
        return self._first.graph.at("before")

    @property
    def after(self) -> Any:
        """The networkx graph of the first call, after backward. Raises IndexError if there was no call."""
        return self._first.graph.at("after")

    def report(self) -> Report:
        """The whole recording as a Report."""
        inventory, events = self._session.inventory, self._session.events  # first: they may add remarks
        report = Report(
            script=ScriptRun(self._script, Exit(status=None if self._error is None else 1, exception=self._error)),
            recording=recording_of(self._session, [self._session.first_trained or 1] if self.calls else []),
            calls=list(self.calls),
            inventory=inventory,
            events=events,
        )
        return diagnose_report(report)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the gradients, worst first."""
        return self.report().findings

    def save(self, path: str | Path) -> None:
        """Write a report.json. Raises OSError."""
        save(self.report(), path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For a notebook: the page of the first call with a finding, else of the first call."""
        report = self.report()
        if not report.calls:
            return {"text/plain": "no backward call was recorded"}
        call = first_shown(report)
        return call_bundle(call, source_of(report, call, self._files))

    @property
    def _first(self) -> BackwardCall:
        if not self.calls:
            raise IndexError("backward() was not called within the block")
        return self.calls[0]


def record(
    model: Any = None, optimizer: Any = None, *, watch: int = DEFAULT_WATCH, mode: Mode = "full"
) -> BlockRecording:
    """Record the backward calls of a `with` block: `recording.calls[0].graph`.

    model: an nn.Module, or a list or dict of them, whose parameters get names and are listed in the report; by
    default the modules in the caller's variables. optimizer: one or several, for the report.
    watch: how many backward calls that train are recorded; all hooks are removed afterwards. mode: how to record
    the forward: "full" (as far as the first of them; light for the others), "light" (lines and modules) or "none"
    (structure only).
    Raises TypeError and ValueError for other arguments.
    """
    if isinstance(watch, bool) or not isinstance(watch, int):
        raise TypeError(f"record(watch=...) must be an int, got {type(watch).__name__}")
    if watch < 1:
        raise ValueError(f"record(watch=...) must be at least 1, got {watch}")
    check_choice("mode", mode, MODES)
    return BlockRecording(model, optimizer, watch, mode)
