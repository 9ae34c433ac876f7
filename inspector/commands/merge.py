"""`inspect merge FOLDER`: one report and one picture of the ranks of a distributed run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from inspector.commands.ci_annotations import FOUND, fails
from inspector.commands.export_figures import write_pictures
from inspector.commands.options import Options
from inspector.commands.output_folder import cannot_write
from inspector.commands.render_subprocess import TIME_LIMIT, inspect_command
from inspector.commands.stderr_output import StderrOutput
from inspector.diagnosis.mark_graph import mark_graph
from inspector.export import WRITERS
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.merging import Merged, merge_reports, to_json
from inspector.merging.bucket_text import waiting_texts
from inspector.merging.merge import rank_folders
from inspector.merging.merged_run import CallSpread
from inspector.merging.ranges import write_ranges
from inspector.merging.row_types import MergedRows
from inspector.merging.rules.rule import rank_list
from inspector.report import Report, ReportError, load
from inspector.util.atomic_write import write_bytes_atomically
from inspector.util.child_python import child_environment

USAGE = 2
FAILED = 1
PATIENCE = 5.0
"""Seconds that rank 0 waits for the reports of the others, once its own script has ended."""
_POLL = 0.1


def merge(names: Sequence[str], options: Options, since: float | None = None) -> int:
    """The command: merge the reports in the one named folder; return the exit status.

    since: when the run started whose ranks may not have ended yet; None for a run that has ended.
    """
    output = StderrOutput()
    if len(names) != 1:
        output.say(f"merge takes one folder, the output folder of a run with several ranks; got {len(names)}")
        return USAGE
    folder = Path(names[0])
    if not folder.is_dir():
        output.say(f"{folder} is not a folder; merge takes the output folder of a run with several ranks")
        return USAGE
    numbers, remarks = (None, list[str]()) if since is None else wait_for_ranks(folder, since)
    return merge_folder(folder, options, output, remarks, numbers)


def merge_run(folder: Path, options: Options, started: float) -> int | None:
    """For rank 0 at the end of a run: merge in a child process, where Graphviz cannot crash the script's.

    started: when the run started. Returns the exit status, None if there is none.
    """
    to = replace(options, destination=replace(options.destination, folder=folder))
    limits = "--since", str(started), "merge", str(folder)
    command = inspect_command(to, f"--fail-on={options.checks.fail_on}", *limits)
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=child_environment(),
            timeout=PATIENCE + TIME_LIMIT,
            check=False,
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return None


def merge_folder(
    folder: Path,
    options: Options,
    output: StderrOutput,
    remarks: Sequence[str] = (),
    numbers: Sequence[int] | None = None,
) -> int:
    """Merge the reports of the ranks in a folder, write merged.json and a picture, and print what was found.

    remarks, numbers: see `merge_reports`. Returns the exit status.
    """
    try:
        merged = merge_reports(folder, remarks, numbers)
        path = folder / "merged.json"
        write_bytes_atomically(path, to_json(merged.rows).encode("utf-8", errors="backslashreplace"))
        files = [path]
        report = _drawn(merged)
        output.show_merged(merged.rows, report)
        if report is not None:
            files += _draw(report, folder, _with_notes(options, merged.rows, report.calls[0].index), output)
    except ReportError as error:
        output.say(str(error))
        return USAGE
    except OSError as error:
        output.say(cannot_write(error, folder))
        return FAILED
    output.show_files(files)
    return FOUND if fails([*merged.rows["findings"]], options.checks.fail_on) else 0


def wait_for_ranks(folder: Path, since: float) -> tuple[list[int], list[str]]:
    """The ranks of this run whose reports are there, after up to PATIENCE seconds, and a remark on the others.

    since: when this run started; older reports are of an earlier one.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        reports = {number: path / "report.json" for number, path in rank_folders(folder).items()}
        heads = {number: head for number, path in reports.items() if (head := _head(path, since)) is not None}
        world = max((head.rank.get("world", 1) for head in heads.values()), default=1)
        running = [number for number in range(world) if number not in heads or not heads[number].has_ended]
        if not running or time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    there = [number for number in heads if number < world]
    unended = [number for number in running if number in there]
    absent = [number for number in running if number not in there]
    remarks = [f"{rank_list(unended)} had not ended: merged with what was written so far"] if unended else []
    remarks += [f"{rank_list(absent)} wrote no report: merged without"] if absent else []
    return there, remarks


class _Head(msgspec.Struct):
    """The keys of a report that say whether its script has ended."""

    exit: dict[str, int | str | None]
    rank: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        return self.exit.get("status") is not None


def _head(path: Path, since: float) -> _Head | None:
    """The head of the report of a rank of this run; None if there is none yet."""
    try:
        return None if path.stat().st_mtime < since else msgspec.json.decode(path.read_bytes(), type=_Head)
    except (OSError, msgspec.DecodeError):
        return None


def _drawn(merged: Merged) -> Report | None:
    """The report to draw: of the rank with the most Nodes in the first call with a finding, with the ranges over
    all ranks in its graph. None if no rank has recorded a call."""
    run, findings = merged.run, merged.rows["findings"]
    if not run.calls:
        return None
    index = next((item.backward_call for item in findings if item.backward_call), min(run.calls))
    call: CallSpread = run.calls.get(index) or run.ordered[0]
    rank = max(call.graphs.items(), key=lambda item: (item[0][1], -item[1][0]))[1][0]
    report = load(merged.folders[rank] / "report.json")
    calls = [item for item in report.calls if item.index == call.index]
    title = f"{rank_list([row['number'] for row in merged.rows['ranks']])} of {merged.rows['world']}"
    title += "" if len(call.graphs) == 1 else f", Nodes of rank {rank}"
    script = replace(report.script, title=f"{report.script.name}: {title}")
    report = replace(report, findings=[*findings], calls=calls, script=script)
    for item in report.calls:
        write_ranges(item.graph, call)
    mark_graph(report)
    return report


def _with_notes(options: Options, rows: MergedRows, call: int) -> Options:
    """The options with a note in the picture for each bucket of a call that waits for another one."""
    texts = [text for row in rows["backward_calls"] if row["index"] == call for text in waiting_texts(row)]
    presentation = replace(options.draw.presentation, notes=tuple(texts))
    return replace(options, draw=replace(options.draw, presentation=presentation))


def _draw(report: Report, folder: Path, options: Options, output: StderrOutput) -> list[Path]:
    """Write the picture of a merged report; the files."""
    presentation = replace(options.draw.presentation, title=report.script.title)
    look = replace(options.draw, presentation=presentation)
    formats = [name for name in options.destination.formats if WRITERS[name].holds in ("picture", "pages")]
    files: list[Path] = []
    for name in formats:
        file = options.destination.file or folder / f"merged{WRITERS[name].suffix}"
        destination = replace(options.destination, folder=file.parent, file=file, formats=(name,))
        for call in report.calls:
            try:
                files += write_pictures(call, destination, look, report=report).files
            except (TooManyBoxes, LayoutFailed, ValueError) as error:
                output.say(f"no picture: {error}")
    return files
