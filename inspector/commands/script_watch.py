"""Record a script, from its import of torch on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from inspector.commands.options import ORIGINAL, Options
from inspector.commands.script_checks import ScriptChecks
from inspector.commands.stderr_output import StderrOutput
from inspector.runscript import stop_script

if TYPE_CHECKING:
    from inspector.graph import Graph
    from inspector.recording.flight.second_session import SecondSession
    from inspector.recording.session import Session
    from inspector.report.originals import Original
    from inspector.user_code.variable_names import Names


class ScriptWatch:
    """Records what the options ask for: backward calls, torchviz's pictures, what the checks need.

    folder: the script's.
    """

    def __init__(self, options: Options, folder: str, output: StderrOutput) -> None:
        self._session: Session | None = None
        self.second: SecondSession | None = None
        """What counts the steps before the session, under `--again` and `--at`."""
        self.was_aborted = False
        self.originals: dict[int, Original] = {}
        """torchviz's pictures, by backward call."""
        self.checks = ScriptChecks(options.checks, folder)
        self._options = options
        self._folder = folder
        self._output = output

    @property
    def session(self) -> Session | None:
        """What records the calls; None before it has begun."""
        return self._session if self.second is None else self.second.session

    def begin(self, on_done: Callable[[], None], derive: Callable[[Graph], None] | None) -> None:
        """Start recording; torch is imported. on_done: called when the last wanted call has ended.

        derive: adds derivatives in symbols to a graph; None for the usual function."""
        from inspector.recording.session import Callbacks, Session
        from inspector.recording.watch_plan import WatchPlan
        from inspector.user_code.paths import UserFiles

        watch, second = self._options.watch, self._options.watch.second
        callbacks = Callbacks(
            on_done=on_done,
            on_stop=stop_script if watch.stop else None,
            progress=self._output.progress,
            before=self._before_call if self._takes_originals or self.checks.have_to_ask_before_calls else None,
        )
        callbacks = callbacks if derive is None else replace(callbacks, derive=derive)
        plan = WatchPlan(watch.calls, watch.record, watch.is_drawn if watch.backward else None, watch.wanted)
        self.checks.install()
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
        self.checks.remove()

    def _before_call(self, index: int, outputs: Sequence[Any], names: Names) -> None:
        """While the graph of a call is whole: let torchviz draw it, and ask whether samples mix in it."""
        if self._takes_originals:
            self._take_original(index, outputs, names)
        self.checks.before_call(outputs)

    @property
    def _takes_originals(self) -> bool:
        return ORIGINAL in self._options.destination.formats

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
