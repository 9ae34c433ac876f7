"""What the flight recorder costs: `python -m benchmarks.flight`.

Steps without it, with it at budgets of 3 % and 1 %, and with each of its levels in every step are timed in turn in
one process, by CPU time; a figure is the median of the ratios to the plain steps before and after, with its
standard error. `bare norms` is no recorder: the norms of all grads as torch computes them for clipping, stacked
and kept. No level that reads all gradients in every step can cost less. `empty hooks` calls empty functions where
the recorder is called: before and after backward, and as hooks of the optimizer before and after its step. The
gradients of all are compared bit by bit, and memory and the size of the timeline are counted after many steps.

A recorder records every step until that has taken half a second in all, so that a short run has a whole timeline.
The figures are of the steps after that, in which the budget holds. A second table has those of whole runs, with
the calls that are recorded in full and the steps before the budget holds.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import inspector
from benchmarks.models import GPT, ResNet
from inspector.recording.flight import FlightRecorder
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.depth_control import DepthControl
from inspector.recording.flight.light_steps import MOST_LIGHT
from inspector.recording.flight.node_norms import Depth
from inspector.recording.flight.update_norms import UpdateNorms
from inspector.recording.session import Session
from inspector.recording.watch_plan import WatchPlan
from inspector.user_code.paths import UserFiles

LAYERS = 6
WATCHED = 3
DECISION = 64
"""Recorded steps after which a recorder has decided anew."""
EMPTY, BARE, NO_UPDATES = "empty hooks", "bare norms", "parameters"
WAYS: dict[str, tuple[float, Depth | None]] = {
    "3 %": (0.03, None),
    "1 %": (0.01, None),
    NO_UPDATES: (1.0, None),
    "parameters and updates": (1.0, None),
    "modules": (1.0, "modules"),
    "Nodes": (1.0, "nodes"),
}
"""The budget, and what is looked at in every step; at 3 % and 1 % the recorder decides."""


class Training:
    """One training step of a model on one batch."""

    def __init__(self, model: nn.Module, loss: Callable[[], torch.Tensor]) -> None:
        self.model, self._loss = model, loss
        self.optimizer = torch.optim.SGD(model.parameters(), 1e-3)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self._loss().backward()
        self.optimizer.step()


class WithNorms(Training):
    """The same step, with the norms of its grads."""

    def __init__(self, training: Training) -> None:
        self.model, self.optimizer, self._loss = training.model, training.optimizer, training._loss
        self._kept: list[torch.Tensor] = []

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self._loss().backward()
        grads = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self._kept = [*self._kept[-64:], torch.stack(torch._foreach_norm(grads))]
        self.optimizer.step()


class WithHooks(Training):
    """The same step, with a hook before and after backward, and before and after the step of the optimizer."""

    def __init__(self, training: Training) -> None:
        super().__init__(training.model, training._loss)
        self.optimizer.register_step_pre_hook(_nothing)
        self.optimizer.register_step_post_hook(_nothing)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        loss = self._loss()
        _nothing(loss)
        loss.backward()
        _nothing(loss)
        self.optimizer.step()


def _nothing(*given: object) -> None:
    pass


class NoUpdates(UpdateNorms):
    """Leaves the parameters alone."""

    def is_due(self, step: int, cost: CostControl) -> bool:
        """Never."""
        return False


def gpt(width: int, batch: int) -> Training:
    model, ids = GPT(LAYERS, width), torch.randint(0, 100, (batch, 32))
    return Training(model, lambda: F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()))


def gpt2(width: int, batch: int) -> Training:
    """transformers' GPT-2 with 76 parameters and 438 Nodes."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ids = torch.randint(0, 100, (batch, 32))
    shape = GPT2Config(n_layer=LAYERS, n_embd=width, n_head=4, vocab_size=100, n_positions=32)
    model = GPT2LMHeadModel(shape)
    return Training(model, lambda: model(ids, labels=ids).loss)


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


WORKLOADS: dict[str, Callable[[], Training]] = {
    "GPT, width 64, batch 2": lambda: gpt(64, 2),
    "GPT, width 256, batch 8": lambda: gpt(256, 8),
    "GPT-2 of transformers, width 64, batch 2": lambda: gpt2(64, 2),
    "GPT-2 of transformers, width 256, batch 8": lambda: gpt2(256, 8),
    "ResNet-18, 32 x 32": resnet,
    "LSTM": lstm,
    "MLP of 3 layers": mlp,
}
LEAST_TURNS, WHOLE_RUNS = 12, 3


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
    if way == NO_UPDATES:
        followed = recorder._flight._followed
        followed.updates = NoUpdates(followed.norms)
    recorder.open()
    if waits and budget < 1.0:
        while not recorder.is_within_budget:
            training()
    for _ in range(settle):
        training()
    settled = (0, 0)  # until it has found out how often it may measure:
    while waits and budget < 1.0 and settled != cost_of(recorder):
        settled = cost_of(recorder)
        for _ in range(DECISION * (settled[1] + 1)):
            training()
    recorder.close()
    return recorder


def cost_of(recorder: FlightRecorder) -> tuple[int, int]:
    """What the recorder has decided: norms in one of so many steps, and so many steps that are only counted."""
    cost = recorder._flight.cost
    return cost.every, cost.skips


