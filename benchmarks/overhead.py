"""What recording costs: `python -m benchmarks.overhead`.

Each way of running a workload is timed in turn, round after round, in one process, by CPU time, right after a
first run that is not timed, as steps of a training follow each other; a figure is the median over the rounds, as a
ratio to the plain run. Beside ours torch's anomaly mode, a debugger's and coverage's
trace function (to which ours yields), and torchlens' trace of the forward where it is installed.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import nn

import inspector
from benchmarks.models import GPT
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import walk

ROUNDS = 15
SIZES = {"width 64, batch 2": (64, 2), "width 256, batch 8": (256, 8)}
LAYERS = 9  # 400 Nodes


class Workload(Protocol):
    """What is timed. `forward` makes its loss, `__call__` runs all of it, with one backward call."""

    def forward(self) -> torch.Tensor: ...

    def __call__(self) -> None: ...


class Step:
    """One training step of a small GPT."""

    def __init__(self, width: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = GPT(LAYERS, width)
        self.ids = torch.randint(0, 100, (batch, 32))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-3)

    def forward(self) -> torch.Tensor:
        return F.cross_entropy(self.model(self.ids).flatten(0, 1), self.ids.flatten())

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        loss = self.forward()
        loss.backward()
        self.optimizer.step()


class Reading:
    """A script that spends its time in Python: it splits and counts text, then takes one small step on it.

    So much text that what a recorded step costs at most once (reading the script's own source takes 2 ms) is
    little beside it.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        words = ["gradient", "tensor", "leaf", "root", "node", "edge", "slot", "hook"]
        self.lines = [" ".join(words[(i * k) % 8] + str(i % 97) for k in range(1, 12)) for i in range(240_000)]
        self.model = nn.Linear(8, 1)

    def tokens(self) -> list[int]:
        ids: dict[str, int] = {}
        found = []
        for line in self.lines:
            for word in line.split():
                if word not in ids:
                    ids[word] = len(ids)
                found.append(ids[word])
        return found

    def forward(self) -> torch.Tensor:
        numbers = torch.tensor(self.tokens()[:8_000], dtype=torch.float32).view(-1, 8)
        return self.model(numbers).square().mean()

    def __call__(self) -> None:
        self.forward().backward()


Way = Callable[[Any], float]
"""Runs a workload in its way and returns the seconds of CPU time of that run alone."""


def timed(run: Callable[[], Any], times: int = 1) -> float:
    """Seconds of CPU time of one run: of several that follow each other, the mean."""
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def plain(work: Workload) -> float:
    work()
    return timed(work, 2)


def light(work: Workload) -> float:
    """The second and third of three recorded runs, which is what is watched of a training: the first one finds
    the names and lines of the code, after the third all of ours is taken off."""
    with inspector.record(watch=3, mode="light"):
        work()
        return timed(work, 2)


def full(work: Workload) -> float:
    work()
    with inspector.record(watch=1):
        return timed(work)


def after(work: Workload) -> float:
    """A run after the watched call has ended, still within the block."""
    with inspector.record(watch=1):
        work()
        work()
        return timed(work, 2)


def anomaly_mode(work: Workload) -> float:
    work()
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        return timed(work, 2)


OURS: dict[str, Way] = {"plain": plain, "light": light, "full": full, "after": after}
WAYS: dict[str, Way] = {**OURS, "anomaly mode": anomaly_mode}


def measure(work: Workload, ways: dict[str, Way], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds of CPU time of each way, the median of `rounds` rounds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, run in ways.items():
            gc.collect()  # what one way leaves behind is not collected in the next one's time
            seconds = run(work)
            if number >= 2:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def node_count(work: Workload) -> int:
    return len(walk([edge] if (edge := gradient_edge(work.forward())) else []).nodes)


def recorded_bytes(work: Workload) -> int:
    """The bytes of all tensors that a full recording has numbers of: values, grads, what went along the edges."""
    with inspector.record(watch=1) as recording:
        work()
    graph = recording.calls[0].graph
    values = [value for _, row in graph.tensors() for value in (row["before"]["data"], row["after"]["grad"])]
    values += [row["gradient"] for _, row in graph.tensors()]
    values += [row["gradient"] for _, _, row in graph.edges("next")]
    return sum(_bytes(value) for value in values if inspector.graph.is_summary(value))


def _bytes(summary: dict[str, Any]) -> int:
    return int(torch.Size(summary["shape"]).numel() * getattr(torch, summary["dtype"]).itemsize)


def pass_over(size: int) -> float:
    """Seconds in which torch reads so many bytes once, in pieces of a megabyte that lie apart."""
    pieces = [torch.ones(1 << 18) for _ in range(64)]
    count = max(1, size >> 20)

    def read() -> None:
        for index in range(count):
            torch.linalg.vector_norm(pieces[index % len(pieces)])

    return statistics.median(timed(read) for _ in range(5)) * size / (count << 20)


@contextlib.contextmanager
def debugger() -> Iterator[None]:
    """A trace function in Python that looks at every line, as that of a debugger does."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(previous)


@contextlib.contextmanager
def coverage_running() -> Iterator[None]:
    """Coverage's own trace function. Raises ImportError where it is not installed."""
    import coverage

    measuring = coverage.Coverage(data_file=None)
    measuring.start()
    try:
        yield
    finally:
        measuring.stop()


def under(tracer: Callable[[], contextlib.AbstractContextManager[None]], way: Way) -> Way:
    def run(work: Workload) -> float:
        with tracer():
            return way(work)

    return run


def row(name: str, seconds: dict[str, float]) -> str:
    plain = seconds["plain"]
    cells = [f"{plain * 1000:.1f} ms", *(f"{value / plain:.2f} x" for value in [*seconds.values()][1:])]
    return f"| {name} | {' | '.join(cells)} |"


def measure_step(name: str, width: int, batch: int) -> list[str]:
    """Print the row of a training step; gives the lines of what it costs. Its model is the only one meanwhile."""
    step = Step(width, batch)
    seconds = measure(step, WAYS)
    print(row(name, seconds))
    return list(costs(name, step, seconds))


def costs(name: str, work: Workload, seconds: dict[str, float]) -> Iterator[str]:
    """What light and full recording add, beside what they may."""
    nodes, plain, read = node_count(work), seconds["plain"], pass_over(recorded_bytes(work))
    for way, each, share in (("light", 20e-6, 0.05 * plain), ("full", 150e-6, 3 * read)):
        cost = seconds[way] - plain
        rest = f"5 % of the step {share * 1e3:.1f} ms" if way == "light" else f"3 passes {share * 1e3:.1f} ms"
        yield (
            f"{name}, {way}: {cost * 1e3:.1f} ms for {nodes} Nodes, {cost / nodes * 1e6:.1f} us a Node "
            f"(allowed {each * 1e6:.0f} us a Node and {rest}: {(each * nodes + share) * 1e3:.1f} ms)"
        )


def print_torchlens(work: Step) -> None:
    """Our full recording of a forward against torchlens' trace of it, which stays in torch's functions: last."""
    try:
        import torchlens
    except ImportError as error:
        print(f"torchlens is not installed ({error}): pip install torchlens")
        return

    def plain(work: Step) -> float:
        work.forward()
        return timed(work.forward)

    def recorded(work: Step) -> float:
        work.forward()
        with inspector.record(watch=1):
            return timed(work.forward)

    def traced(work: Step) -> float:
        work.forward()
        return timed(lambda: torchlens.trace(work.model, work.ids))

    seconds = measure(work, {"plain": plain, "recorded": recorded}, 5)
    seconds |= measure(work, {"traced": traced}, 5)
    ours, theirs = seconds["recorded"] - seconds["plain"], seconds["traced"] - seconds["plain"]
    print(
        f"forward alone: plain {seconds['plain'] * 1e3:.1f} ms, "
        f"recorded in full {seconds['recorded'] * 1e3:.1f} ms, "
        f"torchlens {torchlens.__version__} {seconds['traced'] * 1e3:.1f} ms: "
        f"it adds {theirs / ours:.1f} times as much (at least 20 are wanted)"
    )


def main() -> None:
    """Print tables in markdown."""
    torch.set_num_threads(1)
    print(f"| training step | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    costs = [measure_step(name, *size) for name, size in SIZES.items()]
    print(row("pure Python (a tokeniser)", measure(Reading(), WAYS)))
    first = Step(*next(iter(SIZES.values())))
    for name, tracer in (("under a debugger", debugger), ("under coverage", coverage_running)):
        try:
            print(row(name, measure(first, {way: under(tracer, run) for way, run in OURS.items()})))
        except ImportError as error:
            print(f"{name}: not measured ({error})")
    print("", *itertools.chain.from_iterable(costs), sep="\n")
    print_torchlens(first)


if __name__ == "__main__":
    main()
