"""How fast a graph is walked, kept, folded and drawn, beside its peers: `python -m benchmarks`.

Every case runs in a process of its own, in which our stages and the peers' are timed. What a peer says when it
fails stands in its column. `--quick`: a small set; `--only NAME`: the cases whose name begins so; `--all`: the
large ones too; `--output FOLDER`: `results.md` and `results.svg` there.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_RATIOS = ("walk and snapshot", "networkx")
_TIMES = ("fold", "layout", "svg")
_PEERS = ("torchviz", "torchviz pipe", "torchlens", "torchview")
_HEAD = (
    "case", "Nodes", "bare walk", "walk and snapshot", "B a Node", "networkx", "fold", "layout", "SVG", "boxes",
    "full SVG", "torchviz: make_dot", "dot on it", "torchlens: trace", "torchview: graph",
)  # fmt: skip
_TIME_LIMIT = 900
_FOOT = (
    "Milliseconds of CPU (child processes included), best of several runs; walk and snapshot of the structure, "
    "and networkx of it, as multiples of the bare walk: the barest Python loop over `next_functions`. fold, "
    "layout and SVG: of the folded figure; full SVG: layout and SVG of all Nodes. A peer's failure is quoted."
)


def main() -> None:
    """Run the chosen cases and print the table as they end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--quick", action="store_true", help="a small set")
    parser.add_argument("--all", action="store_true", help="the large ones too (minutes, gigabytes)")
    parser.add_argument("--output", type=Path, help="a folder for results.md and results.svg")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        from benchmarks.stages import run

        run(arguments.case)
    lines = [f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    print("\n".join(lines), flush=True)
    measured = {}
    for name in _chosen(arguments):
        measured[name] = _measured(name)
        lines.append(f"| {' | '.join(_row(name, measured[name]))} |")
        print(lines[-1], flush=True)
        if arguments.output is not None:
            _write(arguments.output, lines, measured)
    print(f"\n{_FOOT}")


def _chosen(arguments: argparse.Namespace) -> list[str]:
    from benchmarks.cases import CASES, LARGE, QUICK

    names = [name for name in CASES if name.startswith(arguments.only)]
    if arguments.quick:
        return [name for name in names if name in QUICK]
    return names if arguments.all or arguments.only else [name for name in names if name not in LARGE]


def _write(folder: Path, lines: list[str], measured: dict[str, dict[str, Any]]) -> None:
    from benchmarks.figure import draw_times
    from inspector.export.svg import write_svg

    command = f"python -m benchmarks {' '.join(sys.argv[1:])}"
    about = f"`{command}`, Python {platform.python_version()}, {platform.machine()}, one thread"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(
        "\n".join(["# Measured", "", about, "", *lines, "", _FOOT, "", "![](results.svg)", ""])
    )
    (folder / "results.svg").write_text(write_svg(draw_times(measured)))


def _measured(name: str) -> dict[str, Any]:
    """What the case said before it ended, and how it ended if that was not well."""
    command = [sys.executable, "-m", "benchmarks", "--case", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
        said, ended = done.stdout, _end(done)
    except subprocess.TimeoutExpired as error:
        said, ended = (error.stdout or b"").decode(), f"stopped after {_TIME_LIMIT} s"
    found: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith("{"):  # peers print too
            found.update(json.loads(line))
    if ended:
        found[found.get("begun", "bare walk")] = ended
    return found


def _end(done: subprocess.CompletedProcess[str]) -> str:
    """How a process ended, for its cell; empty if well."""
    if done.returncode < 0:
        return f"the process died of {signal.Signals(-done.returncode).name}"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
    return lines[-1].replace("|", "/")


def _row(name: str, found: dict[str, Any]) -> Iterator[str]:
    bare = found.get("bare walk")
    ratios = [
        f"{found[stage] / bare:.1f}×"  # noqa: RUF001
        if isinstance(found.get(stage), float) and isinstance(bare, float)
        else _text(found.get(stage))
        for stage in _RATIOS
    ]
    size = found.get("bytes a Node")
    yield from (name, f"{found['nodes']:,}" if "nodes" in found else "?", _text(bare), ratios[0])
    yield from (f"{size:.0f}" if isinstance(size, float) else "?", ratios[1])
    yield from (_text(found.get(stage)) for stage in _TIMES)
    yield from (str(found.get("boxes", "?")), _text(found.get("full")))
    yield from (_text(found.get(stage)) for stage in _PEERS)


def _text(taken: Any) -> str:
    """Milliseconds, or what was said in their place."""
    if isinstance(taken, float):
        return f"{taken * 1e3:,.1f}" if taken < 0.1 else f"{taken * 1e3:,.0f}"
    return str(taken) if taken is not None else "not run"


if __name__ == "__main__":
    main()
