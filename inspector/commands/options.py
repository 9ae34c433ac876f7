"""Typed options of the command line. Imports neither torch nor drawing code: `inspect --help` must be fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from inspector.export import WRITERS, format_of
from inspector.export.optional_dependency import MissingExtra
from inspector.options.choices import Annotate, Depth, FailOn, Mode, Text, Theme
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import Presentation

if TYPE_CHECKING:
    from inspector.report.timeline import Timeline

REPORT = "json"
"""The format that is always written: alone, nothing is drawn."""
FORMATS = (*WRITERS, REPORT)
ORIGINAL = "torchviz"
"""The format drawn by torchviz itself, while the script runs."""
DEFAULT_FORMATS = ("svg", "html")
DEFAULT_FOLDER = "inspect-out"
DEFAULT_WATCH = 3
DEFAULT_BUDGET = 0.03
"""The share of the time after the watched calls that recording the other steps may take."""


class FurtherFigures(Struct, frozen=True):
    """What to draw besides the figure of a call.

    plot: curves with tangents. together: all these calls in one figure. timeline: of a saved report, in place of
    all others.
    """

    plot: bool = False
    together: bool = False
    timeline: bool = False


class DrawOptions(Struct, frozen=True):
    """What figures look like and what they show (`figure`).

    theme: of the pictures; a page follows the reader's system unless it is dark.
    presentation: the steps, words and colours. folder: the script's folder, for its title and the source listing
    beside the graph; None if unknown. transparent: no ground in svg and png.
    """

    theme: Theme = "light"
    text: Text = "path"
    figure: FigureOptions = field(default_factory=FigureOptions)
    presentation: Presentation = field(default_factory=Presentation)
    depth: Depth = "auto"
    folder: Path | None = None
    further: FurtherFigures = FurtherFigures()
    transparent: bool = False


class CheckOptions(Struct, frozen=True):
    """Additional checks, and what to do with findings.

    derivatives: compare each leaf's derivative by rules, autograd and finite differences.
    functions: run gradcheck on custom Functions.
    mend: try the fixes of the findings in a copy of the script.
    independence: the dimension of the samples that must not depend on one another; None: not checked.
    fail_on: lowest severity that gives exit status 3. annotate: the CI service to print annotations for, or None.
    """

    derivatives: bool = False
    functions: bool = False
    mend: bool = False
    independence: int | None = None
    fail_on: FailOn = "never"
    annotate: Annotate | None = None


class FlightOptions(Struct, frozen=True):
    """How to record the steps after the watched calls.

    budget: the share of the run's time that it may take; 0: no recording.
    breaks: what to stop at in a debugger: "nan", "spike", or the name of a parameter or module.
    """

    budget: float = DEFAULT_BUDGET
    breaks: str | None = None


class SecondRun(Struct, frozen=True):
    """The step to record in full. first: the timeline of the first run; None if there is none."""

    step: int
    first: Timeline | None = None


class WatchOptions(Struct, frozen=True):
    """Which backward calls to record, and which to draw.

    backward: a number as text, "all" or "last"; None for the first call with a finding, or that trains.
    limit: number of calls that train that are recorded. record: how to record the forward of the first call.
    stop: whether to end the script after these calls. flight: else, how to go on.
    again, at: record only the steps up to that of the last run's first trigger, or up to a step. second: that one.
    """

    backward: str | None = None
    limit: int = DEFAULT_WATCH
    stop: bool = False
    record: Mode = "full"
    again: bool = False
    at: int | None = None
    second: SecondRun | None = None
    flight: FlightOptions = FlightOptions()

    @property
    def calls(self) -> int | None:
        """Number of calls that train that are recorded; None to record all calls until the script ends."""
        return None if self.backward == "last" else self.limit

    @property
    def wanted(self) -> int:
        """The index of the call that must be recorded."""
        return int(self.backward) if self.backward is not None and self.backward.isdigit() else 1

    def is_drawn(self, index: int) -> bool:
        """Whether a call may be drawn, before all calls are known."""
        return self.backward in ("all", "last") or index == self.wanted

    def drawn(self, indexes: list[int], first: int | None = None) -> list[int]:
        """Select the calls to draw from the recorded `indexes`.

        first: the call to draw by default; None for the first of all.
        """
        if self.backward == "all":
            return indexes
        if self.backward == "last":
            return indexes[-1:]
        wanted = self.wanted if self.backward is not None else first or next(iter(indexes), 1)
        return [index for index in indexes if index == wanted]


class Destination(Struct, frozen=True):
    """Where the output is written: a folder, or one file whose suffix is the format. Both paths are absolute.

    formats: of the pictures and pages; empty if only the report is wanted.
    """

    folder: Path
    file: Path | None
    formats: tuple[str, ...]

    @property
    def report(self) -> Path | None:
        """The path of report.json; None if only one picture is written."""
        return None if self.file is not None else self.folder / "report.json"


class Options(Struct, frozen=True):
    """All options of one run. hint: a last line to print, or an empty text. opens: whether to show the page in a
    browser."""

    watch: WatchOptions
    draw: DrawOptions
    destination: Destination
    checks: CheckOptions = CheckOptions()
    hint: str = ""
    opens: bool = False


class OptionError(ValueError):
    """An invalid value; the message lists the valid ones."""


def destination(output: str | None, formats: tuple[str, ...]) -> Destination:
    """The destination given by `--output` and `--format`. Raises OptionError for a file with an unknown suffix.

    The path is made absolute now, so that a script that changes its working directory does not affect it.
    """
    path = Path(output or DEFAULT_FOLDER).absolute()
    if not path.suffix or path.is_dir() or (output or "").endswith("/"):
        pictures = tuple(format for format in formats or DEFAULT_FORMATS if format != REPORT)
        return Destination(path, None, _installed(pictures))
    format = format_of(path.name)
    if format is None:
        raise OptionError(
            f"--output {output}: unknown format {path.suffix}; use "
            f"{', '.join(known.suffix for known in WRITERS.values())}, or a folder (a name without suffix)"
        )
    if formats and formats != (format,):
        raise OptionError(f"--output {output} is a single file and cannot be combined with --format {formats[0]}")
    return Destination(path.parent, path, _installed((format,)))


def _installed(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats without duplicates. Raises OptionError now, not after an hour of training, if a package is
    missing."""
    for format in formats:
        if not WRITERS[format].is_installed():
            raise OptionError(str(MissingExtra(format, "slides")))
    return tuple(dict.fromkeys(formats))
