"""`inspect REPORT.json`: draw a saved report again, without running the script or importing torch."""

from __future__ import annotations

import gc
import json
from pathlib import Path

from msgspec.structs import replace

from inspector.commands.ci_annotations import FOUND, fails
from inspector.commands.export_figures import write_pictures, write_timeline, write_together
from inspector.commands.open_page import open_page
from inspector.commands.options import ORIGINAL, Options
from inspector.commands.output_folder import cannot_write, display_path
from inspector.commands.render_subprocess import FILE, REMARK
from inspector.diagnosis import RULES, diagnose_report
from inspector.diagnosis.mark_graph import mark_graph
from inspector.graph.grad_scale import without_grad_scale
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.page import write_index
from inspector.report import BackwardCall, Report, ReportError, load
from inspector.report.originals import Original, load_originals, original_of
from inspector.report.timeline import NOT_RECORDED
from inspector.util.atomic_write import write_bytes_atomically
from inspector.util.gc_pause import gc_paused
from inspector.util.stderr import discard, say, stderr

FAILED = 1
USAGE = 2
_INTERNAL = (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RecursionError)
"""Exceptions that no option and no report should lead to."""
INTERRUPTED = 130


def draw_saved(path: str, options: Options, *, quiet: bool = False) -> int:
    """Draw the selected calls of a report; return the exit status.

    quiet: print only errors and the names of the files written, one per line (for an inspection that has printed
    everything else).
    """
    if not options.destination.formats:
        advice = "choose the format of a picture or a page with --format"
        return _complain(f"{path} is a report already: {advice}", USAGE)
    status, files = 0, list[Path]()
    try:
        report = _read(path, is_new=quiet)
        options = _titled(options, report.script.title)
        if options.draw.further.timeline:
            return _draw_timeline(report, options, quiet=quiet)
        calls = _selected(report, options)
        originals = load_originals(Path(path)) if ORIGINAL in options.destination.formats else {}
        together = options.draw.further.together and len(calls) > 1
        if together:
            status = _draw_together(calls, options, files)
        for call in () if together and options.destination.file else calls:
            original = original_of(originals, call.index)
            status = max(status, _draw(call, options, files, original, report))
        if status == 0:
            _write_index(report, options, files)
    except (ReportError, LookupError, ValueError) as error:  # ValueError: an unknown path
        return _complain(str(error.args[0]), USAGE)
    except OSError as error:
        return _complain(cannot_write(error, options.destination.folder), FAILED)
    except KeyboardInterrupt:  # files are written atomically
        return _complain("interrupted before the pictures were finished", INTERRUPTED)
    if quiet:
        _print_files(files)
    else:
        _show(report, calls, files, options)
    return FOUND if status == 0 and fails(report.findings, options.checks.fail_on) else status


@gc_paused()
def _read(path: str, *, is_new: bool) -> Report:
    """The report with its findings. Raises ReportError. is_new: an inspection has just written it, with them."""
    from inspector.terminal import stderr_console
    from inspector.terminal.progress import working

    with working(stderr_console(), "reading"):
        report = load(path) if is_new else diagnose_report(load(path))
        mark_graph(report)
    gc.freeze()  # the report lives as long as the process: collections need not visit its millions of objects
    return report


def _titled(options: Options, title: str) -> Options:
    """The options with the title of the figures."""
    presentation = replace(options.draw.presentation, title=title)
    return replace(options, draw=replace(options.draw, presentation=presentation))


def _show(report: Report, calls: list[BackwardCall], files: list[Path], options: Options) -> None:
    """Print what was drawn, and open the page if that was asked for."""
    from inspector.terminal import show, stderr_console
    from inspector.terminal.print_call import Shown

    names = [display_path(file) for file in files]
    drawn = Shown([call.index for call in calls], names, options.checks.derivatives)
    try:
        show(stderr_console(), report, drawn)
    except OSError:  # stderr is full, or its reader is gone
        discard(stderr())
    if options.opens:
        open_page(files)


