"""A distributed script in several processes, without us and with: all are forks of one that has imported torch."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from forkserver import ForkServer
from running import QUICK, Ran, ScriptRunner, environment

WITH_US, WITHOUT_US = "inspector.cli:run", "plain:run"


def run_ranks(
    text: str, server: ForkServer, folder: Path, statuses: Sequence[int] = (0, 0), *, is_compared: bool = True
) -> list[Ran]:
    """A process for each exit status, under the inspector; each gets the path of a `FileStore` as its argument.

    is_compared: also run the script without the inspector. The test fails unless the processes exit with these
    statuses and print what they print without it.
    """
    script = ScriptRunner(server, folder).write(text)
    ours = _run(server, folder, len(statuses), WITH_US, *QUICK, script.name)
    assert [ran.status for ran in ours] == [*statuses], "\n".join(ran.stderr for ran in ours)
    if is_compared:
        plain = _run(server, folder, len(statuses), WITHOUT_US, script.name)
        assert [ran.status for ran in plain] == [*statuses], plain[0].stderr
        assert [ran.stdout for ran in ours] == [ran.stdout for ran in plain]
    return ours


def _run(server: ForkServer, folder: Path, world: int, entry: str, *argv: str) -> list[Ran]:
    into = folder / entry.partition(".")[0].partition(":")[0]
    into.mkdir()
    env = environment(PYTHONPATH=str(Path(__file__).parent))
    env["GLOO_SOCKET_IFNAME"] = "lo"  # gloo finds no other interface on some machines
    arguments = [str(world), entry, str(into), *argv, str(into / "store")]
    ended = server.run(arguments, cwd=folder, env=env, entry="launched:fork_ranks", timeout=200)
    assert ended.status == 0, ended.stderr
    texts = [[(into / f"{rank}.{name}").read_text() for name in ("out", "err")] for rank in range(world)]
    return [Ran(status, *texts[rank], folder) for rank, status in enumerate(json.loads(ended.stdout))]


def fork_ranks() -> None:
    """The entry of the fork server: become one process for each rank, and print their exit statuses.

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
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
