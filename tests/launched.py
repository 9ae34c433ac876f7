"""Distributed scripts in several processes, without us and with: all are forks of one that has imported torch."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from forkserver import ForkServer
from running import OUTPUT, QUICK, Ran, ScriptRunner, environment, valid_report

ENTRIES = {"ours": "inspector.cli:run", "plain": "plain:run"}
_STATUSES = "statuses.json"
_MERGED = "merge.err"


class Launched:
    """What a script of several ranks has left in a folder: inspected (`ours`), and run by python (`plain`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def ours(self) -> list[Ran]:
        return self._ran("ours")

    @functools.cached_property
    def plain(self) -> list[Ran]:
        return self._ran("plain")

    @functools.cached_property
    def merged(self) -> dict[str, Any]:
        """The report of all ranks."""
        rows: dict[str, Any] = json.loads((self.folder / OUTPUT / "merged.json").read_text("utf-8"))
        return rows

    @property
    def said_of_all(self) -> str:
        """What `inspect merge` has printed."""
        return (self.folder / _MERGED).read_text("utf-8")

    @functools.cached_property
    def reports(self) -> dict[int, dict[str, Any]]:
        """The report of each rank that has left one, checked against its schema."""
        paths = sorted((self.folder / OUTPUT).glob("rank-*/report.json"))
        return {int(path.parent.name.removeprefix("rank-")): valid_report(path) for path in paths}

    def _ran(self, name: str) -> list[Ran]:
        into = self.folder / name
        statuses = json.loads((into / _STATUSES).read_text("utf-8"))
        found = []
        for rank, status in statuses.items():
            out, err = ((into / f"{rank}.{stream}").read_text("utf-8") for stream in ("out", "err"))
            found.append(Ran(status, out, err, self.folder))
        return found


class Launcher:
    """Starts the ranks of a script. Each gets the path of a file for its `FileStore` as its argument."""

    def __init__(self, server: ForkServer, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def __call__(
        self, text: str, world: int, *options: str, names: Sequence[str] = tuple(ENTRIES), merges: bool = False
    ) -> Launched:
        """Run the script with a number of ranks, as each of `names` says.

        options: of the inspector. merges: whether rank 0 merges the reports in a process of its own; if not, as on
        several machines, `inspect merge` does so afterwards.
        """
        runner = ScriptRunner(self._server, self._folder)
        script = runner.write(text)
        for name in names:
            (self._folder / name).mkdir()
            argv = [*QUICK, *options, script.name] if name == "ours" else [script.name]
            self._run(name, world, argv, world if merges else 1)
        if not merges:
            ended = runner.command(*QUICK, "merge", OUTPUT)
            assert ended.status == 0, ended.stderr
            (self._folder / _MERGED).write_text(ended.stderr, "utf-8")
        return Launched(self._folder)

    def _run(self, name: str, world: int, argv: Sequence[str], local: int) -> None:
        """local: the number of ranks that are said to be on this machine."""
        into = self._folder / name
        env = environment(PYTHONPATH=str(Path(__file__).parent), LOCAL_WORLD_SIZE=str(local))
        env["GLOO_SOCKET_IFNAME"] = "lo"  # gloo finds no other interface on some machines
        arguments = [str(world), ENTRIES[name], str(into), *argv, str(into / "store")]
        ended = self._server.run(arguments, cwd=self._folder, env=env, entry="launched:fork_ranks", timeout=400)
        assert ended.status == 0, ended.stderr


def launched_once(
    factory: pytest.TempPathFactory, server: ForkServer, name: str, launch: Callable[[Launcher], object]
) -> Launched:
    """What a launch has left: it happens once in a run of pytest, in the process that comes first.

    name: of its folder. launch: gets a launcher for an empty folder.
    """
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = factory.mktemp(name)
            launch(Launcher(server, made))
            made.rename(folder)
    return Launched(folder)


def fork_ranks() -> None:
    """The entry of the fork server: become one process for each rank, and write their exit statuses.

    Arguments: number of ranks, their entry, the folder for what they print, and their own arguments.
    """
    world, entry, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    sys.argv[1:] = sys.argv[4:]
    import torch.distributed.fsdp  # noqa: F401  # once for all of them

    children = []
    for rank in range(world):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork in a process with threads
            child = os.fork()
        if child == 0:
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
            for descriptor, name in ((1, "out"), (2, "err")):
                file = os.open(folder / f"{rank}.{name}", os.O_WRONLY | os.O_CREAT)
                os.dup2(file, descriptor)
                os.close(file)
            module, _, function = entry.partition(":")
            getattr(__import__(module, fromlist=[function]), function)()
            return
        children.append(child)
    statuses = {rank: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for rank, child in enumerate(children)}
    (folder / _STATUSES).write_text(json.dumps(statuses))
