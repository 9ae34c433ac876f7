"""Run a script in this process, as ``__main__``."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType

from msgspec.structs import replace

from inspector.runscript.script_exit import ScriptExit, end_with
from inspector.runscript.sys_modules_isolation import hide_our_modules
from inspector.runscript.target import ModuleByName, ScriptError, ScriptTarget, SourceFile, find
from inspector.runscript.torch_import import TorchImport
from inspector.runscript.traceback_frames import OUTERMOST, hide_our_frames
from inspector.util.stderr import say

_LEVELS = 8
"""Number of frames below the script's outermost one that belong to "sys". A warning whose `stacklevel` goes
further down names the inspector."""


def run_script(
    target: ScriptTarget, *, on_torch: Callable[[], None], warn: Callable[[str], None] = say
) -> ScriptExit:
    """Run `target` to its end, including its threads, and return how it ended.

    on_torch: called once, right after the script's first ``import torch`` (before the script, if torch is already
    imported); never, for a script without torch.
    warn: called with one line for an internal error; the script continues.

    Prints what the interpreter would print: the traceback of an uncaught exception (through the user's
    `sys.excepthook`) without the inspector's frames, or the text of ``sys.exit("text")``. Afterwards `sys.argv`,
    `sys.path` and ``sys.modules["__main__"]`` remain those of the script, for its atexit handlers. If the script
    left threads, the interpreter's shutdown of threads has run, so executors accept no more work.

    Raises ScriptError if there is nothing to run.
    """
    program = find(target)
    process = os.getpid()
    main = _take_over(program, target)
    watch = TorchImport(on_torch, warn)
    watch.install()
    error = _call(program, main)
    if isinstance(program, ModuleByName) and error is not None and (reason := program.missing(error)):
        watch.remove()
        raise ScriptError(reason)
    if isinstance(program, SourceFile):
        _flush()
    exit = ScriptExit(0) if error is None else end_with(error)
    if isinstance(program, SourceFile):
        program.leave(main)
    if os.getpid() != process:
        return replace(exit, forked=True)
    _wait_for_threads()
    watch.remove()
    return replace(exit, torch_failed=watch.failed)


def wait_for_torch(
    folder: str, our_path: list[str], on_torch: Callable[[], None], warn: Callable[[str], None]
) -> None:
    """In a child process of the script, before it runs: see `run_script`.

    folder: the script's. our_path: the `sys.path` of the inspector.
    """
    hide_our_modules(folder, our_path)
    TorchImport(on_torch, warn).install()


def _take_over(program: SourceFile | ModuleByName, target: ScriptTarget) -> ModuleType:
    """Set up this process as if python had been started with `target`."""
    name = ["-m"] if target.path is None else [target.path]
    module = [] if target.module is None else [target.module]
    sys.orig_argv = [sys.orig_argv[0], *name, *module, *target.arguments]
    sys.argv = [*name, *target.arguments]  # runpy replaces a "-m"
    our_path = sys.path.copy()
    if not getattr(sys.flags, "safe_path", False):  # Python 3.11
        sys.path[0] = program.folder  # replaces the folder of the inspector
    elif isinstance(program, ModuleByName) and program.is_folder:
        sys.path.insert(0, program.folder)
    hide_our_modules(program.folder, our_path)
    main = ModuleType("__main__")
    program.prepare(main)
    sys.modules["__main__"] = main
    return main


def _call(program: SourceFile | ModuleByName, main: ModuleType) -> BaseException | None:
    """Run the program, and return the exception that it raised, or None."""
    try:
        _from_sys(program.program(main))()
    except BaseException as error:
        return error
    return None


def _from_sys(call: Callable[[], object]) -> Callable[[], object]:
    """A call from frames that belong to "sys": see OUTERMOST. They share their global variables, in which warnings
    note what was shown."""
    variables: dict[str, object] = {"__name__": OUTERMOST}
    for level in range(_LEVELS):
        variables[f"call_{level}"] = call
        call = functools.partial(exec, compile(f"call_{level}()", OUTERMOST, "exec"), variables)
    return call


def _flush() -> None:
    for stream in (sys.stderr, sys.stdout):
        with contextlib.suppress(Exception):
            stream.flush()


def _wait_for_threads() -> None:
    """Wait for the script's threads, as the interpreter does at exit, so that their work is recorded too.

    Threads are not joined one by one: the workers of an executor end only in the interpreter's own function, which
    does nothing when called again.
    """
    if all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate()):
        return
    try:
        threading._shutdown()  # type: ignore[attr-defined]
    except BaseException as error:
        _say_ignored(error)


def _say_ignored(error: BaseException) -> None:
    """Print what the interpreter prints when Ctrl-C interrupts its wait for threads."""
    import traceback  # rarely needed

    hide_our_frames(error)
    trace = "".join(traceback.format_tb(error.__traceback__))
    with contextlib.suppress(Exception):
        sys.stderr.write(
            f"Exception ignored in: {threading!r}\nTraceback (most recent call last):\n"
            f"{trace}{type(error).__qualname__}: {error}\n"
        )
