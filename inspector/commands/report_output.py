"""Write the report of an inspection, to the output folder or to a temporary one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.commands.options import Destination
from inspector.commands.output_folder import cannot_write, open_folder
from inspector.commands.stderr_output import StderrOutput

if TYPE_CHECKING:
    from inspector.report import Report
    from inspector.report.originals import Original
    from inspector.report.rewritten_file import RewrittenFile
    from inspector.report.timeline import Timeline

_OTHER_FOLDER = "choose another folder with --output"
_OLD = "it holds what was known before"
_OTHER_TEMPORARY = "set TMPDIR to use another folder for temporary files"


class ReportOutput:
    """Writes report.json, and prints an error if it cannot.

    A single picture (`--output z.svg`) is drawn from a report in a temporary folder, which lives until `close`.
    """

    def __init__(self, destination: Destination, output: StderrOutput) -> None:
        self.files: list[Path] = []
        """The files written so far, without temporary ones."""
        self._destination = destination
        self._output = output
        self._cannot_keep = False
        self._file: RewrittenFile | None = None
        self._remove_temporary: Callable[[], object] = lambda: None

    def write_first(self, report: Report, originals: Mapping[int, Original]) -> Path | None:
        """Write the report for the first time; returns its path, or None if it cannot be written.

        originals: torchviz's pictures, by backward call.
        """
        from inspector.report.originals import originals_path

        path = self._open_destination()
        if path is None or not self._write(report, path, originals):
            return None
        if self._destination.report is not None:
            self.files += [path, *([originals_path(path)] if originals else ())]
        return path

    def update(self, report: Report, originals: Mapping[int, Original]) -> None:
        """Write the report again, unless it is temporary or could not be written the first time.

        Where this fails, the report and the timeline that was kept stay as they are.
        """
        path = self._destination.report
        if self.files and path is not None and self._write(report, path, originals):
            self._remove_kept()

    def keep(self, timeline: Timeline) -> None:
        """Write a timeline beside the report, until `update` is called. Where this fails, nothing more is kept."""
        from inspector.report.kept_timeline import keep_timeline

        if not self.files or self._destination.report is None or self._cannot_keep:
            return
        try:
            keep_timeline(timeline, self._destination.report)
        except OSError as error:
            self._cannot_keep = True
            self._output.say(f"{cannot_write(error, self._destination.report)}; the steps are kept in memory only")

    def _remove_kept(self) -> None:
        from inspector.report.kept_timeline import kept_path

        if self._destination.report is not None:
            with contextlib.suppress(OSError):
                kept_path(self._destination.report).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the temporary folder."""
        self._remove_temporary()

    def _open_destination(self) -> Path | None:
        """The path of the report; None if its folder cannot be created."""
        destination = self._destination
        try:
            if destination.report is not None:
                open_folder(destination.folder)
                return destination.report
            folder = tempfile.mkdtemp(prefix="inspect-")
            self._remove_temporary = weakref.finalize(self, _remove, folder, os.getpid())
            return Path(folder) / "report.json"
        except OSError as error:
            self._complain(error, destination.folder)
            return None

    def _write(self, report: Report, path: Path, originals: Mapping[int, Original]) -> bool:
        """Whether the report was written."""
        from inspector.report.originals import save_originals
        from inspector.report.rewritten_file import RewrittenFile

        try:
            with self._output.progress(f"writing {path.name}"):
                self._file = self._file or RewrittenFile(path)
                self._file.write(report)
                if originals:
                    save_originals(originals, path)
        except OSError as error:
            self._complain(error, path)
            return False
        return True

    def _complain(self, error: OSError, path: Path) -> None:
        advice = _OTHER_TEMPORARY if self._destination.report is None else _OLD if self.files else _OTHER_FOLDER
        self._output.say(f"{cannot_write(error, path)}; {advice}")


def _remove(folder: str, process: int) -> None:
    """Remove the temporary folder of a process, unless this is another one that the script has forked."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
