"""`inspect torchrun … train.py`: start the launcher, and let it start the inspector in each process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from inspector.commands.options import OptionError, Options
from inspector.commands.output_folder import display_path
from inspector.util.stderr import say

_RUN, _ACCELERATE = "torch.distributed.run", "accelerate.commands.launch"
LAUNCHERS: Mapping[tuple[str, ...], str] = {
    ("torchrun",): _RUN,
    ("accelerate", "launch"): _ACCELERATE,
    ("python", "-m", _RUN): _RUN,
    ("python3", "-m", _RUN): _RUN,
    ("python", "-m", _ACCELERATE): _ACCELERATE,
    ("python3", "-m", _ACCELERATE): _ACCELERATE,
}
"""The first words of a command line → the module that starts the processes. Each takes `-m MODULE`."""
_WITHOUT_PYTHON = ("--no-python", "--no_python")


def launch_command(arguments: Sequence[str], own: Sequence[str]) -> list[str] | None:
    """The command line that starts the launcher with the inspector in front of the script; None for no launcher.

    arguments: after the options of inspect. own: these options. Raises OptionError if there is no script.
    """
    if Path(arguments[0]).exists() and not _is_installed(arguments[0]):
        return None
    given = (Path(arguments[0]).name, *arguments[1:])
    words = next((words for words in LAUNCHERS if given[: len(words)] == words), None)
    if words is None:
        return None
    rest = list(arguments[len(words) :])
    place = next((k for k, word in enumerate(rest) if word.endswith(".py") or word in ("-m", "--module")), None)
    name = " ".join(words)
    if place is None:
        raise OptionError(f"{name}: no script; give a file that ends with .py, or -m MODULE")
    if any(word in _WITHOUT_PYTHON for word in rest[:place]):
        raise OptionError(f"{name} {_WITHOUT_PYTHON[0]}: only a Python script can be inspected")
    script = ["-m", *rest[place + 1 :]] if rest[place] == "--module" else rest[place:]
    return [sys.executable, "-m", LAUNCHERS[words], *rest[:place], "-m", "inspector", *own, *script]


def _is_installed(program: str) -> bool:
    """Whether this file is the program that its name stands for, not a script of this name in some folder."""
    found = shutil.which(Path(program).name)
    return found is not None and Path(found).samefile(program)


def launch(command: Sequence[str], options: Options) -> int:
    """Run a launcher until it ends; return its exit status. Merges the reports if rank 0 could not.

    Ctrl-C reaches the launcher by itself; SIGTERM is handed on.
    """
    started = time.time()
    child = subprocess.Popen(command)

    def hand_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, hand_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = child.wait()
    _merge_if_missing(options, started)
    return 128 - status if status < 0 else status


def _merge_if_missing(options: Options, started: float) -> None:
    """Merge the reports of this run, unless rank 0 has done so."""
    folder = options.destination.folder
    if options.destination.file is not None or not folder.is_dir():
        return
    merged = folder / "merged.json"
    is_new = merged.exists() and merged.stat().st_mtime >= started
    written = [path for path in folder.glob("rank-*/report.json") if path.stat().st_mtime >= started]
    if is_new or not written:
        return
    from inspector.commands.merge import merge_run

    if merge_run(folder, options, started) is None:
        say(f"the ranks were not merged: inspect merge {display_path(folder)}")
