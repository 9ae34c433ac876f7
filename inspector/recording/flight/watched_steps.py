"""The first steps of a timeline, from what the session recorded of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value
from inspector.recording.flight.chosen import Chosen
from inspector.recording.flight.gradient_norms import StepNorms
from inspector.recording.flight.roots import Root
from inspector.recording.flight.step_counter import StepCounter
from inspector.recording.flight.store import Step
from inspector.recording.session import Session
from inspector.report import BackwardCall
from inspector.user_code.paths import UserFiles


class WatchedRun:
    """What a session has recorded.

    files: the user's. chosen: whose steps. calls_made: number of backward calls.
    optimizers: the numbers of the chosen ones.
    """

    def __init__(self, files: UserFiles, session: Session, chosen: Chosen) -> None:
        self.files, self.chosen = files, chosen
        self.calls = list(session.calls)
        self.calls_made = session.made
        self.inventory = session.inventory
        self.events = session.events
        self.optimizers = chosen.numbers(session)
        self._session = session

    @property
    def has_optimizer(self) -> bool:
        """Whether there is a chosen optimizer, as far as was seen."""
        return bool(self.optimizers)

    def parameters(self) -> Iterator[tuple[torch.Tensor, str]]:
        """The parameters to follow, with their names: the chosen ones, or the leaves that optimizers hold, or all
        leaves if there is no optimizer."""
        if self.chosen.is_all:
            for tensor, name, holders in self._session.leaves():
                if holders or not self.optimizers:
                    yield tensor, name
            return
        yield from ((tensor, name) for tensor, name in self.chosen.named() if tensor.requires_grad)
        ours = self.chosen.parameters()
        yield from ((tensor, name) for tensor, name, _ in self._session.leaves() if id(tensor) in ours)

    def names(self) -> dict[int, str]:
        """The names of the leaves of the recorded calls, by the ids of the tensors."""
        return {id(tensor): name for tensor, name, _ in self._session.leaves()}

    def grads_after(self, call: BackwardCall) -> dict[str, float]:
        """The norms of the grads after a call, by name: also of leaves in modules that no variable holds, if they
        are in its graph."""
        norms: dict[str, float] = {}
        for leaf in self.inventory.leaves:
            for row in leaf["calls"]:
                if row["backward_call"] == call.index and row["tensor"] is not None:
                    norm = value_norm(call.graph[row["tensor"]]["after"]["grad"])
                    norms |= {} if norm is None else {leaf["name"]: norm}
        for parameter in self.inventory.parameters:
            for item in parameter["calls"]:
                if item["backward_call"] == call.index and (known := _number(item["after"])) is not None:
                    norms[parameter["name"]] = known
        return norms

    def with_gradient(self) -> set[str]:
        """The names of the leaves in optimizers whose grad was not zero after some recorded call."""
        held = {leaf["name"] for leaf in self.inventory.leaves if leaf["optimizers"]}
        norms = (pair for call in self.calls for pair in self.grads_after(call).items())
        return {name for name, norm in norms if norm and name in held}

    def optimizer_names(self) -> list[str]:
        """The names of the optimizers that there are now, by number."""
        rows = self._session.inventory.optimizers
        return [str(row["name"] or row["class"]) for row in rows]


class WatchedSteps:
    """The steps of a watched run, and what its last backward call left for the step that is to come.

    names: of the parameters that are followed. by_optimizer: whether a step is what an optimizer calls a step.
    begun: the step that has begun: an optimizer has stepped, but none has stepped again. Set by `steps`.
    """

    def __init__(self, run: WatchedRun, names: Sequence[str], *, by_optimizer: bool) -> None:
        self._calls = {call.index: call for call in run.calls}
        self._run, self._names = run, names
        self._by_optimizer = by_optimizer
        self.begun = Step()

    def steps(self, counter: StepCounter) -> list[Step]:
        """The steps that are over. counter: counts them, and those that have begun."""
        if not self._by_optimizer:
            for call in self._calls:
                counter.add(call)
                counter.end()
            return [self._step(call, {0: call}) for call in self._calls]
        found: list[Step] = []
        begun: dict[int, int] = {}
        for event in self._run.events:
            number = event["optimizer"]
            if event["event"] != "step" or number not in self._run.optimizers:
                continue
            if counter.add(number):
                found.append(self._step(max(begun.values()), begun))
                begun = {}
            begun[number] = event["after_call"]
        self.begun = self._step(max(begun.values()), begun) if begun else self.begun
        return found

    def left(self) -> tuple[Root | None, StepNorms | None]:
        """The root and the gradients of the last call, if no step has used them."""
        used = self.begun.calls == self._run.calls_made or not self._by_optimizer
        last = self._run.calls_made
        return (None, None) if used else (self.root(last), self.measured(last))

    def _step(self, last: int, calls: dict[int, int]) -> Step:
        """calls: optimizer → the call before its step."""
        step = Step(last, rates=dict.fromkeys(calls))
        for number, call in calls.items():
            root, measured = self.root(call), self.measured(call, number if self._by_optimizer else None)
            if root is not None:
                step.roots[number] = root
            if measured is not None:
                step.measured.append(measured)
        return step

    def root(self, index: int) -> Root | None:
        """The value of a call's first root, without the scale of a GradScaler."""
        call = self._calls.get(index)
        if call is None or not call.graph.roots:
            return None
        row = call.graph[call.graph.roots[0]]
        value = _number(row["before"]["data"])
        if value is None or (call.setting.scale is not None and not math.isfinite(value)):  # the scale may be why
            return None
        return Root(value / (call.setting.scale or 1.0), row.get("dtype") in ("float32", "float64"))

    def measured(self, index: int, optimizer: int | None = None) -> StepNorms | None:
        """The norms of the grads after a call: of the parameters of an optimizer, or of all."""
        call = self._calls.get(index)
        if call is None:
            return None
        scale, norms = call.setting.scale or 1.0, self._run.grads_after(call)
        groups = [] if optimizer is None else self._run.inventory.optimizers[optimizer]["groups"]
        held = {name for group in groups for name in group["parameters"]}
        positions = [
            position
            for position, name in enumerate(self._names)
            if name in norms and (optimizer is None or name in held)
        ]
        values = torch.tensor([norms[self._names[position]] for position in positions], dtype=torch.float64)
        return StepNorms(((tuple(positions), values / scale),)) if positions else None


def _number(value: Value) -> float | None:
    """A real number as a float; None for anything else."""
    return float(value) if isinstance(value, (int, float)) else None
