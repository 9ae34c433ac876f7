"""What the flight recorder costs: `python -m benchmarks.flight`.

Steps without it, with it at a budget of 3 %, and with each of its levels in every step are timed in turn in one
process, by CPU time; a figure is the median over the rounds, as a ratio to the plain step. The gradients of all
are compared bit by bit, and memory and the size of the timeline are counted after many steps.

A recorder records every step until that has taken half a second in all, so that a short run has a whole timeline.
The figures are of the steps after that, in which the budget holds.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.models import GPT, ResNet
from inspector.recording.flight import FlightRecorder
from inspector.recording.flight.depth_control import DepthControl
from inspector.recording.flight.node_norms import Depth
from inspector.recording.session import Session
from inspector.recording.watch_plan import WatchPlan
from inspector.user_code.paths import UserFiles

LAYERS = 6
WATCHED = 3
WAYS: dict[str, tuple[float, Depth | None]] = {
    "3 %": (0.03, None),
    "parameters, updates": (1.0, None),
    "modules": (1.0, "modules"),
    "Nodes": (1.0, "nodes"),
}
"""The budget, and what is looked at in every step; at 3 % the recorder decides."""


class Training:
    """One training step of a model on one batch."""

    def __init__(self, model: nn.Module, loss: Callable[[], torch.Tensor]) -> None:
        self.model, self._loss = model, loss
        self.optimizer = torch.optim.SGD(model.parameters(), 1e-3)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self._loss().backward()
        self.optimizer.step()


def gpt(width: int, batch: int) -> Training:
    model, ids = GPT(LAYERS, width), torch.randint(0, 100, (batch, 32))
    return Training(model, lambda: F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()))


def resnet() -> Training:
    model = ResNet((2, 2, 2, 2), bottleneck=False)
    images, labels = torch.randn(4, 3, 32, 32), torch.randint(0, 10, (4,))
    return Training(model, lambda: F.cross_entropy(model(images), labels))


def lstm() -> Training:
    model, x = nn.LSTM(32, 64, batch_first=True), torch.randn(16, 20, 32)
    return Training(model, lambda: model(x)[0].pow(2).mean())


def mlp() -> Training:
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    x = torch.randn(32, 16)
    return Training(model, lambda: (model(x) - x.sum(1, keepdim=True)).pow(2).mean())


WORKLOADS: dict[str, tuple[Callable[[], Training], int]] = {
    "GPT, width 64, batch 2": (lambda: gpt(64, 2), 16),
    "GPT, width 256, batch 8": (lambda: gpt(256, 8), 12),
    "ResNet-18, 32 x 32": (resnet, 12),
    "LSTM": (lstm, 24),
    "MLP of 3 layers": (mlp, 40),
}
"""How to make each, and the number of rounds."""
STEPS = {"LSTM": 16, "MLP of 3 layers": 128}
"""Steps in a round, if not 8."""


def recorded(training: Training, way: str, settle: int, *, waits: bool = True) -> FlightRecorder:
    """A flight recorder that continues from three watched calls, closed.

    settle: number of steps that it has recorded. waits: whether these begin when the budget holds.
    """
    budget, depth = WAYS[way]
    files = UserFiles(str(Path.cwd()))
    session = Session(files, WatchPlan(WATCHED))
    session.open()
    for _ in range(WATCHED):
        training()
    session.close()
    recorder = FlightRecorder(files, budget, session)
    if budget >= 1.0:
        recorder.nodes.control = DepthControl(depth)
        if depth is None:
            recorder.nodes.layouts.clear()
    recorder.open()
    if waits and budget < 1.0:
        while not recorder.is_within_budget:
            training()
    for _ in range(settle):  # until it has found out how often it may measure
        training()
    recorder.close()
    return recorder


def seconds(training: Training, recorder: FlightRecorder | None, steps: int) -> float:
    """CPU seconds of some steps."""
    if recorder is not None:
        recorder.open()
        training()
    began = time.process_time()
    for _ in range(steps):
        training()
    passed = time.process_time() - began
    if recorder is not None:
        recorder.close()
    return passed / steps


def measured(name: str, most: int) -> Iterator[str]:
    """The cells of a row. most: maximum number of rounds."""
    make, rounds = WORKLOADS[name]
    rounds = min(rounds, most)
    torch.manual_seed(0)
    training = make()
    steps = STEPS.get(name, 8)
    ways = {way: recorded(training, way, 192 if WAYS[way][0] < 1.0 else 16) for way in WAYS}
    times: dict[str | None, list[float]] = {way: [] for way in (None, *ways)}
    for order in itertools.islice(itertools.cycle(([None, *ways], [*reversed(ways), None])), rounds):
        for way in order:
            times[way].append(seconds(training, None if way is None else ways[way], steps))
    plain = statistics.median(times[None])
    yield f"{plain * 1e3:.2f} ms"
    for way in ways:
        ratio = statistics.median(one / other for one, other in zip(times[way], times[None], strict=True))
        yield f"{ratio:.3f} x ({(statistics.median(times[way]) - plain) * 1e6:+.0f} us)"


def gradients(way: str | None) -> list[torch.Tensor]:
    """The gradients after 50 steps from the same start."""
    torch.manual_seed(0)
    training = gpt(64, 2)
    recorder = None if way is None else recorded(training, way, 14, waits=False)
    if recorder is None:
        for _ in range(WATCHED + 14):
            training()
    else:
        recorder.open()
    for _ in range(50):
        training()
    if recorder is not None:
        recorder.close()
    return [parameter.grad.clone() for parameter in training.model.parameters() if parameter.grad is not None]


def resident() -> float:
    """MiB of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(steps: int, way: str) -> tuple[float, float, float]:
    """MiB by which memory grows from the first tenth of the steps to their end, of Python and of the process, and
    those of the timeline in a report."""
    torch.manual_seed(0)
    training = mlp()
    recorder = recorded(training, way, 0)
    recorder.open()
    sizes = []
    for part in (steps // 10, steps - steps // 10):
        for _ in range(part):
            training()
        gc.collect()
        if not sizes:
            tracemalloc.start()
        sizes.append(resident())
    python = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    recorder.close()
    timeline = recorder.timeline(ended=True)
    assert timeline is not None and timeline["steps"] > steps
    return python, sizes[1] - sizes[0], len(json.dumps(timeline)) / 2**20


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flight", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="workloads whose name begins so")
    parser.add_argument("--steps", type=int, default=10_000, help="steps of which memory is counted; 0: none")
    parser.add_argument("--rounds", type=int, default=100, help="at most so many rounds; 0: memory alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| workload | plain | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    for name in WORKLOADS if arguments.rounds else ():
        if name.startswith(arguments.only):
            print(f"| {name} | {' | '.join(measured(name, arguments.rounds))} |", flush=True)
    if arguments.only:
        return
    if arguments.rounds:
        check_gradients()
    if arguments.steps:
        print_growth(arguments.steps)


def check_gradients() -> None:
    """Print whether the gradients are the same."""
    plain = gradients(None)
    for way in WAYS:
        same = all(map(torch.equal, plain, gradients(way)))
        print(f"gradients at {way}: {'the same bits' if same else 'DIFFERENT'}")


def print_growth(steps: int) -> None:
    """Print what is kept of many steps."""
    for way in ("3 %", "Nodes"):
        python, process, timeline = growth(steps, way)
        grown = f"{python:+.2f} MiB of Python, {process:+.2f} MiB of the process after the first tenth"
        print(f"{steps:,} steps at {way}: {grown}; timeline {timeline:.2f} MiB", flush=True)


if __name__ == "__main__":
    main()