def seconds(training: Training, recorder: FlightRecorder | None, steps: int) -> float:
    """CPU seconds of a step."""
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


def measured(name: str, least: float, wanted: list[str]) -> Iterator[str]:
    """The cells of a row. least: CPU seconds for each way. wanted: the ways.

    Each turn stands between two of the plain step, and is compared with their mean. It has as many steps as the
    recorder works on together, so that this work is counted.
    """
    torch.manual_seed(0)
    training = WORKLOADS[name]()
    ways = {way: recorded(training, way, 16) for way in WAYS if way in wanted}
    others = {BARE: WithNorms(training), EMPTY: WithHooks(training)}
    pairs: dict[str, list[tuple[float, float]]] = {way: [] for way in wanted}
    plain = [seconds(training, None, 8)]
    for way in itertools.cycle(wanted):
        recorder = ways.get(way)
        steps = MOST_LIGHT if recorder is None else max(MOST_LIGHT, cost_of(recorder)[1] + 1)
        if sum(one for one, _ in pairs[way]) * steps > least and len(pairs[way]) >= LEAST_TURNS:
            break
        one = seconds(others.get(way, training), recorder, steps)
        plain.append(seconds(training, None, steps))
        pairs[way].append((one, (plain[-2] + plain[-1]) / 2))
    yield f"{statistics.median(plain) * 1e3:.2f} ms"
    for way in wanted:
        low, middle, high = statistics.quantiles([one / other for one, other in pairs[way]], n=4)
        more = statistics.median(one - other for one, other in pairs[way])
        error = 0.93 * (high - low) / len(pairs[way]) ** 0.5  # of the median of normally distributed numbers
        yield f"{middle:.3f} x ± {error:.3f} ({more * 1e6:+.0f} us)"


def whole_run(name: str, steps: int) -> str:
    """What a whole run of so many steps costs at 3 %, with the calls that are recorded in full and the steps
    before the budget holds: the medians of the ratios and the differences of runs in turn."""
    pairs = []
    for _ in range(WHOLE_RUNS):
        both = []
        for budget in (0.0, 0.03):
            torch.manual_seed(0)
            training = WORKLOADS[name]()
            training()  # what torch does once
            with inspector.watch(budget=budget) if budget else contextlib.nullcontext():
                began = time.process_time()
                for _ in range(steps):
                    training()
                both.append(time.process_time() - began)
        pairs.append(both)
    ratio = statistics.median(one / plain for plain, one in pairs)
    more = statistics.median(one - plain for plain, one in pairs)
    return f"| {name} | {steps:,} | {pairs[0][0]:.1f} s | {ratio:.3f} x ({more:+.2f} s) |"


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


def growth(steps: int, way: str) -> tuple[float, float]:
    """MiB by which the process grows from the first tenth of the steps to their end, and of the timeline."""
    torch.manual_seed(0)
    training = mlp()
    recorder = recorded(training, way, 0, waits=False)
    recorder.open()
    sizes = []
    for part in (steps // 10, steps - steps // 10):
        for _ in range(part):
            training()
        gc.collect()
        sizes.append(resident())
    recorder.close()
    timeline = recorder.timeline(ended=True)
    assert timeline is not None and timeline["steps"] > steps
    return sizes[1] - sizes[0], len(json.dumps(timeline)) / 2**20


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flight", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="workloads whose name begins so")
    parser.add_argument("--steps", type=int, default=100_000, help="steps of which memory is counted; 0: none")
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU seconds for each way; 0: memory alone")
    parser.add_argument("--whole", type=int, default=2_000, help="steps of whole runs; 0: none")
    parser.add_argument("--ways", default=",".join((EMPTY, BARE, *WAYS)), help="separated by commas; default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ways = arguments.ways.split(",")
    print(f"| workload | plain | {' | '.join(ways)} |\n|---|---|{'---|' * len(ways)}")
    for name in WORKLOADS if arguments.seconds else ():
        if name.startswith(arguments.only):
            print(f"| {name} | {' | '.join(measured(name, arguments.seconds, ways))} |", flush=True)
    if arguments.whole:
        print("| workload | steps | plain | whole run at 3 % |\n|---|---|---|---|")
    for name in WORKLOADS if arguments.whole else ():
        if name.startswith(arguments.only):
            print(whole_run(name, arguments.whole), flush=True)
    if arguments.only:
        return
    if arguments.seconds:
        check_gradients()
    if arguments.steps:
        print_growth(arguments.steps, ways)


def check_gradients() -> None:
    """Print whether the gradients are the same."""
    plain = gradients(None)
    for way in WAYS:
        same = all(map(torch.equal, plain, gradients(way)))
        print(f"gradients at {way}: {'the same bits' if same else 'DIFFERENT'}")


def print_growth(steps: int, wanted: list[str]) -> None:
    """Print what is kept of many steps. wanted: the ways."""
    for way in [way for way in WAYS if way in wanted]:
        grown, timeline = growth(steps, way)
        sizes = f"{grown:+.2f} MiB after the first tenth; timeline {timeline:.2f} MiB"
        print(f"{steps:,} steps at {way}: {sizes}", flush=True)


if __name__ == "__main__":
    main()
