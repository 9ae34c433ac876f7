"""The ranks that a script starts itself (`mp.spawn`, `multiprocessing.Process`): each is inspected in its process.

A child process is a rank from `init_process_group` on; children that do not call it run without the inspector. A
forked child inherits the wrapper of this function. A spawned one installs it, by an item in the data that
`multiprocessing` sends to it.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import pickle
import sys
from collections.abc import Callable
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from inspector.commands.options import Destination, Options
from inspector.commands.output_folder import display_path
from inspector.runscript import ScriptExit, ScriptTarget

_FOLDERS = "rank-[0-9]*"
_BEGIN = """
try:
    import sys
    before = sys.path.copy()
    sys.path.insert(0, root)
    try:
        from inspector.commands.spawned_child import begin
    finally:
        sys.path[:] = before
    begin(given)
except Exception:
    pass
"""
"""What a spawned child runs first. Where this fails, the child goes on without the inspector."""


class _Begin:
    """Becomes a run of `_BEGIN` where it is unpickled. given: the pickled arguments of `begin`."""

    def __init__(self, given: bytes) -> None:
        self._given = given

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str, dict[str, Any]]]:
        root = str(Path(__file__).parents[2])
        return exec, (_BEGIN, {"root": root, "given": self._given})


def hand_to_spawned(target: ScriptTarget, options: Options, warn: Callable[[str], None]) -> None:
    """Let the children that `multiprocessing` spawns from now on wait for their process group, too."""
    process = os.getpid()
    try:
        item = _Begin(pickle.dumps((target, options)))
        prepare = multiprocessing.spawn.get_preparation_data
    except Exception as error:
        warn(f"child processes are not watched: {type(error).__name__}: {error}")
        return

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = prepare(name)
        return data | {"inspect": item} if os.getpid() == process else data

    multiprocessing.spawn.get_preparation_data = get_preparation_data


def at_end_of_process(finish: Callable[[ScriptExit], None]) -> None:
    """Call `finish` when the function that a child process of `multiprocessing` runs has ended."""
    Finalize(None, lambda: finish(_exit_of(sys.exc_info()[1])), exitpriority=0)


def _exit_of(error: BaseException | None) -> ScriptExit:
    """How a child process ends by this exception. `mp.spawn` exits where the user's function has raised."""
    if isinstance(error, SystemExit):
        status = 0 if error.code is None else error.code if isinstance(error.code, int) else 1
        return ScriptExit(status, error if status == 0 or error.__context__ is None else error.__context__)
    return ScriptExit(0 if error is None else 1, error)


def written_ranks(destination: Destination, started: float) -> list[str]:
    """The folders, or with one file per rank the files, that ranks have written since; in order."""
    to = destination
    if to.file is None:
        found = {path.parent: path for path in to.folder.glob(f"{_FOLDERS}/report.json")}
    else:
        found = {path: path for path in to.folder.glob(f"{to.file.stem}.{_FOLDERS}{to.file.suffix}")}
    return sorted(name.name for name, path in found.items() if path.stat().st_mtime >= started)


def describe(names: list[str], destination: Destination) -> str:
    """A line on the ranks that the script started. names: what they wrote, at least one."""
    where = display_path(destination.folder)
    if len(names) == 1:
        return f"the rank that the script started wrote {names[0]} in {where}/"
    return f"the {len(names)} ranks that the script started wrote {names[0]} to {names[-1]} in {where}/"
