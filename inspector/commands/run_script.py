"""`inspect SCRIPT`: run a script, record its backward calls, write the results and exit as the script did."""

from __future__ import annotations

import os
import time
import tokenize
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from inspector.commands.child_processes import ChildProcesses
from inspector.commands.child_ranks import at_end_of_process, describe, hand_to_spawned, written_ranks
from inspector.commands.ci_annotations import FOUND, fails, first_call, workflow_commands
from inspector.commands.flight_watch import FlightWatch
from inspector.commands.options import FurtherFigures, Options
from inspector.commands.output_folder import display_path
from inspector.commands.prepared_renderer import PreparedRenderer
from inspector.commands.ranks import Rank, conclude, merged, options_of, rank_of
from inspector.commands.report_output import ReportOutput
from inspector.commands.script_watch import ScriptWatch
from inspector.commands.stderr_output import StderrOutput
from inspector.runscript import ScriptExit, ScriptTarget, our_modules, run_script
from inspector.util.gc_pause import gc_paused
from inspector.util.os_errors import reason

if TYPE_CHECKING:
    from inspector.commands.render_subprocess import RenderProcess
    from inspector.recording.session import Session
    from inspector.report import BackwardCall, Report
    from inspector.report import Exit as ReportExit
    from inspector.report.row_types import ProcessRank
    from inspector.report.timeline import Timeline


