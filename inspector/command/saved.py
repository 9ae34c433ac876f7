"""`inspect SAVED.json`: draw a saved inspection again. Nothing is run, and torch is not imported."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from inspector.command.drawing import FILE, REMARK
from inspector.command.findings import FOUND, fails
from inspector.command.folder import shown
from inspector.command.options import Options
from inspector.command.pictures import write_pictures
from inspector.diagnosis import diagnosed
from inspector.diagnosis.marks import mark
from inspector.graph.unscaled import unscaled
from inspector.layout import LayoutFailed, TooManyBoxes
from inspector.report import BackwardCall, Report, ReportError, load

FAILED = 1
USAGE = 2
INTERRUPTED = 130


def draw_saved(path: str, options: Options, *, quiet: bool = False) -> int:
    """Draw the calls of a report that are asked for; the exit status.

    quiet: print nothing but what goes wrong and which files there are, a line each (for the inspection, which has
    printed the rest).
    """
    from inspector.terminal import stderr_console
    from inspector.terminal.progress import working

    status = 0
    try:
        with working(stderr_console(), "reading"):
            report = diagnosed(load(path))
            mark(report)
        for call in _asked_for(report, options):
            status = max(status, _draw(report, call, options, quiet=quiet))
    except (ReportError, LookupError) as error:
        return _complain(str(error.args[0]), USAGE)
    except KeyboardInterrupt:  # every file is whole, or not there
        return _complain("interrupted: the pictures are not finished", INTERRUPTED)
    return FOUND if status == 0 and fails(report.findings, options.checks.fail_on) else status


def _asked_for(report: Report, options: Options) -> list[BackwardCall]:
    indexes = [call.index for call in report.calls]
    wanted = options.watch.drawn(indexes) if options.watch.backward else report.recording["drawn"]
    calls = [call for call in report.calls if call.index in wanted]
    if not calls:
        held = f"it holds {', '.join(map(str, indexes))}" if indexes else "it holds none"
        asked = f" {options.watch.backward}" if options.watch.backward else ""
        raise LookupError(f"{report.script}: no backward call{asked} in this report: {held}")
    return calls


def _draw(report: Report, call: BackwardCall, options: Options, *, quiet: bool) -> int:
    from inspector.terminal import show, show_check, stderr_console
    from inspector.terminal.progress import working

    try:
        with working(stderr_console(), "drawing"):
            drawn = replace(call, graph=unscaled(call.graph, call.setting.scale))
            written = write_pictures(drawn, options.destination, options.look)
    except ValueError as error:  # a path between tensors that are not there
        return _complain(str(error), USAGE)
    except (TooManyBoxes, LayoutFailed) as error:
        return _complain(f"backward call {call.index} is not drawn: {error}", FAILED)
    except OSError as error:
        return _complain(f"cannot write {error.filename}: {error.strerror}", FAILED)
    for remark in written.remarks:
        print(f"{REMARK}{remark}", file=sys.stderr)
    if quiet:
        for file in written.files:
            print(f"{FILE}{json.dumps(str(file))}", file=sys.stderr)
    else:
        show(stderr_console(), report, call, [shown(file) for file in written.files])
        if options.checks.derivatives:
            show_check(stderr_console(), call.graph)
    return 0


def _complain(message: str, status: int) -> int:
    print(f"inspect: {message}", file=sys.stderr)
    return status
