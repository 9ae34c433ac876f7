"""What is kept of the steps: the thinned columns, the steps around triggers, and the triggers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from msgspec import Struct, field
from msgspec.structs import replace

from inspector.recording.flight.block import Block, ModuleNorms, Scalars
from inspector.recording.flight.first_gradients import FirstGradients
from inspector.recording.flight.followed import UnmovedParameters
from inspector.recording.flight.gradient_norms import GradientColumns, GradientNorms, StepNorms
from inspector.recording.flight.nap import Roots
from inspector.recording.flight.node_layout import MOST_MODULES
from inspector.recording.flight.node_norms import NodeNorms
from inspector.recording.flight.read_back import on_cpu
from inspector.recording.flight.roots import Root
from inspector.recording.flight.thinned_rows import RowColumns, ThinnedRows
from inspector.recording.flight.trigger_search import TriggerSearch
from inspector.recording.flight.triggers import MOST_TRIGGERS
from inspector.report.timeline import Column, ColumnKind, Numbers, Trigger, Window
from inspector.torch_api.modes import unobserved

BLOCK = 64
"""Number of steps that are worked on together: this costs less than one by one, and waits for a device once."""
_MOST_WAITING = 4_096
"""Maximum number of steps of a block, with those that were only counted."""

AROUND = 16
"""Number of steps before and after a trigger that are kept one by one."""

_DIGITS = 6
"""Significant digits of the numbers in a report."""


class Step(Struct):
    """A step whose numbers may still be on a device.

    calls: number of backward calls made by its end. roots, rates: by optimizer. measured: of each optimizer.
    nodes: what arrived at Nodes, of each call that was looked at, one an optimizer. updates: how far parameters
    moved, of each optimizer.
    """

    calls: int = 0
    roots: dict[int, Root] = field(default_factory=dict)
    rates: dict[int, float | None] = field(default_factory=dict)
    measured: list[StepNorms] = field(default_factory=list)
    nodes: list[NodeNorms] = field(default_factory=list)
    updates: list[StepNorms] = field(default_factory=list)

    def tensors(self) -> list[torch.Tensor]:
        """Its roots that may be on a device, and what arrived at Nodes."""
        roots = [root.value for root in self.roots.values() if isinstance(root.value, torch.Tensor)]
        return [*roots, *(tensor for nodes in self.nodes for tensor in nodes.tensors())]

    def read(self, copies: Iterator[torch.Tensor]) -> Step:
        """The same step with copies of `tensors()`, in that order."""
        roots = {
            number: replace(root, value=float(next(copies))) if isinstance(root.value, torch.Tensor) else root
            for number, root in self.roots.items()
        }
        return replace(self, roots=roots, nodes=[nodes.read(copies) for nodes in self.nodes])

    def scalars(self) -> dict[int, Scalars]:
        """Its numbers; waits for a device."""
        found = {}
        for number, rate in self.rates.items():
            root = self.roots.get(number)
            found[number] = Scalars(None, rate) if root is None else Scalars(root.number(), rate, root.is_exact)
        return found


class _Waiting(Struct):
    """Steps that wait to be worked on, by number.

    last: the number of the last step, which may have been counted only. before: of the last that does not wait.
    counted: the roots of steps that were only counted, by the number of the first of them.
    """

    last: int = 0
    before: int = 0
    steps: dict[int, Step] = field(default_factory=dict)
    counted: dict[int, Roots] = field(default_factory=dict)


class _Recent(Struct):
    """The last steps one by one, and the windows cut from them. ready: (first step, values of the columns)."""

    first: int = 1
    values: torch.Tensor | None = None
    windows: list[tuple[int, torch.Tensor]] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)


class StepStore:
    """The steps of the run, from the first one on.

    norms, unmoved: the parameters. search: what went wrong in the steps. first: when their gradients began.
    """

    def __init__(self, norms: GradientNorms, unmoved: UnmovedParameters) -> None:
        self.norms = norms
        self.search = TriggerSearch(unmoved)
        self.first = FirstGradients()
        self._columns = _Columns()
        self._waiting = _Waiting()
        self._rows = ThinnedRows()
        self._recent = _Recent()

    def add(self, step: Step) -> bool:
        """Append a step. Returns whether a block is full, which `flush` then works on."""
        waiting = self._waiting
        waiting.last += 1
        waiting.steps[waiting.last] = step
        return len(waiting.steps) >= BLOCK or waiting.last - waiting.before >= _MOST_WAITING

    def flush(self) -> None:
        """Work on the steps that wait."""
        waiting = self._waiting
        self._waiting = _Waiting(waiting.last, waiting.last)
        first = waiting.before + 1
        if waiting.last < first:
            return
        with unobserved():
            steps = _read(list(waiting.steps.values()))
            norms, known = self.norms.matrix([step.measured for step in steps])
            scalars, calls = [step.scalars() for step in steps], [step.calls for step in steps]
            modules = {
                row: self.search.add_nodes(number, step.nodes)
                for row, (number, step) in enumerate(zip(waiting.steps, steps, strict=True))
                if step.nodes
            }
            block = Block(list(waiting.steps), calls, scalars, norms, known, list(self.norms.names), modules)
            if any(step.updates for step in steps):
                block = replace(block, updates=self.norms.matrix([step.updates for step in steps]))
            values, is_known = self._columns.values(block)
            if len(block) <= waiting.last - first:
                values, is_known = _between_unknown(values, is_known, block.steps, range(first, waiting.last + 1))
                for start, roots in waiting.counted.items():
                    self._columns.note_roots(values[start - first :], is_known[start - first :], roots)
            self._rows.add(values, is_known)
            if len(block):
                self._recent.wanted += self.search.find(block)
                self.first.update(block)
            self._keep_windows(first, values.where(is_known, torch.nan))

    def skip(self, roots: Roots) -> None:
        """Append steps of which only the root is known."""
        waiting = self._waiting
        waiting.counted[waiting.last + 1] = roots
        waiting.last += len(roots)

    def _keep_windows(self, first: int, values: torch.Tensor) -> None:
        recent = self._recent
        if recent.values is None:
            recent.first, recent.values = first, values
        else:
            more = values.shape[1] - recent.values.shape[1]
            old = torch.cat([recent.values, torch.full((len(recent.values), more), torch.nan)], 1)
            recent.values = torch.cat([old, values])
        end = recent.first + len(recent.values)
        for step in [step for step in recent.wanted if step + AROUND < end]:
            recent.wanted.remove(step)
            self._cut(step)
        surplus = len(recent.values) - 2 * BLOCK - AROUND
        if surplus > 0:
            recent.first, recent.values = recent.first + surplus, recent.values[surplus:]

    def _cut(self, step: int) -> None:
        """Keep the steps around a trigger, without those that another window has."""
        recent = self._recent
        assert recent.values is not None
        first = max(step - AROUND, recent.first)
        if recent.windows:
            start, values = recent.windows[-1]
            first = max(first, start + len(values))
        found = recent.values[first - recent.first : max(step + AROUND + 1 - recent.first, 0)]
        if len(found) and len(recent.windows) < MOST_TRIGGERS:
            recent.windows.append((first, found.clone()))

    # Results

    @property
    def steps(self) -> int:
        """Number of steps that `flush` has worked on."""
        return self._waiting.before

    def row_steps(self) -> list[int]:
        """The number of steps in each row."""
        found: list[int] = self._rows.rows.steps.tolist()
        return found

    def columns(self, names: Sequence[str]) -> list[Column]:
        """The columns in which something was recorded. names: of the optimizers."""
        return self._columns.rows(self._rows.rows, names, self.norms.names)

    def windows(self) -> list[Window]:
        """The steps around the triggers, in the order of the columns."""
        recent, found = self._recent, len(self._recent.windows)
        for step in recent.wanted:
            self._cut(step)
        windows = list(recent.windows)
        del recent.windows[found:]  # those that lack the steps to come
        order = self._columns.recorded(self._rows.rows)
        wide = max((values.shape[1] for _, values in windows), default=0)
        order = [column for column in order if column < wide]
        return [{"first": first, "columns": _window(values, order)} for first, values in windows]

    def triggers(self) -> list[Trigger]:
        """The triggers found so far."""
        return self.search.triggers(self.norms.names, self.steps)


def _read(steps: list[Step]) -> list[Step]:
    """Steps whose roots and norms at Nodes are on the CPU; waits once for a device."""
    tensors = [tensor for step in steps for tensor in step.tensors()]
    if all(tensor.is_cpu for tensor in tensors):
        return steps
    copies = iter(on_cpu(tensors))
    return [step.read(copies) for step in steps]


class _Columns:
    """The columns of the table, in the order in which they appeared."""

    def __init__(self) -> None:
        self._places: dict[tuple[ColumnKind, int], int] = {}
        self._gradients = GradientColumns()
        self._modules: list[str] = []

    def values(self, block: Block) -> tuple[torch.Tensor, torch.Tensor]:
        """The steps of a block as rows of the table, and which values were recorded."""
        self._gradients.update(block.names)
        norms, known = self._gradients.combined(block.norms, block.known)
        at = [self._place("gradient", column) for column in range(len(self._gradients.names))]
        moved, at_moved = None, list[int]()
        if block.updates is not None:
            moved = self._gradients.combined(*block.updates)
            at_moved = [self._place("update", column) for column in range(len(self._gradients.names))]
        scalars: dict[int, list[float | None]] = {}
        for row, items in enumerate(block.scalars):
            for number, item in items.items():
                for column, value in (
                    (self._place("root", number), item.root),
                    (self._place("learning_rate", number), item.rate),
                ):
                    scalars.setdefault(column, [None] * len(block))[row] = value
        for row, found in block.modules.items():
            for column, norm in self._of_modules(found):
                scalars.setdefault(column, [None] * len(block))[row] = norm
        values = torch.zeros((len(block), len(self._places)), dtype=torch.float64)
        is_known = torch.zeros(values.shape, dtype=torch.bool)
        if at:
            values[:, at], is_known[:, at] = norms, known
        if moved is not None and at_moved:
            values[:, at_moved], is_known[:, at_moved] = moved
        for column, numbers in scalars.items():
            values[:, column] = torch.tensor([number or 0.0 for number in numbers], dtype=torch.float64)
            is_known[:, column] = torch.tensor([number is not None for number in numbers])
        return values, is_known

    def _of_modules(self, found: ModuleNorms) -> Iterator[tuple[int, float]]:
        """The columns of norms at modules, with their values."""
        kinds: tuple[tuple[ColumnKind, dict[str, float]], ...] = (
            ("module", found.gradients), ("output", found.outputs)
        )  # fmt: skip
        for kind, norms in kinds:
            for module, norm in norms.items():
                if module not in self._modules and len(self._modules) < MOST_MODULES:
                    self._modules.append(module)
                if module in self._modules:
                    yield self._place(kind, self._modules.index(module)), norm

    def note_roots(self, values: torch.Tensor, is_known: torch.Tensor, roots: Roots) -> None:
        """Write the roots of the only optimizer into the first rows of a table."""
        place = next((place for (kind, _), place in self._places.items() if kind == "root"), None)
        if place is None or place >= values.shape[1]:
            return
        values[: len(roots), place] = torch.tensor([root or 0.0 for root in roots], dtype=torch.float64)
        is_known[: len(roots), place] = torch.tensor([root is not None for root in roots])

    def _place(self, kind: ColumnKind, number: int) -> int:
        return self._places.setdefault((kind, number), len(self._places))

    def recorded(self, rows: RowColumns) -> list[int]:
        """The positions of the columns in which something was recorded: roots, rates, then gradients."""
        something = (~rows.middle.isnan() | (rows.bad > 0)).any(0).tolist()
        order = sorted(self._places, key=lambda key: (_ORDER.index(key[0]), key[1]))
        return [place for key in order if (place := self._places[key]) < len(something) and something[place]]

    def rows(self, rows: RowColumns, optimizers: Sequence[str], parameters: Sequence[str]) -> list[Column]:
        """The columns for a report."""
        keys = {place: key for key, place in self._places.items()}
        return [self._row(rows, place, *keys[place], optimizers, parameters) for place in self.recorded(rows)]

    def _row(self, rows: RowColumns, place: int, kind: ColumnKind, number: int, *names: Sequence[str]) -> Column:
        optimizers, parameters = names
        is_gradient = kind in ("gradient", "update")
        its = self._gradients.names if is_gradient else optimizers
        its = self._modules if kind in ("module", "output") else its
        found: Column = {
            "kind": kind,
            "name": "".join(its[number : number + 1]),
            "parameters": self._gradients.parameters(number, parameters) if is_gradient else [],
            "middle": _numbers(rows.middle[:, place]),
        }
        if bool((rows.steps > 1).any()):
            found["low"], found["high"] = _numbers(rows.low[:, place]), _numbers(rows.high[:, place])
        if bool((bad := rows.bad[:, place]).any()):
            found["not_finite"] = [[row, int(bad[row])] for row in bad.nonzero().flatten().tolist()]
        return found


def _between_unknown(
    values: torch.Tensor, known: torch.Tensor, numbers: Sequence[int], steps: range
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows for all of these steps: those with these numbers were recorded, the others only counted."""
    at = torch.tensor(numbers, dtype=torch.int64) - steps.start
    all_values = torch.zeros((len(steps), values.shape[1]), dtype=torch.float64)
    is_known = torch.zeros_like(all_values, dtype=torch.bool)
    all_values[at], is_known[at] = values, known
    return all_values, is_known


_ORDER: tuple[ColumnKind, ...] = ("root", "learning_rate", "gradient", "update", "module", "output")


def _numbers(values: torch.Tensor) -> Numbers:
    return [_rounded(value) for value in values.tolist()]


def _window(values: torch.Tensor, order: Sequence[int]) -> list[Numbers]:
    """The columns of a window; empty for those that came later."""
    return [_numbers(values[:, column]) if column < values.shape[1] else [] for column in order]


def _rounded(value: Any) -> float | None:
    """The number with fewer digits; None for NaN and infinities."""
    return float(f"{value:.{_DIGITS}g}") if value - value == 0 else None
