"""Record a script, from its import of torch on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from inspector.commands.options import ORIGINAL, Options
from inspector.commands.stderr_output import StderrOutput
from inspector.runscript import stop_script

if TYPE_CHECKING:
    from inspector.recording.flight.second_session import SecondSession
    from inspector.recording.gradcheck import CustomFunctions, FunctionCheck
    from inspector.recording.session import Session
    from inspector.report import BackwardCall, Check, Finding
    from inspector.report.originals import Original
    from inspector.user_code.variable_names import Names


Rows: TypeAlias = "tuple[list[Finding], list[Check]]"
"""Findings, and the rules without any."""


class ScriptWatch:
    """Records what the options ask for: backward calls, torchviz's pictures, calls of custom Functions.

    folder: the script's.
    """

    def __init__(self, options: Options, folder: str, output: StderrOutput) -> None:
        self._session: Session | None = None
        self.second: SecondSession | None = None
        """What counts the steps before the session, under `--again` and `--at`."""
        self.was_aborted = False
        self.originals: dict[int, Original] = {}
        """torchviz's pictures, by backward call."""
        self.gradchecks: list[FunctionCheck] | None = None
        """The results of `--gradcheck`; None before `check_functions`, and without the option."""
        self._mixing: Rows | None = None
        """The rows of `--check-independence`, from the first call that could be checked."""
        self._functions: CustomFunctions | None = None
        self._options = options
        self._folder = folder
        self._output = output

    @property
    def session(self) -> Session | None:
        """What records the calls; None before it has begun."""
        return self._session if self.second is None else self.second.session

    def begin(self, on_done: Callable[[], None]) -> None:
        """Start recording; torch is imported. on_done: called when the last wanted call has ended."""
        from inspector.recording.session import Callbacks, Session
        from inspector.recording.watch_plan import WatchPlan
        from inspector.user_code.paths import UserFiles

        watch, second = self._options.watch, self._options.watch.second
        callbacks = Callbacks(
            on_done=on_done,
            on_stop=stop_script if watch.stop else None,
            progress=self._output.progress,
            before=self._before_call if self._asks_before_calls else None,
        )
        plan = WatchPlan(watch.calls, watch.record, watch.is_drawn if watch.backward else None, watch.wanted)
        if self._options.checks.functions:
            from inspector.recording.gradcheck import CustomFunctions

            self._functions = CustomFunctions(UserFiles(self._folder))
            self._functions.install()
        if second is None:
            self._session = Session(UserFiles(self._folder), plan, callbacks)
            self._session.open()
            return
        from inspector.recording.flight.second_session import SecondSession

        self.second = SecondSession(UserFiles(self._folder), second.step, second.first, callbacks)
        self.second.open()

    def abort(self) -> None:
        """Remove all hooks: torch cannot be observed."""
        self.was_aborted = True
        if self.second is not None:
            self.second.close()
        if self.session is not None:
            self.session.close()
        if self._functions is not None:
            self._functions.remove()

    def check_functions(self) -> None:
        """Run `--gradcheck`, which calls user code: with the user's modules, outside of `our_modules`."""
        if self._functions is not None:
            self._functions.remove()
            self.gradchecks = self._functions.check()

    def rows_of_options(self, calls: list[BackwardCall]) -> Rows:
        """The rows of `--gradcheck` and of `--check-independence` for a report."""
        findings, checked = self._mixing or ([], [])
        if self.gradchecks is None:
            return findings, checked
        from inspector.recording.gradcheck import rows_of

        wrong, right = rows_of(self.gradchecks, calls)
        return [*wrong, *findings], [*right, *checked]

    @property
    def _asks_before_calls(self) -> bool:
        return ORIGINAL in self._options.destination.formats or self._options.checks.independence is not None

    def _before_call(self, index: int, outputs: Sequence[Any], names: Names) -> None:
        """While the graph of a call is whole: let torchviz draw it, and ask whether samples mix in it."""
        if ORIGINAL in self._options.destination.formats:
            self._take_original(index, outputs, names)
        dim = self._options.checks.independence
        if dim is not None and (self._mixing is None or any(check.reason for check in self._mixing[1])):
            from inspector.recording.sample_mixing import check_independence

            self._mixing = check_independence(outputs, dim)

    def _take_original(self, index: int, outputs: Sequence[Any], names: Names) -> None:
        """Let torchviz draw a call's roots, before backward frees their graph."""
        from inspector.report.originals import Original
        from inspector.tracing.torchviz import NoOriginal, original_dot

        if self._options.watch.backward == "last":
            self.originals.clear()
        named = {name: tensor for tensor, name, _ in names.rows()}
        try:
            self.originals[index] = Original(source=original_dot(outputs, named).source)
        except NoOriginal as reason:
            self.originals[index] = Original(reason=str(reason))
