"""The options of the command line, parsed. No torch, no drawing: `inspect --help` must be quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from inspector.export import WRITERS, format_of
from inspector.export.optional_dependency import MissingExtra
from inspector.options.choices import Annotate, Depth, FailOn, Mode, Order, Text, Theme
from inspector.options.figure_options import FigureOptions

FORMATS = tuple(WRITERS)
ORIGINAL = "torchviz"
"""The format that torchviz draws, while the script runs."""
DEFAULT_FOLDER = "inspect-out"
DEFAULT_WATCH = 3


@dataclass(frozen=True)
class DrawOptions:
    """How pictures look, and what they show (`figure`).

    frames: whether there is a picture for each step as well, in which order. folder: where the script lies, for
    the code beside the graph; None where nobody knows. plot: whether there are curves, with tangents.
    """

    theme: Theme = "light"
    text: Text = "path"
    figure: FigureOptions = field(default_factory=FigureOptions)
    frames: bool = False
    order: Order = "engine"
    depth: Depth = "auto"
    folder: Path | None = None
    plot: bool = False


@dataclass(frozen=True)
class CheckOptions:
    """What is checked beside the rules of the diagnosis, and what becomes of findings.

    derivatives: each leaf's, by rules, by autograd and by finite differences.
    functions: custom ones, by gradcheck.
    fail_on: from which severity on the exit status is 3. annotate: the CI service that is told, None for none.
    """

    derivatives: bool = False
    functions: bool = False
    fail_on: FailOn = "never"
    annotate: Annotate | None = None


@dataclass(frozen=True)
class WatchOptions:
    """Which backward calls are watched and which are drawn.

    backward: a number as text, "all" or "last"; None for the first with a finding, else the first.
    limit: after how many calls everything of ours comes off. record: how the first call's forward is recorded.
    """

    backward: str | None = None
    limit: int = DEFAULT_WATCH
    stop: bool = False
    record: Mode = "full"

    @property
    def calls(self) -> int | None:
        """How many calls must be watched; None for all until the script ends."""
        if self.backward == "last":
            return None
        wanted = int(self.backward) if self.backward is not None and self.backward.isdigit() else 1
        return max(self.limit, wanted)

    def is_drawn(self, index: int) -> bool:
        """Whether a call may be one that is drawn, before it is known which calls there will be."""
        return self.backward in ("all", "last") or index == int(self.backward or 1)

    def drawn(self, indexes: list[int], found: int | None = None) -> list[int]:
        """Which of the watched calls are drawn: of `indexes`, those that `backward` asks for.

        found: the first call with a finding, None where there is none.
        """
        if self.backward == "all":
            return indexes
        if self.backward == "last":
            return indexes[-1:]
        first = found or (indexes[0] if indexes else 1)
        wanted = int(self.backward) if self.backward is not None else first
        return [index for index in indexes if index == wanted]


@dataclass(frozen=True)
class Destination:
    """Where the output goes: a folder, or one file whose suffix is the format. Both absolute."""

    folder: Path
    file: Path | None
    formats: tuple[str, ...]

    @property
    def report(self) -> Path | None:
        """report.json; None where only one picture is written."""
        return None if self.file is not None else self.folder / "report.json"


@dataclass(frozen=True)
class Options:
    """All options of one run. hint: what is said of them in the end, or nothing."""

    watch: WatchOptions
    draw: DrawOptions
    destination: Destination
    checks: CheckOptions = CheckOptions()
    hint: str = ""


class OptionError(ValueError):
    """A wrong value, with the right ones in the message."""


def destination(output: str | None, formats: tuple[str, ...]) -> Destination:
    """From `--output` and `--format`. Raises OptionError for a file whose suffix is no format.

    The place is fixed now: a script that changes its working directory does not move it.
    """
    path = Path(output or DEFAULT_FOLDER).absolute()
    if not path.suffix or path.is_dir() or (output or "").endswith("/"):
        return Destination(path, None, _installed(formats or ("svg",)))
    format = format_of(path.name)
    if format is None:
        raise OptionError(
            f"--output {output}: no format {path.suffix}; a file ends in "
            f"{', '.join(known.suffix for known in WRITERS.values())}, a folder in none of them (or in a slash)"
        )
    if formats and formats != (format,):
        raise OptionError(f"--output {output} is one file, so --format {formats[0]} cannot hold too")
    return Destination(path.parent, path, _installed((format,)))


def _installed(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats, each once. Told before the script has run for an hour: what is missing to write them."""
    for format in formats:
        if not WRITERS[format].is_installed():
            raise OptionError(str(MissingExtra(format, "slides")))
    return tuple(dict.fromkeys(formats))
