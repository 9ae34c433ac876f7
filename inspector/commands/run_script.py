"""`inspect SCRIPT`: run a script, record its backward calls, write the results and exit as the script did."""

from __future__ import annotations

import contextlib
import os
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.commands.ci_annotations import FOUND, fails, first_call, workflow_commands
from inspector.commands.options import ORIGINAL, Options
from inspector.commands.output_folder import cannot_write, display_path, open_folder
from inspector.runscript import ScriptExit, ScriptTarget, our_modules, run_script, stop_script
from inspector.util.os_errors import reason
from inspector.util.stderr import say, stderr

if TYPE_CHECKING:
    from inspector.commands.render_subprocess import RenderProcess
    from inspector.recording.gradcheck import CustomFunctions, FunctionCheck
    from inspector.recording.session import Session
    from inspector.report import BackwardCall, Check, Finding, Report
    from inspector.report import Exit as ReportExit
    from inspector.report.originals import Original
    from inspector.user_code.variable_names import Names


INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""
_OTHER_PLACE = "choose another folder with --output"
_OTHER_TEMPORARY = "set TMPDIR to use another folder for temporary files"


def inspect_script(target: ScriptTarget, options: Options) -> ScriptExit:
    """Run the script and show what autograd did in it; return how the script ended.

    Raises ScriptError if there is nothing to run. Errors of the inspector do not change the result.
    """
    inspection = _Inspection(target, options)
    exit = run_script(target, on_torch=inspection.begin, warn=inspection.not_watched)
    if not exit.forked:
        with our_modules():
            try:
                inspection.finish(exit)
            except KeyboardInterrupt:
                inspection.say("interrupted before the pictures were finished")
                exit = replace(exit, status=INTERRUPTED) if exit.status == 0 else exit
            except Exception as error:
                inspection.say(f"internal error (your script is not affected): {type(error).__name__}: {error}")
            if exit.status == 0 and inspection.fails:
                return replace(exit, status=FOUND)
    return exit


