"""Draw in a child process, so that a crash of Graphviz cannot end a training run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from inspector.commands.options import REPORT, Options
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import Presentation
from inspector.util.child_python import child_environment, python_command
from inspector.util.exit_status import describe_exit_status

if TYPE_CHECKING:
    from inspector.commands.prepared_renderer import PreparedRenderer

REMARK = "inspect: note: "
"""Prefix of a line of the child that is a remark, not an error."""
FILE = "inspect: file: "
"""Prefix of the name of a file that the child wrote, encoded as JSON because it may contain anything."""
TIME_LIMIT = 60.0
"""Seconds to wait for the pictures after the script has ended."""


class RenderProcess:
    """A child process that draws a saved report while the script goes on.

    prepared: a process that has imported what draws; without one, or where it fails, a new one is started.
    """

    def __init__(self, report: Path, options: Options, prepared: PreparedRenderer | None = None) -> None:
        """Start drawing `report`. Raises OSError if no process can be started."""
        self._arguments = ["--quiet", *_arguments(options), str(report)]
        self.remarks: list[str] = []
        """The deviations from the options; filled in by `wait`."""
        self.files: list[Path] = []
        """The pictures written; filled in by `wait`."""
        self._prepared = prepared if prepared is not None and prepared.ask(self._arguments) else None
        self._child = None if self._prepared is not None else self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            python_command(_INSPECT, *self._arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=child_environment(),
        )

    def wait(self) -> str | None:
        """Wait for the drawing to finish; return the error in one line, or None.

        The time of the script does not count: it may run for hours after the pictures are drawn.
        """
        try:
            status, printed = self._answer()
        except (subprocess.TimeoutExpired, TimeoutError):
            self.stop()
            return f"drawing was stopped, {TIME_LIMIT:g} s after the end of the script"
        except BaseException:
            self.stop()
            raise
        lines = [line for line in printed.splitlines() if line.strip()]
        if status == 0:
            self.remarks = [line.removeprefix(REMARK) for line in lines if line.startswith(REMARK)]
            self.files = [Path(json.loads(line.removeprefix(FILE))) for line in lines if line.startswith(FILE)]
            return None
        lines = [line for line in lines if not line.startswith((REMARK, FILE))]
        if status < 0 or not lines:  # a crash in a native library, or out of memory
            return f"the process that draws {describe_exit_status(status)}"
        return lines[-1].removeprefix("inspect: ")

    def _answer(self) -> tuple[int, str]:
        """The exit status of what draws, and what it printed."""
        if self._prepared is not None:
            answer = self._prepared.answer(TIME_LIMIT)
            if answer is not None:
                return answer
            self._prepared = None  # it crashed, or was killed: a child of ours tells how
        self._child = self._child or self._started()
        _, printed = self._child.communicate(timeout=TIME_LIMIT)
        return self._child.returncode, printed

    def leave_to_parent(self) -> None:
        """In a process forked from the one that started the drawing: it is not this process's child."""
        if self._child is not None:
            self._child.returncode = 0  # else Popen warns that it is still running

    def stop(self) -> None:
        """Kill the process. Pictures are written atomically."""
        if self._prepared is not None:
            self._prepared.stop()
        if self._child is not None:
            self._child.kill()
            self._child.communicate()


def inspect_command(options: Options, flag: str, *arguments: str) -> list[str]:
    """The command line of a child that runs `inspect` with the options of pictures. flag: one more option."""
    return python_command(_INSPECT, flag, *_arguments(options), *arguments)


_INSPECT = "import runpy; runpy.run_module('inspector', run_name='__main__', alter_sys=True)"


def _arguments(options: Options) -> list[str]:
    look, destination = options.draw, options.destination
    arguments = ["--theme", look.theme, "--text", look.text, "--depth", str(look.depth)]
    arguments += _figure_arguments(look.figure)
    arguments += _presentation_arguments(look.presentation)
    flags = (
        ("--plot", look.further.plot),
        ("--timeline", look.further.timeline),
        ("--transparent", look.transparent),
        ("--together", look.further.together),
    )
    arguments += [flag for flag, is_on in flags if is_on]
    if look.folder is not None:
        arguments += ["--folder", str(look.folder)]
    if destination.file is not None:
        return [*arguments, "--output", str(destination.file)]
    for format in destination.formats or (REPORT,):  # without the option, the child would draw the default ones
        arguments += ["--format", format]
    return [*arguments, "--output", f"{destination.folder}/"]


def _presentation_arguments(presentation: Presentation) -> list[str]:
    arguments = ["--frames", "--order", presentation.order] if presentation.frames else []
    arguments += ["--reveal"] if presentation.reveal else []
    arguments += [f"--highlight={tensor.name}={tensor.colour}" for tensor in presentation.highlights]
    arguments += ["--handout", presentation.handout] if presentation.handout else []
    return [*arguments, *(["--words", str(presentation.words.path)] if presentation.words.path else [])]


def _figure_arguments(look: FigureOptions) -> list[str]:
    """The figure options as command line arguments, without those at their default."""
    chosen = structs.asdict(look)
    flags = [f"--{name}" for name, value in chosen.items() if value is True]
    pairs = [(f"--{name}", value) for name, value in chosen.items() if value and isinstance(value, str)]
    return [*flags, *(text for pair in pairs for text in pair)]
