"""Find what goes wrong in the numbers of the steps."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterator

import torch
from msgspec import Struct, field

from inspector.recording.flight.block import Block
from inspector.report.timeline import Trigger, TriggerKind

MOST_TRIGGERS = 8
"""Maximum number of triggers of one kind."""

WINDOW, LEAST_WINDOW = 64, 32
"""Maximum and minimum number of earlier steps that a spike is compared with."""
TIMES_MEDIAN, TIMES_LARGEST = 20.0, 5.0
"""A spike is a norm above these multiples of the median and of the largest norm of those steps."""

SUSPECT_STEPS, ZERO_STEPS = 16, 80
"""Numbers of recorded steps with a gradient of exactly zero: those after which the graph is searched for its
parameter, and those after which it is reported. Steps whose roots are all zero do not count: there, zero is the
right gradient. The second number is one block of steps larger, so that the search always comes first."""
ALIVE_STEPS = 10
"""Minimum number of recorded steps before these in which it was not zero."""

CONSTANT_STEPS = 50
"""Minimum number of steps in which a constant root has the same bits."""
RATE_STEPS = 20
"""Minimum number of steps in which the learning rate is 0."""


def trigger(kind: TriggerKind, block: Block, row: int, value: float, parameters: list[str]) -> Trigger:
    """A trigger at a row of a block."""
    return {
        "kind": kind,
        "step": block.step(row),
        "backward_call": block.calls[row],
        "parameters": parameters,
        "value": value,
    }


class NonFinite:
    """The first root, and the first gradients, that are NaN or infinite."""

    def __init__(self) -> None:
        self._root = self._gradient = False

    def find(self, block: Block) -> Iterator[Trigger]:
        """The triggers in a block."""
        if not self._root:
            rows = [row for row in range(len(block)) if not all(map(math.isfinite, block.roots(row)))]
            for row in rows[:1]:
                self._root = True
                value = next(root for root in block.roots(row) if not math.isfinite(root))
                yield trigger("root_not_finite", block, row, value, [])
        bad = block.known & ~block.norms.isfinite()
        if not self._gradient and bool(bad.any()):
            self._gradient = True
            row = int(bad.any(1).nonzero()[0])
            names = [block.names[position] for position in bad[row].nonzero().flatten().tolist()]
            yield trigger("gradient_not_finite", block, row, float(block.norms[row][bad[row]][0]), names)


class Spikes:
    """Steps whose gradient norm, over all parameters, or whose root leaves its range.

    The range is that of the `WINDOW` steps before, see `TIMES_MEDIAN`. A step is compared only if at least
    `LEAST_WINDOW` of these were recorded and more than half of them were not zero.
    """

    def __init__(self) -> None:
        self._before: deque[float] = deque(maxlen=WINDOW)
        self._quiet_until = 0
        self._of_parameters: deque[torch.Tensor] = deque(maxlen=WINDOW)

    def find(self, block: Block) -> Iterator[Trigger]:
        """The triggers in a block."""
        rows = block.known.any(1).nonzero().flatten().tolist()
        totals = block.norms.where(block.known, 0.0).square().sum(1).sqrt().tolist()
        for row in rows:
            total = totals[row]
            if not math.isfinite(total):
                continue
            if (usual := self._usual(total)) is not None and block.step(row) > self._quiet_until:
                self._quiet_until = block.step(row) + WINDOW
                found = trigger("spike", block, row, total, self._largest(block, row))
                found["usual"] = usual
                yield found
            self._before.append(total)
            self._of_parameters.append(block.norms[row])

    def _usual(self, total: float) -> float | None:
        """The median of the steps before if this is a spike; None otherwise."""
        before = self._before
        if len(before) < LEAST_WINDOW or total <= TIMES_LARGEST * max(before):
            return None
        usual = statistics.median(before)
        return usual if usual > 0 and total > TIMES_MEDIAN * usual else None

    def _largest(self, block: Block, row: int) -> list[str]:
        """The parameters whose norm is the most times its own median, largest first."""
        columns = min(len(norms) for norms in self._of_parameters)
        usual = torch.stack([norms[:columns] for norms in self._of_parameters]).median(0).values
        ratio = block.norms[row][:columns] / usual
        ratio = ratio.where(block.known[row][:columns] & ratio.isfinite(), 0.0)
        order = ratio.argsort(descending=True, stable=True).tolist()
        return [block.names[position] for position in order if ratio[position] > TIMES_MEDIAN] or [
            block.names[position] for position in order[:1]
        ]


class _Run(Struct):
    """Equal values, one step after another."""

    value: float | None = None
    row: tuple[int, int] = (0, 0)
    length: int = 0

    def add(self, value: float | None, step: int, call: int) -> int:
        """The length of the run that ends here; 0 without a value."""
        if value is None:
            self.length = 0
        elif self.length and value == self.value:
            self.length += 1
        else:
            self.row, self.length = (step, call), 1
        self.value = value
        return self.length


class Standstills:
    """Roots that stay the same to the bit, and learning rates that stay 0, by optimizer."""

    def __init__(self) -> None:
        self._roots: dict[int, _Run] = {}
        self._rates: dict[int, _Run] = {}
        self._found: dict[tuple[str, int], Trigger] = {}

    def find(self, block: Block) -> Iterator[Trigger]:
        """The triggers in a block. Those found before are updated: how long they lasted."""
        for row, scalars in enumerate(block.scalars):
            for number, item in scalars.items():
                step, call = block.step(row), block.calls[row]
                root = item.root if item.is_exact and item.root and math.isfinite(item.root) else None
                rate = 0.0 if item.rate == 0 else None
                for kind, runs, value, least in (
                    ("constant_root", self._roots, root, CONSTANT_STEPS),
                    ("zero_rate", self._rates, rate, RATE_STEPS),
                ):
                    run = runs.setdefault(number, _Run())
                    length = run.add(value, step, call)
                    if length == least:
                        found: Trigger = {
                            "kind": "constant_root" if kind == "constant_root" else "zero_rate",
                            "step": run.row[0],
                            "backward_call": run.row[1],
                            "parameters": [],
                            "value": run.value,
                            "steps": length,
                        }
                        self._found[kind, number] = found
                        yield found
                    elif length > least:
                        self._found[kind, number]["steps"] = length


class _Zeros(Struct):
    """For each parameter: recorded steps with a gradient that is not zero, and since when it is zero."""

    alive: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    length: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    start: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))

    def widen(self, columns: int) -> None:
        more = torch.zeros(columns - len(self.alive), dtype=torch.int64)
        self.alive, self.length, self.start = (
            torch.cat([part, more]) for part in (self.alive, self.length, self.start)
        )


class ZeroGradients:
    """Parameters whose gradients were not zero, and have been exactly zero ever since.

    suspects: positions of parameters, until it is known whether the graph still reaches them: if it does
    not, zeros are what zero_grad left. reported: the triggers, by position.
    """

    def __init__(self) -> None:
        self._zeros = _Zeros()
        self._calls: dict[int, int] = {}
        self.suspects: set[int] = set()
        self._confirmed: set[int] = set()

    def update(self, block: Block) -> None:
        """Note the zeros of a block."""
        zeros = self._zeros
        zeros.widen(block.norms.shape[1])
        counts = torch.tensor([any(block.roots(row)) or not block.roots(row) for row in range(len(block))])
        known = block.known & counts.unsqueeze(1)
        is_zero, is_alive = known & (block.norms == 0), known & (block.norms != 0)
        places = torch.arange(1, len(block) + 1).unsqueeze(1)
        last = (is_alive * places).amax(0)  # 0: none
        after = (is_zero & (places > last)).sum(0)
        first = torch.tensor(block.steps)[torch.where(is_zero & (places > last), places, len(block)).amin(0) - 1]
        begins = (last > 0) | (zeros.length == 0)
        zeros.start = torch.where(begins, first, zeros.start)
        zeros.length = torch.where(last > 0, after, zeros.length + after)
        zeros.alive += is_alive.sum(0)
        self._calls |= {block.step(row): call for row, call in enumerate(block.calls)}
        wanted = set(zeros.start.tolist())
        self._calls = {step: call for step, call in self._calls.items() if step in wanted}
        dead = (zeros.length >= SUSPECT_STEPS) & (zeros.alive >= ALIVE_STEPS)
        found = set(dead.nonzero().flatten().tolist())
        self.suspects = found - self._confirmed
        self._confirmed &= found

    def confirm(self, reached: set[int]) -> None:
        """The graph reaches the parameters at these positions; the other suspects are none."""
        self._confirmed |= self.suspects & reached
        for position in self.suspects - reached:
            self._zeros.length[position] = 0
        self.suspects = set()

    def triggers(self, names: list[str]) -> list[Trigger]:
        """One trigger for all parameters whose zeros began at the same step."""
        steps: dict[int, list[int]] = {}
        long = (self._zeros.length >= ZERO_STEPS).nonzero().flatten().tolist()
        for position in sorted(self._confirmed.intersection(long)):
            steps.setdefault(int(self._zeros.start[position]), []).append(position)
        return [
            {
                "kind": "zero_gradient",
                "step": step,
                "backward_call": self._calls.get(step),
                "parameters": [names[position] for position in positions],
                "value": 0.0,
                "steps": int(self._zeros.length[positions[0]]),
            }
            for step, positions in sorted(steps.items())
        ]