LEAST_DRAWN = 10
"""A timeline of fewer steps is not drawn."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""


def inspect_script(target: ScriptTarget, options: Options) -> ScriptExit:
    """Run the script and show what autograd did in it; return how the script ended.

    Raises ScriptError if there is nothing to run. Errors of the inspector do not change the result.
    """
    rank, started = rank_of(os.environ), time.time()
    if rank is not None:
        options = options_of(rank, options)
    prepared = PreparedRenderer.start() if rank is None and options.destination.formats else None
    output = StderrOutput(silent=rank is not None and rank.number > 0)
    inspection = _Inspection(target, options, output, rank, prepared)
    exit = run_script(target, on_torch=inspection.begin, warn=inspection.not_watched)
    merged_fails = False
    if exit.forked:
        inspection.leave_to_parent()
    else:
        with our_modules():
            try:
                merged_fails = inspection.conclude(exit, rank, started)
            except KeyboardInterrupt:
                inspection.output.say("interrupted before the pictures were finished")
                exit = replace(exit, status=INTERRUPTED) if exit.status == 0 else exit
            except Exception as error:
                message = f"{type(error).__name__}: {error}"
                inspection.output.say(f"internal error (your script is not affected): {message}")
            if exit.status == 0 and (inspection.fails or merged_fails):
                return replace(exit, status=FOUND)
    return exit


def wait_for_rank(target: ScriptTarget, options: Options, known: set[int]) -> None:
    """Inspect each process that becomes a rank, a child of the script or a fork of it, until its function ends.

    torch is imported. options: of the script. known: the ids of processes that are inspected already.
    """
    from inspector.torch_api.process_group import on_default_group

    def begin(number: int, world: int) -> None:
        if os.getpid() in known:
            return
        known.add(os.getpid())
        rank, output = Rank(number, world, world), StderrOutput(silent=number > 0)
        inspection = _Inspection(target, options_of(rank, options), output, rank)

        def finish(exit: ScriptExit) -> None:
            with our_modules():
                inspection.without_fail("this rank is not reported", lambda: inspection.finish(exit))

        with our_modules():
            inspection.without_fail("this rank is not watched", inspection.begin)
        at_end_of_process(finish)

    on_default_group(begin)


class _Script:
    """The script, as it was when it started: it may change the working directory.

    target: as given. name: as it is called in messages and reports. path: absolute; the working directory for a
    module.
    folder: the paths of a report are relative to it. process: its id, which a fork of the script does not have.
    rank: which of several processes of a launcher it is; None for a single one.
    prepared: a process started before it, to draw its first report.
    """

    def __init__(self, target: ScriptTarget, rank: Rank | None, prepared: PreparedRenderer | None) -> None:
        self.target = target
        self.name = Path(target.path).name if target.path is not None else str(target.module)
        self.path = Path(target.path or "").absolute()
        self.folder = str(Path.cwd() if target.path is None else self.path.parent)
        self.children = ChildProcesses()
        self.prepared = prepared
        self.process = os.getpid()
        self.rank: ProcessRank | None = None if rank is None else {"number": rank.number, "world": rank.world}

    @property
    def absolute(self) -> str | None:
        """The path, wherever the script has gone since; None for a module."""
        return None if self.target.path is None else str(self.path)

    @property
    def backward_not_called(self) -> str:
        """The end of a sentence: the first line that names `backward` and does not call it; empty if none does."""
        from inspector.user_code.idle_statements import idle_statements

        idle = idle_statements(_source_text(self.path) or "")
        named = next((item for item in idle if (item.kind, item.name) == ("not_called", "backward")), None)
        return "" if named is None else f"; line {named.line} names {named.text} but does not call it"


class _Shown(Struct, frozen=True):
    """What was printed. remarks: on comments in the script."""

    report: Report
    remarks: list[str]


class _Inspection:
    """The inspection, from the script's `import torch` to its end."""

    def __init__(
        self,
        target: ScriptTarget,
        options: Options,
        output: StderrOutput,
        rank: Rank | None = None,
        prepared: PreparedRenderer | None = None,
    ) -> None:
        self.output = output
        self._options = options
        self._script = _Script(target, rank, prepared)
        self._watch = ScriptWatch(options, self._script.folder, self.output)
        self._reports = ReportOutput(options.destination, self.output)
        self._drawing: RenderProcess | None = None
        self._shown: _Shown | None = None
        self._flight = FlightWatch(options.watch, self._script.folder, self._write_now, self._keep)

    def begin(self) -> None:
        """torch was imported: start recording, unless a forked child imports it."""
        if os.getpid() == self._script.process:
            with gc_paused():  # imports make many objects, and a collection visits all of torch's
                self._flight.prepare()
                prepared = self._script.prepared
                self._watch.begin(on_done=self._show, derive=None if prepared is None else prepared.derive)
                if self._script.rank is None:
                    target = replace(self._script.target, path=self._script.absolute)
                    hand_to_spawned(target, self._options, self.output.say)
                    wait_for_rank(target, self._options, {self._script.process})

    def not_watched(self, reason: str) -> None:
        """torch cannot be observed. Reported at once, since the script may run for hours."""
        self.output.say(reason)
        self._watch.abort()

    def leave_to_parent(self) -> None:
        """In a process that the script has forked: report nothing, and leave the drawing to the parent."""
        if self._drawing is not None:
            self._drawing.leave_to_parent()

    @property
    def fails(self) -> bool:
        """Whether `--fail-on` makes the command fail."""
        found = [] if self._shown is None else self._shown.report.findings
        return fails(found, self._options.checks.fail_on)

    def conclude(self, exit: ScriptExit, rank: Rank | None, started: float) -> bool:
        """Finish, then merge what the ranks have written, for rank 0 and for a script that has started ranks.

        started: when this process started. Returns whether `--fail-on` makes the command fail because of a rank.
        """
        names = [] if rank is not None else written_ranks(self._options.destination, started)
        session = self._watch.session
        if names and session is not None and session.ended == 0:
            self._close(session)
        else:
            self.finish(exit)
        if rank is not None and rank.number == 0:
            return conclude(rank, self._options, started, self.output)
        if not names:
            return False
        self.output.say(describe(names, self._options.destination))
        to = self._options.destination
        return to.file is None and merged(to.folder, self._options, started, self.output)

    def _close(self, session: Session) -> None:
        """The script itself has called no backward: report what its ranks have written instead."""
        session.close()
        self._flight.close()
        self._flight.release()
        self._reports.close()

    def finish(self, exit: ScriptExit) -> None:
        """After the script: show what was not shown yet, and complete the report."""
        if (nothing := self._why_nothing(exit)) is not None:
            self.output.say(f"nothing to show: {nothing}")
            self._flight.release()
            return
        session = self._watch.session
        assert session is not None
        session.close()
        self._flight.close()
        if session.failure is not None:
            stopped = "" if session.is_done else ", recording stopped"
            self.output.say(f"internal error{stopped} (your script is not affected): {session.failure}")
        if self._shown is None:
            self._show(exit)
        else:
            self._complete(exit)
        self._flight.release()
        remarks = [] if self._shown is None else self._shown.remarks
        second = "" if self._watch.second is None else self._watch.second.remark()
        own = [second] if second else []
        for remark in (*session.remarks, *remarks, *own):  # writing the report may have added some
            self.output.say(f"note: {remark}")
        self._say_what_is_missing(session, exit)
        self._explain(exit)
        self._end_drawing()
        self.without_fail("no fix was tried", self._mend)
        self.output.show_hint(self._options.hint)
        self._say_what_was_watched(session)
        self._reports.close()

    def _complete(self, exit: ScriptExit) -> None:
        """Add what happened after the watched calls to the report, and print what was found there."""
        assert self._shown is not None
        before = self._shown.report
        script = replace(before.script, exit=_exit_of(exit))
        report = self._flight.completed(replace(before, script=script), ended=True)
        self._shown = replace(self._shown, report=report)
        self._reports.update(report, self._watch.originals)
        if report.timeline is not None:
            new = [finding for finding in report.findings if finding not in before.findings]
            gone = [finding for finding in before.findings if finding not in report.findings]
            self.output.show_timeline(report, new, gone)
        if self._flight.failure is not None:
            self.output.say(f"internal error, steps are no longer recorded: {self._flight.failure}")

    def _keep(self, timeline: Timeline, with_report: bool) -> None:
        """Some time has passed: write the timeline so far, for the case that the process is killed."""

        def write() -> None:
            if with_report and self._shown is not None:
                report = self._flight.completed(self._shown.report, ended=False)
                self._reports.update(report, self._watch.originals)
            self._reports.keep(timeline)
            self.output.line.show(self._script.name, timeline)

        with our_modules():
            self.without_fail("the steps are kept in memory only", write)

    def _write_now(self, follows: str) -> None:
        """A signal: write what is known while the script runs. follows: what happens then, for the message."""
        assert self._shown is not None
        try:
            with our_modules():
                report = self._flight.completed(self._shown.report, ended=False)
                self._reports.update(report, self._watch.originals)
                steps = 0 if report.timeline is None else report.timeline["steps"]
                self.output.show_files(self._reports.files)
                self.output.say(f"{self._script.name} has made {steps:,} steps and {follows}")
        except Exception as error:
            self.output.say(f"internal error (your script is not affected): {type(error).__name__}: {error}")

    def _say_what_was_watched(self, session: Session) -> None:
        """The last line, if the run was not watched in full to its end."""
        watch = self._options.watch
        report = None if self._shown is None else self._shown.report
        calls = f"{session.watched} backward call{'s' * (session.watched != 1)}"
        if report is not None and report.timeline is not None:
            self.output.show_watched(report.timeline)
        elif self._flight.failure is not None:
            self.output.say(f"{calls} recorded in full; later steps are unknown")
        elif watch.second is not None:
            self.output.say(f"{calls} recorded in full, up to step {watch.second.step:,}")
        elif session.is_done and watch.flight.budget == 0 and not watch.stop:
            self.output.say(f"{calls} recorded in full; later steps were not recorded (--budget 0)")

    def _why_nothing(self, exit: ScriptExit) -> str | None:
        """Why nothing was recorded; None if torch was observed."""
        if self._watch.was_aborted:
            return f"{self._script.name} imported torch, but it could not be observed"
        if self._watch.session is not None:
            return None
        if self._watch.second is not None:
            return self._watch.second.remark()
        children = self._script.children.describe()
        without = f"{self._script.name} {'could' if exit.torch_failed else 'did'} not import torch"
        return without if children is None else f"{without}, and {children}"

    def _say_what_is_missing(self, session: Session, exit: ScriptExit) -> None:
        wanted, seen = self._options.watch.backward, session.ended
        calls = f"{seen} backward call{'s' * (seen != 1)}"
        if self._options.watch.drawn([call.index for call in session.calls]):
            return
        if session.failure is not None:  # there may have been others since
            self.output.say(f"nothing to draw: {calls if seen else 'no backward call'} had been recorded by then")
        elif seen == 0:
            name, children = self._script.name, self._script.children.describe()
            ended = "" if exit.exception is None else f" before {name} ended"
            named = self._script.backward_not_called
            self.output.say(f"nothing to draw: backward() was not called{ended}{_itself(name, children)}{named}")
        else:
            name = self._script.name
            self.output.say(f"nothing to draw: there is no backward call {wanted}, {name} made {calls}")

    def _mend(self) -> None:
        """Try the fixes of what was found, for `--mend`."""
        if not self._options.checks.mend or self._shown is None:
            return
        from inspector.commands.mend import mend

        if self._script.target.path is None or not self._script.path.is_file():
            self.output.say("--mend: no fix was tried: it takes a script, not a module or a folder")
            return
        patch, report = self._options.destination.folder / "mend.patch", self._shown.report
        patch.unlink(missing_ok=True)
        for line in mend(report, self._script.target, self._script.path, patch):
            self.output.say(f"--mend: {line}")
        if patch.exists():
            self.output.say(f"wrote {display_path(patch)}: apply it with `patch -p1 < {display_path(patch)}`")

    def _explain(self, exit: ScriptExit) -> None:
        """Explain the exception that ended the script, if it is a known error of torch."""
        from inspector.diagnosis.torch_errors import meaning_of

        meaning = None if exit.exception is None else meaning_of(exit.exception)
        if meaning is not None and exit.exception is not None:
            self.output.say(f"{_raised_at(exit.exception, self._script.folder)}{meaning}")

    def _show(self, exit: ScriptExit | None = None) -> None:
        """Write the report, start drawing and print: after the recorded calls, or at the end of the script."""
        if self._shown is not None or os.getpid() != self._script.process:
            return
        self._watch.checks.run()
        with our_modules(), gc_paused():
            with self.output.progress("checking the gradients"):
                self._shown = self._reported(exit)
            report = self._shown.report
            path = self._reports.write_first(report, self._watch.originals)
            if path is not None:
                self._start_drawing(path, report)
            self.without_fail("the results are not printed", lambda: self._print(report))
        if exit is None and self._watch.session is not None:
            self._flight.begin(self._watch.session)

    def without_fail(self, lost: str, work: Callable[[], None]) -> None:
        """Do work that the report and the pictures can do without. lost: what is missing if it fails."""
        try:
            work()
        except Exception as error:
            self.output.say(f"{lost}: internal error, {type(error).__name__}: {error}")

    def _reported(self, exit: ScriptExit | None) -> _Shown:
        from inspector.diagnosis import diagnose_report
        from inspector.recording.session import recording_of
        from inspector.report import Report, ScriptRun
        from inspector.user_code.script_title import script_title

        session = self._watch.session
        assert session is not None
        second = self._watch.second
        calls = list(session.calls if second is None else second.calls)
        remarks = _name_by_comments(calls, self._script.path)
        findings, checked = self._watch.checks.rows(calls)
        title = script_title(_source_text(self._script.path) or "")
        report = Report(
            script=ScriptRun(self._script.name, _exit_of(exit), title, self._script.rank),
            recording=recording_of(session, []),
            calls=calls,
            inventory=session.inventory,
            events=session.events,
            findings=findings,
            checked=checked,
        )
        try:
            report = diagnose_report(report)
        except Exception as error:
            self.output.say(f"the gradients were not checked: internal error, {type(error).__name__}: {error}")
        first = first_call(report.findings) or session.first_trained
        if second is not None and calls:
            first = first_call(report.findings) or calls[-1].index
        drawn = self._options.watch.drawn([call.index for call in calls], first)
        return _Shown(replace(report, recording=recording_of(session, drawn)), remarks)

    def _start_drawing(self, path: Path, report: Report) -> None:
        from inspector.commands.render_subprocess import RenderProcess

        drawn = report.recording["drawn"]
        if not self._options.destination.formats or not any(call.index in drawn for call in report.calls):
            return
        options = replace(self._options, draw=replace(self._options.draw, folder=Path(self._script.folder)))
        try:
            self._drawing = RenderProcess(path, options, self._script.prepared)
        except OSError as error:
            self.output.say(f"no picture: cannot start a process to draw it: {reason(error)}")

    def _draw_timeline(self) -> None:
        """Start drawing the timeline, once the other pictures are finished."""
        options, path = self._options, self._options.destination.report
        timeline = None if self._shown is None else self._shown.report.timeline
        self._drawing = None
        if timeline is None or timeline["steps"] < LEAST_DRAWN or path is None:
            return
        from inspector.commands.export_figures import can_hold_timeline  # imports all that draws
        from inspector.commands.render_subprocess import RenderProcess

        formats = tuple(
            format for format in options.destination.formats if format == "html" or can_hold_timeline(format)
        )
        if not formats:
            return
        destination = replace(options.destination, formats=formats)
        look = replace(options.draw, further=FurtherFigures(timeline=True), folder=Path(self._script.folder))
        wanted = replace(options, draw=look, destination=destination)
        try:
            self._drawing = RenderProcess(path, wanted)
        except OSError as error:
            self.output.say(f"no picture: cannot start a process to draw it: {reason(error)}")

    def _print(self, report: Report) -> None:
        from inspector.terminal.print_call import Shown

        checks = self._options.checks
        shown = Shown(
            report.recording["drawn"],
            checked=checks.derivatives,
            has_report=bool(self._reports.files),
        )
        commands = () if checks.annotate is None else workflow_commands(report.findings, self._script.folder)
        self.output.show_report(report, shown, self._watch.checks.gradchecks, commands)

    def _end_drawing(self) -> None:
        """Wait for the pictures, and print which files were written."""
        files = list(self._reports.files)
        self._wait_for_pictures(files)
        if self._reports.files:
            self._draw_timeline()
            self._wait_for_pictures(files)
        self.output.show_files(files)
        if self._options.opens:
            from inspector.commands.open_page import open_page

            open_page(files)

    def _wait_for_pictures(self, files: list[Path]) -> None:
        """Wait for the process that draws, if there is one. files: receives what it wrote."""
        with self.output.progress("drawing"):
            failure = None if self._drawing is None else self._drawing.wait()
        if failure is not None:
            report = self._options.destination.report
            kept = f"; the numbers are in {display_path(report)}" if report is not None else ""
            self.output.say(f"no picture: {failure}{kept}")
        elif self._drawing is not None:
            files += [file for file in self._drawing.files if file not in files]
            for remark in self._drawing.remarks:
                self.output.say(f"note: {remark}")


