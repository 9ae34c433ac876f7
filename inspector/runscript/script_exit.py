"""The end of a script: what the interpreter would print and return, and ending the process."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from types import TracebackType
from typing import NoReturn

from msgspec import Struct

from inspector.runscript.traceback_frames import hide_our_frames

_INTERRUPTED = 130
_display = sys.__excepthook__


class ScriptStopped(SystemExit):
    """Raised by `stop_script` to end the script; for the script it is like `sys.exit()`."""


class ScriptExit(Struct, frozen=True):
    """How the script ended.

    status: the exit status for the shell.
    exception: the uncaught exception, including SystemExit; None if the script ran to its end.
    stopped: whether `stop_script` ended it.
    forked: whether this process was forked by the script; it must only `finish`, without a report.
    torch_failed: whether every import of torch by the script has raised.
    """

    status: int
    exception: BaseException | None = None
    stopped: bool = False
    forked: bool = False
    torch_failed: bool = False

    def describe(self) -> str | None:
        """The exception in one line, addresses masked ("ZeroDivisionError: division by zero").

        None if the script ran to its end, was stopped, or called `sys.exit` with a status.
        """
        error = self.exception
        if error is None or (isinstance(error, SystemExit) and isinstance(error.code, int | None)):
            return None
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ not in ("builtins", "__main__"):
            name = f"{kind.__module__}.{name}"
        return re.sub(r"\b0x[0-9a-fA-F]+", "0x…", f"{name}: {_first_line(error)}".removesuffix(": "))


def stop_script() -> NoReturn:
    """End the script like `sys.exit()`. The script can catch the exception, like any SystemExit."""
    raise ScriptStopped(0)


def end_with(error: BaseException) -> ScriptExit:
    """Print what the interpreter prints for an uncaught `error` of a script, and return the exit.

    Called outside of any ``except`` block, so that a user's `sys.excepthook` sees no active exception.
    """
    if isinstance(error, ScriptStopped):
        return ScriptExit(0, stopped=True)
    if isinstance(error, SystemExit):
        return ScriptExit(_status_of(error), error)
    hide_our_frames(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    failure = _call_excepthook(error)
    if isinstance(failure, SystemExit):
        return ScriptExit(_status_of(failure), failure)
    if failure is not None:
        hide_our_frames(failure)
        _write("Error in sys.excepthook:\n")
        _display(type(failure), failure, failure.__traceback__)
        _write("\nOriginal exception was:\n")
        _display(type(error), error, error.__traceback__)
    # Like Python, which tests for the exact type: the status of a subclass is 1.
    return ScriptExit(_INTERRUPTED if type(error) is KeyboardInterrupt else 1, error)


def finish(exit: ScriptExit) -> NoReturn:
    """End this process as plain python would after the script. Prints nothing.

    Raises SystemExit, so that the interpreter waits for threads, runs atexit and flushes; or, after Ctrl-C,
    KeyboardInterrupt, for which the interpreter ends itself by SIGINT.
    """
    if exit.status == _INTERRUPTED and type(exit.exception) is KeyboardInterrupt:
        sys.excepthook = _say_nothing  # its traceback was shown when the script ended
        raise KeyboardInterrupt
    raise SystemExit(exit.status)


def _call_excepthook(error: BaseException) -> BaseException | None:
    """Call the user's `sys.excepthook`, and return the exception that it raised, or None."""
    if not hasattr(sys, "excepthook"):
        _write("sys.excepthook is missing\n")
        _display(type(error), error, error.__traceback__)
        return None
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as failure:
        return failure
    return None


def _status_of(error: SystemExit) -> int:
    """The exit status for `error`; a code that is not a number is printed, as the interpreter does."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        # In C a long; a number out of its range counts as -1.
        return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    with contextlib.suppress(Exception):
        _write(str(code))
    _write("\n")
    return 1


def _write(text: str) -> None:
    with contextlib.suppress(Exception):
        if sys.stderr is None:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        else:
            sys.stderr.write(text)


def _first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:
        return "(its message cannot be read)"
    return lines[0] if lines else ""


def _say_nothing(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """A `sys.excepthook` for an exception that has already been printed."""
