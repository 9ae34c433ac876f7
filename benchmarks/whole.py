"""How long a person waits, whole against whole: `python -m benchmarks.whole`.

A row is one call or one command, beside what does the same without us: `draw(loss).svg()` beside torchviz's
`make_dot(loss).pipe("svg")` (which needs `dot`), `inspect script.py` beside `python script.py`, and what has no
peer beside the barest loop over `next_functions`. The two take turns; a figure is the median over the rounds, in
seconds of CPU with those of child processes. A loaded machine changes the seconds, but hardly the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "benchmarks" / "scripts"


_PR_SET_CHILD_SUBREAPER = 36

Mode = Literal["full", "light"]

Pair = tuple[Callable[[], Any], Callable[[], Any]]
"""What the peer does, and what we do."""


@dataclass(frozen=True)
class Row:
    """Two things to do in turn.

    make: makes them, once, in a process of their own. rounds: how often. slow: only with `--all`.
    """

    peer: str
    make: Callable[[], Pair]
    rounds: int = 2
    slow: bool = False


@dataclass(frozen=True)
class Measured:
    """Medians over the rounds: seconds of CPU and wall time of the peer and of the inspector.

    ratio: the inspector's CPU time divided by the peer's.
    """

    peer: float
    ours: float
    peer_wall: float
    ours_wall: float
    ratio: float


# ---- what is measured -------------------------------------------------------------------------------------


def _command(script: Path) -> Pair:
    folder = tempfile.mkdtemp()
    path = shutil.copy(script, folder)
    environment = _as_installed(folder)

    def running(*command: str) -> Callable[[], Any]:
        return lambda: subprocess.run(
            [sys.executable, *command, path], cwd=folder, env=environment, capture_output=True, check=True
        )

    return running("-P"), running("-P", "-m", "inspector")


def _as_installed(folder: str) -> dict[str, str]:
    """An environment in which modules are compiled once, into a folder, as pip does when it installs a package."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _loss(case: str) -> Any:
    import torch

    from benchmarks.cases import CASES

    torch.manual_seed(0)
    torch.set_num_threads(1)
    return CASES[case]().root()


def _picture(layers: int, **how: Any) -> Callable[[], Pair]:
    """torchviz's picture of a GPT-2 and ours."""

    def make() -> Pair:
        from torchviz import make_dot

        import inspector

        loss = _loss(f"GPT-2, {layers} layers")
        return lambda: make_dot(loss).pipe("svg"), lambda: inspector.draw(loss, **how).svg()

    return make


def _beside_walk(case: str) -> Callable[[], Pair]:
    """A picture from the loss on, beside ten times the barest walk of its graph."""

    def make() -> Pair:
        import inspector
        from benchmarks.stages import bare_walk

        loss = _loss(case)

        def walks() -> None:
            for _ in range(10):
                bare_walk(loss.grad_fn)

        return walks, lambda: inspector.draw(loss).svg()

    return make


def _recorded(mode: Mode) -> Callable[[], Pair]:
    """Steps of a training that are recorded, in light mode after one that finds names and lines, beside ten that
    are not."""

    def make() -> Pair:
        import torch

        import inspector
        from benchmarks.overhead import SIZES, Step

        torch.set_num_threads(1)
        step = Step(*next(iter(SIZES.values())))

        def steps() -> None:
            for _ in range(10):
                step()

        def recorded() -> None:
            with inspector.record(watch=1 if mode == "full" else 3, mode=mode):
                for _ in range(1 if mode == "full" else 3):
                    step()

        return steps, recorded

    return make


def _report() -> Pair:
    """The report of 15,000 Nodes as a command, beside reading its JSON in Python."""
    import inspector

    loss = _loss("LSTM, 1,000 steps")
    path = Path(tempfile.mkdtemp()) / "report.json"
    environment = _as_installed(str(path.parent))
    with inspector.record(mode="light") as recording:
        loss.backward()
    recording.save(path)
    read = [sys.executable, "-c", f"import json; json.load(open({str(path)!r}))"]
    draw = [sys.executable, "-m", "inspector", "-o", str(path.with_name("out")) + "/", str(path)]
    return (
        lambda: subprocess.run(read, cwd=ROOT, env=environment, check=True),
        lambda: subprocess.run(draw, cwd=ROOT, env=environment, check=True, capture_output=True),
    )


