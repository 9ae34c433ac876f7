"""`--again` and `--at STEP`: which step a second run records in full, and what the first run knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.commands.options import FlightOptions, OptionError, Options, SecondRun
from inspector.commands.output_folder import display_path
from inspector.runscript import ScriptTarget

if TYPE_CHECKING:
    from inspector.report import Report
    from inspector.report.timeline import Timeline

_PREVIOUS = "previous.json"


def second_run(target: ScriptTarget, options: Options) -> Options:
    """The options with the step that `--again` or `--at` means; unchanged without either.

    Raises OptionError if there is no such step.
    """
    watch = options.watch
    if not watch.again and watch.at is None:
        return options
    path = options.destination.report
    if path is None:
        raise OptionError("--again and --at write a report: --output must be a folder")
    name = Path(target.path).name if target.path is not None else str(target.module)
    if watch.at is not None:
        try:
            second = SecondRun(watch.at, _last_timeline(path, name))
        except OptionError:
            second = SecondRun(watch.at)
    else:
        timeline = _last_timeline(path, name)
        from inspector.report.timeline import first_step

        step = first_step(timeline["triggers"])
        if step is None:
            steps = f"{timeline['steps']:,} steps"
            raise OptionError(f"nothing went wrong in the {steps} of the last run; give --at STEP")
        second = SecondRun(step, timeline)
    return replace(options, watch=replace(watch, second=second, flight=FlightOptions(budget=0.0)))


def _last_timeline(path: Path, name: str) -> Timeline:
    """The timeline of the last run of a script that has one. Raises OptionError if there is none."""
    report = _read(path)
    if report.timeline is None and path.with_name(_PREVIOUS).exists():
        report = _read(path.with_name(_PREVIOUS))  # the last run was such a second one
    if report.script.name != name:
        other = report.script.name
        raise OptionError(f"{display_path(path)} is a report of {other}, not of {name}; give --at STEP")
    if report.timeline is None:
        raise OptionError(f"{display_path(path)} has no timeline: no step was recorded; give --at STEP")
    return report.timeline


def _read(path: Path) -> Report:
    from inspector.report import ReportError, load

    if not path.exists():
        missing = f"no {display_path(path)}"
        raise OptionError(f"{missing}: run the script without --again first, or give --at STEP")
    try:
        return load(path)
    except (OSError, ReportError) as error:
        raise OptionError(f"{display_path(path)}: {error}") from None
