"""A distributed script of two ranks, run without us and with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from forkserver import ForkServer
from running import QUICK, Ran, ScriptRunner, environment


def run_two_ranks(
    text: str, server: ForkServer, folder: Path, statuses: tuple[int, int] = (0, 0)
) -> list[Ran]:
    """Both ranks under the inspector; each gets the path of a `FileStore` as its argument.

    The test fails unless they exit with these statuses and print what they print without it.
    """
    script = ScriptRunner(server, folder).write(text)
    with ThreadPoolExecutor(2) as pool, ForkServer() as other:

        def run(rank: int, store: str, *options: str, entry: str = "inspector.cli:run") -> Ran:
            env = environment(RANK=str(rank), WORLD_SIZE="2", PYTHONPATH=str(Path(__file__).parent))
            env["GLOO_SOCKET_IFNAME"] = "lo"  # gloo finds no other interface on some machines
            argv = [*options, script.name, str(folder / store)]
            ended = (server, other)[rank].run(argv, cwd=folder, env=env, entry=entry, timeout=200)
            return Ran(ended.status, ended.stdout, ended.stderr, folder)

        plain = list(pool.map(lambda rank: run(rank, "plain", entry="plain:run"), range(2)))
        ours = list(pool.map(lambda rank: run(rank, "ours", *QUICK), range(2)))
    assert [ran.status for ran in (*plain, *ours)] == [*statuses] * 2, plain[0].stderr + ours[0].stderr
    assert [ran.stdout for ran in ours] == [ran.stdout for ran in plain]
    return ours
