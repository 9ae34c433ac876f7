"""What an inspection prints on stderr, while a script runs that may redirect or close its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.commands.output_folder import display_path
from inspector.commands.progress_line import ProgressLine
from inspector.runscript import our_modules
from inspector.util.stderr import say, stderr, without_bars

if TYPE_CHECKING:
    from inspector.merging.row_types import MergedRows
    from inspector.recording.gradcheck import FunctionCheck
    from inspector.report import Finding, Report
    from inspector.report.timeline import Timeline
    from inspector.terminal.print_call import Shown


class StderrOutput:
    """Prints on the stderr that the command started with.

    silent: print nothing, as one of several processes whose texts would interleave.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._stream = stderr(silent=silent)
        self.line = ProgressLine(self._stream)

    def say(self, line: str) -> None:
        """Print one line."""
        say(line, self._stream)

    @contextlib.contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """A progress indicator for slow work, with the inspector's own modules importable meanwhile."""
        with our_modules():
            from inspector.terminal import stderr_console
            from inspector.terminal.progress import working

            with working(stderr_console(self._stream), text):
                yield

    def show_report(
        self, report: Report, shown: Shown, gradchecks: Sequence[FunctionCheck] | None, annotations: Iterable[str]
    ) -> None:
        """Print a report.

        gradchecks: the results of `--gradcheck`, None without it. annotations: lines for a CI service.
        """
        from inspector.terminal import show, show_gradcheck, stderr_console

        console = stderr_console(self._stream)
        with self._printing():
            show(console, report, shown)
            if gradchecks is not None:
                show_gradcheck(console, gradchecks)
            for line in annotations:
                print(line, file=self._stream)

    def show_merged(self, rows: MergedRows, report: Report | None) -> None:
        """Print a merged report. report: with its findings; None if no call was recorded."""
        from inspector.terminal import stderr_console
        from inspector.terminal.merged_ranks import show_merged

        with self._printing():
            show_merged(stderr_console(self._stream), rows, report)

    def show_files(self, paths: Sequence[Path]) -> None:
        """Print which files were written."""
        from inspector.terminal import show_files, stderr_console

        with self._printing():
            show_files(stderr_console(self._stream), [display_path(path) for path in paths])

    def show_timeline(self, report: Report, found: Sequence[Finding], gone: Sequence[Finding]) -> None:
        """Print what happened after the watched calls. found: the findings that were not printed yet. gone: those
        that were printed and that later steps refute."""
        from inspector.terminal import show_timeline, stderr_console

        with self._printing():
            show_timeline(stderr_console(self._stream), report, found, gone)

    def show_watched(self, timeline: Timeline) -> None:
        """Print how much of the run was watched, as the last line."""
        from inspector.terminal import show_watched, stderr_console

        with self._printing():
            show_watched(stderr_console(self._stream), timeline)

    def show_hint(self, hint: str) -> None:
        """Print a hint, unless it is empty."""
        from inspector.terminal import show_hint, stderr_console

        if hint:
            with self._printing():
                show_hint(stderr_console(self._stream), hint)

    @contextlib.contextmanager
    def _printing(self) -> Iterator[None]:
        """Print clear of the script's bars, unless it has closed stderr, or its reader is gone."""
        with contextlib.suppress(ValueError, OSError), without_bars(self._stream):
            yield