class _Inspection:
    """The inspection, from the script's `import torch` to its end."""

    def __init__(self, target: ScriptTarget, options: Options) -> None:
        self._target = target
        self._options = options
        self._process = os.getpid()
        self._stderr = stderr()  # the script may redirect its own, or open one; that is no place for our text
        self._session: Session | None = None
        self._not_watched: str | None = None
        self._functions: CustomFunctions | None = None
        self._checked: list[FunctionCheck] = []
        self._remarks: list[str] = []
        self._originals: dict[int, Original] = {}
        self._drawing: RenderProcess | None = None
        self._report: Report | None = None
        self._files: list[Path] = []
        self._temporary = contextlib.ExitStack()
        self._script = Path(target.path or "").absolute()  # the script may go to another folder
        self._folder = str(Path.cwd() if target.path is None else Path(target.path).absolute().parent)

    def begin(self) -> None:
        """torch is there: begin to watch."""
        from inspector.recording.session import Session
        from inspector.recording.watch_plan import WatchPlan
        from inspector.user_code.paths import UserFiles

        watch = self._options.watch
        self._session = Session(
            UserFiles(self._folder),
            WatchPlan(watch.calls, watch.record, watch.is_drawn),
            on_done=self._show,
            on_stop=stop_script if watch.stop else None,
            progress=self._progress_sign,
            before=self._take_original if ORIGINAL in self._options.destination.formats else None,
        )
        if self._options.checks.functions:
            from inspector.recording.gradcheck import CustomFunctions

            self._functions = CustomFunctions(UserFiles(self._folder))
            self._functions.install()
        self._session.open()

    def not_watched(self, reason: str) -> None:
        """torch cannot be observed. Reported at once, since the script may run for hours."""
        self._not_watched = reason
        self.say(reason)
        if self._session is not None:
            self._session.close()
        if self._functions is not None:
            self._functions.remove()

    def say(self, line: str) -> None:
        """Print one line on the stderr that the command started with."""
        say(line, self._stderr)

    def _take_original(self, index: int, outputs: Sequence[Any], names: Names) -> None:
        """Let torchviz draw a call's roots, before backward frees their graph."""
        from inspector.report.originals import Original
        from inspector.tracing.torchviz import NoOriginal, original_dot

        if self._options.watch.backward == "last":
            self._originals.clear()
        named = {name: tensor for tensor, name, _ in names.rows()}
        try:
            self._originals[index] = Original(source=original_dot(outputs, named).source)
        except NoOriginal as reason:
            self._originals[index] = Original(reason=str(reason))

    @property
    def fails(self) -> bool:
        """Whether `--fail-on` makes the command fail."""
        found = [] if self._report is None else self._report.findings
        return fails(found, self._options.checks.fail_on)

    def finish(self, exit: ScriptExit) -> None:
        """After the script: show what was not shown yet, and complete the report."""
        if (nothing := self._why_nothing(exit)) is not None:
            self.say(f"nothing to show: {nothing}")
            return
        assert self._session is not None
        self._session.close()
        if self._session.failure is not None:
            stopped = "" if self._session.is_done else ", recording stopped"
            self.say(f"internal error{stopped} (your script is not affected): {self._session.failure}")
        if self._report is None:
            self._show(exit)
        else:
            self._report = replace(self._report, exit=_exit_of(exit))
            if self._files and self._options.destination.report is not None:
                self._write(self._report, self._options.destination.report)
        for remark in (*self._session.remarks, *self._remarks):  # writing the report may have added some
            self.say(f"note: {remark}")
        self._say_what_is_missing(self._session, exit)
        self._end_drawing()
        self._hint()
        self._temporary.close()

    def _why_nothing(self, exit: ScriptExit) -> str | None:
        """Why nothing was recorded; None if torch was observed."""
        if self._not_watched is not None:
            return f"{self._name_call} imported torch, but it could not be observed"
        if self._session is not None:
            return None
        return f"{self._name_call} {'could' if exit.torch_failed else 'did'} not import torch"

    def _say_what_is_missing(self, session: Session, exit: ScriptExit) -> None:
        wanted, seen = self._options.watch.backward, session.watched
        calls = f"{seen} backward call{'s' * (seen != 1)}"
        if self._options.watch.drawn([call.index for call in session.calls]):
            return
        if session.failure is not None:  # there may have been others since
            self.say(f"nothing to draw: {calls if seen else 'no backward call'} had been recorded by then")
        elif seen == 0:
            ended = "" if exit.exception is None else f" before {self._name_call} ended"
            self.say(f"nothing to draw: backward() was not called{ended}")
        else:
            self.say(f"nothing to draw: there is no backward call {wanted}, {self._name_call} made {calls}")

    @property
    def _name_call(self) -> str:
        return Path(self._target.path).name if self._target.path is not None else str(self._target.module)

    def _show(self, exit: ScriptExit | None = None) -> None:
        """Write the report, start drawing and print: after the recorded calls, or at the end of the script."""
        if self._report is not None or os.getpid() != self._process:
            return
        if self._functions is not None:  # what it runs is the user's, with the user's modules
            self._functions.remove()
            self._checked = self._functions.check()
        with our_modules():
            from inspector.report.originals import originals_path

            with self._progress_sign("checking the gradients"):
                report = self._report = self._reported(exit)
            path = self._open_destination()
            written = path is not None and self._write(report, path)
            if written and path is not None:
                if self._options.destination.report is not None:
                    self._files += [path, *([originals_path(path)] if self._originals else ())]
                self._start_drawing(path, report)
            self._print(report)

    @contextlib.contextmanager
    def _progress_sign(self, text: str) -> Iterator[None]:
        """A progress indicator for slow work, with the inspector's own modules importable meanwhile."""
        with our_modules():
            from inspector.terminal import stderr_console
            from inspector.terminal.progress import working

            with working(stderr_console(self._stderr), text):
                yield

    def _reported(self, exit: ScriptExit | None) -> Report:
        from inspector.diagnosis import diagnose_report
        from inspector.recording.session import recording_of
        from inspector.report import Report

        assert self._session is not None
        calls = list(self._session.calls)
        self._give_drawn_names(calls)
        findings, checked = self._gradcheck_rows(calls)
        report = Report(
            script=self._name_call,
            exit=_exit_of(exit),
            recording=recording_of(self._session, []),
            calls=calls,
            inventory=self._session.inventory,
            events=self._session.events,
            findings=findings,
            checked=checked,
        )
        report = diagnose_report(report)
        drawn = self._options.watch.drawn([call.index for call in calls], first_call(report.findings))
        return replace(report, recording=recording_of(self._session, drawn))

    def _give_drawn_names(self, calls: list[BackwardCall]) -> None:
        """Give tensors the names from the script's comments (`# inspect: w0 = w_0`), for figures."""
        from inspector.runscript.name_comments import drawn_names

        try:
            with tokenize.open(self._script) as file:
                source = file.read()
        except (OSError, SyntaxError, UnicodeDecodeError):
            return  # a module, or a script that is gone by now
        names, self._remarks = drawn_names(source) if "inspect:" in source else ({}, [])
        unused = set(names)
        for call in calls if names else []:
            for _, tensor in call.graph.tensors():
                if tensor["name"] in names:
                    tensor["symbol"] = names[tensor["name"]]
                    unused.discard(tensor["name"])
        self._remarks += [
            f"a comment writes {name} as {names[name]}, but no tensor is called {name}" for name in sorted(unused)
        ]

    def _gradcheck_rows(self, calls: list[BackwardCall]) -> tuple[list[Finding], list[Check]]:
        if self._functions is None:
            return [], []
        from inspector.recording.gradcheck import rows_of

        return rows_of(self._checked, calls)

    def _open_destination(self) -> Path | None:
        """The path of the report; None, after printing an error, if it cannot be written."""
        destination = self._options.destination
        instead = _OTHER_TEMPORARY if destination.report is None else _OTHER_PLACE
        try:
            if destination.report is not None:
                open_folder(destination.folder)
                return destination.report
            folder = self._temporary.enter_context(tempfile.TemporaryDirectory(prefix="inspect-"))
            return Path(folder) / "report.json"
        except OSError as error:
            self.say(f"{cannot_write(error, destination.folder)}; {instead}")
            return None

    def _write(self, report: Report, path: Path) -> bool:
        from inspector.report import save
        from inspector.report.originals import save_originals

        try:
            with self._progress_sign(f"writing {path.name}"):
                save(report, path)
                if self._originals:
                    save_originals(self._originals, path)
        except OSError as error:
            is_temporary = self._options.destination.report is None
            self.say(f"{cannot_write(error, path)}; {_OTHER_TEMPORARY if is_temporary else _OTHER_PLACE}")
            return False
        return True

    def _start_drawing(self, path: Path, report: Report) -> None:
        from inspector.commands.render_subprocess import RenderProcess

        if not any(call.index in report.recording["drawn"] for call in report.calls):
            return
        options = replace(self._options, draw=replace(self._options.draw, folder=Path(self._folder)))
        try:
            self._drawing = RenderProcess(path, options)
        except OSError as error:
            self.say(f"no picture: cannot start a process to draw it: {reason(error)}")

    def _print(self, report: Report) -> None:
        from inspector.terminal import show, show_gradcheck, stderr_console
        from inspector.terminal.print_call import Shown

        console = stderr_console(self._stderr)
        shown = Shown(
            report.recording["drawn"],
            checked=self._options.checks.derivatives,
            has_report=bool(self._files),  # so far there is only the report
        )
        with _unless_closed():
            show(console, report, shown)
            if self._functions is not None:
                show_gradcheck(console, self._checked)
            if self._options.checks.annotate is not None:
                for line in workflow_commands(report.findings, self._folder):
                    print(line, file=self._stderr)

    def _end_drawing(self) -> None:
        """Wait for the pictures, and print which files were written."""
        from inspector.terminal import show_files, stderr_console
        from inspector.terminal.progress import working

        with working(stderr_console(self._stderr), "drawing"):
            failure = None if self._drawing is None else self._drawing.wait()
        if failure is not None:
            report = self._options.destination.report
            kept = f"; the numbers are in {display_path(report)}" if report is not None else ""
            self.say(f"no picture: {failure}{kept}")
        elif self._drawing is not None:
            self._files += self._drawing.files
            for remark in self._drawing.remarks:
                self.say(f"note: {remark}")
        with _unless_closed():
            show_files(stderr_console(self._stderr), [display_path(path) for path in self._files])

    def _hint(self) -> None:
        """Print the hint as the last line."""
        from inspector.terminal import show_hint, stderr_console

        if self._options.hint:
            with _unless_closed():
                show_hint(stderr_console(self._stderr), self._options.hint)


def _exit_of(exit: ScriptExit | None) -> ReportExit:
    """How the script ended, for the report; None while it runs."""
    return {
        "status": None if exit is None else exit.status,
        "exception": None if exit is None else exit.describe(),
    }


def _unless_closed() -> contextlib.AbstractContextManager[None]:
    """Ignore a stderr that the script closed, or whose reader is gone."""
    return contextlib.suppress(ValueError, OSError)
