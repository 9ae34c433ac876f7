"""What recording costs a training step: `python -m benchmarks.overhead`.

Each way of running the step is timed in turn, round after round, in one process, by CPU time; the figure is the
ratio to the plain step of the same round, its median over the rounds. Beside ours torch's anomaly mode, and
torchlens' trace of the forward where it is installed.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

import inspector
from benchmarks.models import GPT

ROUNDS = 15
SIZES = {"width 64, batch 2": (64, 2), "width 256, batch 8": (256, 8)}
LAYERS = 9  # 400 Nodes


class Step:
    """One training step of a small GPT."""

    def __init__(self, width: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = GPT(LAYERS, width)
        self.ids = torch.randint(0, 100, (batch, 32))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-3)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.ids).flatten(0, 1), self.ids.flatten())
        loss.backward()
        self.optimizer.step()


Way = Callable[[Step], float]
"""Runs one step in its way and returns the seconds of CPU time of that step alone."""


def timed(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def plain(step: Step) -> float:
    return timed(step)


def light(step: Step) -> float:
    """The second of two recorded steps: the first one finds the names and lines of the code."""
    with inspector.record(watch=2, mode="light"):
        step()
        return timed(step)


def full(step: Step) -> float:
    with inspector.record(watch=1):
        return timed(step)


def after(step: Step) -> float:
    """A step after the watched call has ended, still within the block."""
    with inspector.record(watch=1):
        step()
        return timed(step)


def anomaly_mode(step: Step) -> float:
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        return timed(step)


def torchlens_trace(step: Step) -> float:
    import torchlens

    return timed(
        lambda: torchlens.log_forward_pass(step.model, step.ids, layers_to_save="all", vis_opt="none")
    )


WAYS: dict[str, Way] = {
    "plain": plain,
    "light": light,
    "full": full,
    "after": after,
    "anomaly mode": anomaly_mode,
    "torchlens (forward only)": torchlens_trace,
}


def measure(step: Step, ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Seconds of CPU time of each way, the median of `rounds` rounds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            gc.collect()  # what one way leaves behind is not collected in the next one's time
            times[name].append(run(step))
    return {name: statistics.median(values) for name, values in times.items()}


def ways_at_hand() -> dict[str, Way]:
    """All ways, without a peer that is not installed (which is said)."""
    ways = dict(WAYS)
    with contextlib.suppress(ImportError):
        import torchlens  # noqa: F401

        return ways
    print("torchlens is not installed: pip install torchlens", file=sys.stderr)
    del ways["torchlens (forward only)"]
    return ways


def main() -> None:
    """Print a table in markdown."""
    torch.set_num_threads(1)
    ways = ways_at_hand()
    print(f"| training step | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for name, (width, batch) in SIZES.items():
        step = Step(width, batch)
        measure(step, ways, 2)
        seconds = measure(step, ways, ROUNDS)
        plain = seconds["plain"]
        cells = [f"{plain * 1000:.1f} ms", *(f"{value / plain:.2f} x" for value in [*seconds.values()][1:])]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
