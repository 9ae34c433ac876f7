"""`%load_ext inspector`: `%%inspect` records one cell of a notebook, `%inspect_on` every later one."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import Any

from inspector.api.record import BlockRecording
from inspector.recording.watch_plan import DEFAULT_WATCH


def load_ipython_extension(shell: Any) -> None:
    """Add `%%inspect`, `%inspect_on` and `%inspect_off` to an IPython shell."""
    magics = CellMagics(shell)
    shell.register_magic_function(magics.inspect, "cell", "inspect")
    shell.register_magic_function(magics.turn_on, "line", "inspect_on")
    shell.register_magic_function(magics.turn_off, "line", "inspect_off")
    shell.inspector_magics = magics


def unload_ipython_extension(shell: Any) -> None:
    """Turn `%inspect_on` off; the magics remain until the kernel ends."""
    shell.inspector_magics.turn_off("")


class CellMagics:
    """The magics of one IPython shell.

    A recording begins with a cell and ends with the first cell that calls backward: the forward may stand in an
    earlier one.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._is_on = False
        self._recording: BlockRecording | None = None

    def inspect(self, line: str, cell: str) -> None:
        """Run this cell, and show the graph of its backward calls before and after."""
        _no_words("%%inspect", line)
        is_alone = self._recording is None  # else %inspect_on records this cell already
        self._begin()
        result = self._run(cell)
        if is_alone:
            self._show("backward() was not called in this cell")
        if not result.success:
            from IPython.core.error import UsageError

            error = result.error_in_exec or result.error_before_exec
            raise UsageError(f"%%inspect: the cell raised {type(error).__name__}")

    def _run(self, cell: str) -> Any:
        """Run a cell inside of the one that holds the magic, with its number and its lines."""
        shell = self._shell
        count, number = shell.execution_count, _number_of_cell(shell)
        shell.execution_count = count if number is None else number
        try:
            return shell.run_cell(f"# %%inspect\n{cell}")
        finally:
            shell.execution_count = count

    def turn_on(self, line: str) -> None:
        """Show the graph of every later cell that calls backward. %inspect_off ends it."""
        _no_words("%inspect_on", line)
        if not self._is_on:
            self._is_on = True
            self._shell.events.register("pre_run_cell", self._before_cell)
            self._shell.events.register("post_run_cell", self._after_cell)

    def turn_off(self, line: str) -> None:
        """End %inspect_on."""
        _no_words("%inspect_off", line)
        if self._is_on:
            self._is_on = False
            with suppress(ValueError):
                self._shell.events.unregister("pre_run_cell", self._before_cell)
                self._shell.events.unregister("post_run_cell", self._after_cell)
        self._end()

    def _before_cell(self, info: Any = None) -> None:
        self._begin()

    def _after_cell(self, result: Any = None) -> None:
        if self._recording is not None and self._recording.calls:
            self._show("")

    def _begin(self) -> None:
        if self._recording is None:
            self._recording = BlockRecording(None, None, DEFAULT_WATCH, "full")
            self._recording.__enter__()

    def _end(self) -> BlockRecording | None:
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.__exit__(None, None, None)
        return recording

    def _show(self, otherwise: str) -> None:
        from IPython.display import display

        recording = self._end()
        if recording is not None and recording.calls:
            display(recording)
        elif otherwise:
            print(f"inspect: {otherwise}")


def _number_of_cell(shell: Any) -> int | None:
    """The number of the cell that is running: IPython counts on before or after it, by its version."""
    for frame, _ in traceback.walk_stack(None):
        name = shell.compile.format_code_name(frame.f_code.co_filename)
        if name is not None:
            return int(name[1].strip("In[]"))
    return None


def _no_words(magic: str, line: str) -> None:
    if line.strip():
        from IPython.core.error import UsageError

        raise UsageError(f"{magic} takes no arguments, got {line.strip()!r}")
