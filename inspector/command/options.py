"""The options of the command line, parsed. No torch, no drawing: `inspect --help` must be quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Theme = Literal["light", "dark", "print"]
Text = Literal["path", "embed", "plain"]
Direction = Literal["LR", "RL", "TB", "BT"]
Record = Literal["full", "light", "none"]

FORMATS = ("svg", "dot")
THEMES: tuple[Theme, ...] = get_args(Theme)
TEXTS: tuple[Text, ...] = get_args(Text)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
RECORDS: tuple[Record, ...] = get_args(Record)
DEFAULT_FOLDER = "inspect-out"
DEFAULT_WATCH = 3


@dataclass(frozen=True)
class Look:
    """How pictures look. direction: None for what suits the graph's shape."""

    theme: Theme = "light"
    direction: Direction | None = None
    text: Text = "path"


@dataclass(frozen=True)
class Watch:
    """Which backward calls are watched and which are drawn.

    backward: a number as text, "all" or "last"; None for the first with a finding, else the first.
    limit: after how many calls everything of ours comes off. record: how the first call's forward is recorded.
    """

    backward: str | None = None
    limit: int = DEFAULT_WATCH
    stop: bool = False
    record: Record = "full"

    @property
    def calls(self) -> int | None:
        """How many calls must be watched; None for all until the script ends."""
        if self.backward == "last":
            return None
        wanted = int(self.backward) if self.backward is not None and self.backward.isdigit() else 1
        return max(self.limit, wanted)

    def drawn(self, indexes: list[int]) -> list[int]:
        """Which of the watched calls are drawn: of `indexes`, those that `backward` asks for."""
        if self.backward == "all":
            return indexes
        if self.backward == "last":
            return indexes[-1:]
        wanted = int(self.backward) if self.backward is not None else indexes[0] if indexes else 1
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
    """All options of one run."""

    watch: Watch
    look: Look
    destination: Destination


class OptionError(ValueError):
    """A wrong value, with the right ones in the message."""


def destination(output: str | None, formats: tuple[str, ...]) -> Destination:
    """From `--output` and `--format`. Raises OptionError for a file whose suffix is no format.

    The place is fixed now: a script that changes its working directory does not move it.
    """
    path = Path(output or DEFAULT_FOLDER).absolute()
    suffix = path.suffix.removeprefix(".").lower()
    if not suffix or path.is_dir() or (output or "").endswith("/"):
        return Destination(path, None, formats or ("svg",))
    if suffix not in FORMATS:
        raise OptionError(
            f"--output {output}: no format .{suffix}; a file ends in {', '.join('.' + name for name in FORMATS)}, "
            "a folder in none of them (or in a slash)"
        )
    if formats and formats != (suffix,):
        raise OptionError(f"--output {output} is one file, so --format {formats[0]} cannot hold too")
    return Destination(path.parent, path, (suffix,))