ROWS: dict[str, Row] = {
    "inspect saddle.py": Row("python saddle.py", lambda: _command(ROOT / "gallery" / "saddle.py")),
    "inspect gpt.py, 4 layers": Row("python gpt.py", lambda: _command(SCRIPTS / "gpt.py")),
    "GPT-2, 12 layers: draw(loss, depth='full').svg()": Row("torchviz", _picture(12, depth="full")),
    "GPT-2, 12 layers: draw(loss).svg()": Row("torchviz", _picture(12)),
    "GPT-2, 48 layers: draw(loss).svg()": Row("10 bare walks", _beside_walk("GPT-2, 48 layers")),
    "LSTM, 1,000 steps: draw(loss).svg()": Row("10 bare walks", _beside_walk("LSTM, 1,000 steps")),
    "report of 15,000 Nodes drawn again": Row("json.load", _report),
    "GPT of 400 Nodes: one step recorded in full": Row("10 steps", _recorded("full"), 9),
    "GPT of 400 Nodes: three steps recorded light": Row("10 steps", _recorded("light"), 9),
    "chain, 1,000,000: draw(loss).svg()": Row("10 bare walks", _beside_walk("chain, 1,000,000"), 1, slow=True),
    "inspect attention.py, 58 M elements": Row(
        "python attention.py", lambda: _command(SCRIPTS / "attention.py"), 1, slow=True
    ),
}


# ---- measuring --------------------------------------------------------------------------------------------


def measure(name: str) -> Measured | str:
    """A row, measured in a process of its own; what it said if it failed."""
    command = [sys.executable, "-m", "benchmarks.whole", "--row", name]
    with tempfile.TemporaryDirectory() as folder:  # for the temporary files of the process
        environment = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    return Measured(**json.loads(lines[-1]))


def _measure_here(name: str) -> Measured:
    _adopt_orphans()
    row = ROWS[name]
    peer, ours = row.make()
    pairs = [(_timed(peer), _timed(ours)) for _ in range(row.rounds + (not row.slow))]
    pairs = pairs[not row.slow :]  # the first round imports
    median = statistics.median
    return Measured(
        peer=median(one[0] for one, _ in pairs),
        ours=median(other[0] for _, other in pairs),
        peer_wall=median(one[1] for one, _ in pairs),
        ours_wall=median(other[1] for _, other in pairs),
        ratio=median(other[0] / one[0] for one, other in pairs),
    )


def _timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of CPU, with those of child processes, and of the clock."""
    gc.collect()
    cpu, wall = _cpu(), time.perf_counter()
    kept = run()
    waited = time.perf_counter() - wall
    _wait_for_orphans()
    taken = _cpu() - cpu, waited
    del kept
    return taken


def _adopt_orphans() -> None:
    """Make processes that outlive the command that started them (what draws for `inspect`) children of this one,
    so that their CPU time counts. Only Linux has that; elsewhere there are none."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_for_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


_HEAD = ("| work | beside | its CPU (wall) | ours | ratio | difference |", "|---|---|---|---|---|---|")


def _line(name: str, found: Measured | str) -> str:
    return f"| {' | '.join(_cells(name, found))} |"


def _cells(name: str, found: Measured | str) -> Iterator[str]:
    yield from (name, ROWS[name].peer)
    if isinstance(found, str):
        yield from (found, "", "", "")
        return
    yield from (_seconds(found.peer, found.peer_wall), _seconds(found.ours, found.ours_wall))
    yield f"{found.ratio:.2f}" if found.ratio > 0.1 else f"1/{1 / found.ratio:.1f}"
    yield f"{found.ours - found.peer:+.3f} s"


def _seconds(cpu: float, wall: float) -> str:
    return f"{cpu:.3f} s ({wall:.3f})"


def main() -> None:
    """Print the table and write it, row by row."""
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=description)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--all", action="store_true", help="the rows that take minutes and gigabytes, too")
    parser.add_argument("--output", type=Path, help="a folder for whole.md, and whole.json with the ratios")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        print(json.dumps(vars(_measure_here(chosen.row))), flush=True)
        os._exit(0)  # torch frees by recursion what Python has walked: a long chain does not survive that
    print("\n".join(_HEAD), flush=True)
    for name, row in ROWS.items():
        if chosen.only in name and (chosen.all or not row.slow):
            found = measure(name)
            print(_line(name, found), flush=True)
            if chosen.output is not None and isinstance(found, Measured):
                _keep(chosen.output, name, found)


def _keep(folder: Path, name: str, found: Measured) -> None:
    """Put a row into whole.json, and write whole.md from all rows there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "whole.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[name] = {key: round(value, 4) for key, value in vars(found).items()}
    kept = {known: kept[known] for known in ROWS if known in kept}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    command = "`python -m benchmarks.whole --output benchmarks/results`"
    about = f"{command}, Python {platform.python_version()}, {platform.machine()}, one thread"
    lines = [_line(known, Measured(**values)) for known, values in kept.items()]
    (folder / "whole.md").write_text(
        "\n".join(["# Whole calls", "", about, "", *_HEAD, *lines, ""]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