def _draw_timeline(report: Report, options: Options, *, quiet: bool) -> int:
    """Draw the timeline; return the exit status. Raises ValueError if there is none."""
    from inspector.terminal import show_files, show_timeline, show_watched, stderr_console

    if report.timeline is None:
        raise ValueError(f"{report.script.name}: no timeline in this report: {NOT_RECORDED}")
    try:
        written = write_timeline(report, options.destination, options.draw)
    except OSError as error:
        return _complain(cannot_write(error, options.destination.folder), FAILED)
    for remark in written.remarks:
        _print(f"{REMARK}{remark}")
    if quiet:  # at the end of a run, whose pages were written before its steps were known
        _print_files([*written.files, *_with_the_run(report, options)])
        return 0
    late = {call.index for call in report.calls if call.setting.step is not None}
    timed = [
        finding
        for finding in report.findings
        if "timeline" in RULES[finding.rule].needs or finding.backward_call in late
    ]
    try:
        show_timeline(stderr_console(), report, timed)
        show_files(stderr_console(), [display_path(file) for file in written.files])
        show_watched(stderr_console(), report.timeline)
    except OSError:  # stderr is full, or its reader is gone
        discard(stderr())
    return FOUND if fails(report.findings, options.checks.fail_on) else 0


def _with_the_run(report: Report, options: Options) -> list[Path]:
    """Write the pages of the drawn calls and the index again, now with the steps of the run."""
    if options.destination.file is not None or "html" not in options.destination.formats:
        return []
    destination = replace(options.destination, formats=("html",))
    files: list[Path] = []
    try:
        for call in _selected(report, options):
            files += write_pictures(call, destination, options.draw, report=report).files
        names = [*(file.stem for file in files), "timeline"] if "svg" in options.destination.formats else []
        pictures = [destination.folder / f"{name}.svg" for name in names]
        _write_index(report, options, [*files, *pictures])
    except (OSError, ValueError, LayoutFailed, TooManyBoxes):  # the pages written before remain
        return []
    return files


def _print_files(files: list[Path]) -> None:
    for file in files:
        _print(f"{FILE}{json.dumps(str(file))}")


def _selected(report: Report, options: Options) -> list[BackwardCall]:
    indexes = [call.index for call in report.calls]
    wanted = options.watch.drawn(indexes) if options.watch.backward else report.recording["drawn"]
    calls = [call for call in report.calls if call.index in wanted]
    if not calls:
        held = f"it has {', '.join(map(str, indexes))}" if indexes else "it has none"
        asked = f" {options.watch.backward}" if options.watch.backward else ""
        raise LookupError(f"{report.script.name}: no backward call{asked} in this report: {held}")
    return calls


@gc_paused()
def _draw(
    call: BackwardCall, options: Options, files: list[Path], original: Original, report: Report
) -> int:
    """Draw one call and add the files written to `files`; return the exit status."""
    from inspector.terminal import stderr_console
    from inspector.terminal.progress import working

    try:
        with working(stderr_console(), "drawing"):
            drawn = replace(call, graph=without_grad_scale(call.graph, call.setting.scale))
            written = write_pictures(drawn, options.destination, options.draw, original, report)
    except (TooManyBoxes, LayoutFailed) as error:
        return _complain(f"backward call {call.index} cannot be drawn: {error}", FAILED)
    except OSError as error:
        return _complain(cannot_write(error, options.destination.folder), FAILED)
    except _INTERNAL as error:  # the other calls may still be drawn
        reason = f"internal error, {type(error).__name__}: {error}"
        return _complain(f"backward call {call.index} cannot be drawn: {reason}", FAILED)
    for remark in written.remarks:
        _print(f"{REMARK}{remark}")
    files += written.files
    return 0


def _draw_together(calls: list[BackwardCall], options: Options, files: list[Path]) -> int:
    """Draw the calls in one figure and add the files written to `files`; return the exit status."""
    try:
        drawn = [replace(call, graph=without_grad_scale(call.graph, call.setting.scale)) for call in calls]
        written = write_together(drawn, options.destination, options.draw)
    except (TooManyBoxes, LayoutFailed) as error:
        return _complain(f"the backward calls cannot be drawn together: {error}", FAILED)
    for remark in written.remarks:
        _print(f"{REMARK}{remark}")
    files += written.files
    return 0


def _write_index(report: Report, options: Options, files: list[Path]) -> None:
    """Write `index.html`, if the folder has pages."""
    names = [file.name for file in files]
    if options.destination.file is None and "html" in options.destination.formats:
        path = options.destination.folder / "index.html"
        pages = [name for name in names if name.endswith(".html")]
        write_bytes_atomically(path, write_index(report, pages, [name for name in names if name.endswith(".svg")]))
        files.append(path)


def _complain(message: str, status: int) -> int:
    say(message)
    return status


def _print(line: str) -> None:
    print(line, file=stderr())