def _itself(name: str, children: str | None) -> str:
    """The end of a sentence on what the script did not do. children: what is said of its processes, if any."""
    return "" if children is None else f" in {name} itself, and {children}; train in one process to inspect it"


def _raised_at(error: BaseException, folder: str) -> str:
    """`train.py:7: `, the innermost line of the traceback in the script's folder; empty if none is there."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(Path(path).name, line) for path, line in frames if str(Path(path).parent) == folder]
    return f"{own[-1][0]}:{own[-1][1]}: " if own else ""


def _exit_of(exit: ScriptExit | None) -> ReportExit:
    """How the script ended, for the report; None while it runs."""
    return {
        "status": None if exit is None else exit.status,
        "exception": None if exit is None else exit.describe(),
    }


def _source_text(script: Path) -> str | None:
    """The text of a script; None if it cannot be read."""
    try:
        with tokenize.open(script) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _name_by_comments(calls: list[BackwardCall], script: Path) -> list[str]:
    """Give tensors the names from the script's comments (`# inspect: w0 = w_0`), for figures.

    Returns a remark for each comment that has no effect.
    """
    from inspector.runscript.name_comments import drawn_names

    source = _source_text(script)
    if source is None:
        return []  # a module, or a script that is gone by now
    names, remarks = drawn_names(source) if "inspect:" in source else ({}, [])
    unused = set(names)
    for call in calls if names else []:
        for _, tensor in call.graph.tensors():
            if tensor["name"] in names:
                tensor["symbol"] = names[tensor["name"]]
                unused.discard(tensor["name"])
    return remarks + [
        f"a comment writes {name} as {names[name]}, but no tensor is called {name}" for name in sorted(unused)
    ]
