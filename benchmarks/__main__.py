"""How fast a graph is walked, kept, folded and drawn, beside torchviz: `python -m benchmarks`.

Every case runs in a process of its own, in which our stages and the peer's take turns, so that their ratio is that
of one machine at one moment. What a peer says when it fails stands in its column. `--only NAME` runs the cases
whose name begins so; `--all` the large ones too.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.cases import CASES, LARGE

_STAGES = ("bare walk", "walk", "snapshot", "networkx", "fold", "layout", "svg", "torchviz")
_RATIOS = ("walk", "snapshot", "networkx")
_HEAD = (
    "case", "Nodes", "bare walk", "walk", "snapshot", "networkx", "fold", "layout", "SVG", "boxes",
    "torchviz: make_dot", "and pipe",
)  # fmt: skip
_TIME_LIMIT = 600


def main() -> None:
    """Run the chosen cases and print the table as they end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--all", action="store_true", help="the large ones too (minutes, gigabytes)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        from benchmarks.stages import run

        run(arguments.case)
    names = [name for name in CASES if name.startswith(arguments.only)]
    if not arguments.all and not arguments.only:
        names = [name for name in names if name not in LARGE]
    print(f"| {' | '.join(_HEAD)} |")
    print(f"|{'---|' * len(_HEAD)}", flush=True)
    for name in names:
        print(f"| {' | '.join(_row(name, _measured(name)))} |", flush=True)
    print("\nMilliseconds of CPU, best of several runs; walk, snapshot, networkx as multiples of the bare walk.")


def _measured(name: str) -> dict[str, Any]:
    """What the case said before it ended, and how it ended if that was not well."""
    command = [sys.executable, "-m", "benchmarks", "--case", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
        said, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        said, status = (error.stdout or b"").decode(), -signal.SIGKILL
    found: dict[str, Any] = {}
    for line in said.splitlines():
        found.update(json.loads(line))
    if status:
        stage = found.get("begun", "the start")
        found[stage] = signal.Signals(-status).name if status < 0 else done.stderr.strip().splitlines()[-1]
    return found


def _row(name: str, found: dict[str, Any]) -> Iterator[str]:
    yield name
    yield f"{found['nodes']:,}" if "nodes" in found else "?"
    bare = found.get("bare walk")
    yield _text(bare)
    for stage in _RATIOS:
        taken = found.get(stage)
        known = isinstance(taken, float) and isinstance(bare, float)
        yield f"{taken / bare:.1f}×" if known else _text(taken)  # noqa: RUF001
    for stage in ("fold", "layout", "svg"):
        yield _text(found.get(stage))
    yield str(found.get("boxes", "?"))
    yield _text(found.get("torchviz"))
    yield _text(found.get("torchviz pipe"))


def _text(taken: Any) -> str:
    """Milliseconds, or what was said in their place."""
    if isinstance(taken, float):
        return f"{taken * 1e3:,.1f}" if taken < 0.1 else f"{taken * 1e3:,.0f}"
    return str(taken) if taken is not None else "not run"


if __name__ == "__main__":
    main()
