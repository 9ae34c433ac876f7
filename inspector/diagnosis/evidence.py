"""The evidence for the rules: a Report with lookups. No torch needed."""

from __future__ import annotations

import functools
from typing import Any

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.values import is_unknown
from inspector.report import Report
from inspector.report.row_types import EventRow, LeafCall, LeafRow, OptimizerRow, ParameterRow
from inspector.report.timeline import Trigger, TriggerKind


class Evidence:
    """A report with the lookups that rules need."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.calls = [BackwardView(call) for call in report.calls]

    @functools.cached_property
    def calls_with_gradients(self) -> list[BackwardView]:
        """The calls in which gradients were recorded."""
        return [call for call in self.calls if any(_is_known(row["step"]) for row in call.functions.values())]

    @functools.cached_property
    def calls_with_all_gradients(self) -> list[BackwardView]:
        """The calls with gradients in which the engine ran the whole graph: `backward()` for all leaves."""
        return [call for call in self.calls_with_gradients if call.row.setting.wanted is None]

    def calls_from_the_line_of(self, call: BackwardView) -> list[BackwardView]:
        """The calls of `calls_with_all_gradients` from the same line, including this one: iterations of a loop."""
        return [other for other in self.calls_with_all_gradients if other.row.location == call.row.location]

    @functools.cached_property
    def calls_recorded_in_full(self) -> list[BackwardView]:
        """The calls whose forward was recorded operation by operation, with values."""
        return [call for call in self.calls if call.row.setting.recording == "full"]

    @property
    def parameters(self) -> list[ParameterRow]:
        """The rows of the script's parameters (`Inventory.parameters`)."""
        return self.report.inventory.parameters

    @property
    def optimizers(self) -> list[OptimizerRow]:
        """The rows of the script's optimizers (`Inventory.optimizers`)."""
        return self.report.inventory.optimizers

    @property
    def leaves(self) -> list[LeafRow]:
        """The rows of the leaves that a module or an optimizer holds (`Inventory.leaves`)."""
        return self.report.inventory.leaves

    @property
    def events(self) -> list[EventRow]:
        """The events around the backward calls, in order (`Report.events`)."""
        return self.report.events

    @functools.cached_property
    def trained(self) -> set[str]:
        """The names of the parameters held by an optimizer of the script; empty if no optimizer was seen."""
        return {name for row in self.optimizers for group in row["groups"] for name in group["parameters"]}

    def is_trained(self, name: str) -> bool:
        """Whether the gradient of this leaf is needed: an optimizer holds it, or no optimizer was seen."""
        return not self.optimizers or name in self.trained

    @functools.cached_property
    def _held(self) -> list[frozenset[str]]:
        return [
            frozenset(name for group in row["groups"] for name in group["parameters"]) for row in self.optimizers
        ]

    def held_by(self, optimizer: int | None) -> frozenset[str]:
        """The names of the parameters in an optimizer, by its number; empty for None."""
        return frozenset() if optimizer is None else self._held[optimizer]

    def in_optimizer(self, name: str) -> bool:
        """Whether an optimizer holds this leaf."""
        return name in self.trained

    def is_stepped(self, name: str) -> bool:
        """Whether this leaf was meant to be trained in the calls: its optimizer stepped, or no step was seen."""
        if not self.optimizers:
            return True
        return any(
            name in group["parameters"]
            for number, row in enumerate(self.optimizers)
            if not self.stepped or number in self.stepped
            for group in row["groups"]
        )

    @functools.cached_property
    def reached(self) -> set[str]:
        """The names of the leaves in the graph of any recorded call that trains them, see `calls_of`."""
        return {
            name
            for call in self.calls
            for name in map(call.name, call.leaf_of.values())
            if call.row.setting.wanted is None or name not in self._never_filled
        }

    def calls_of(self, leaf: LeafRow) -> list[LeafCall]:
        """The recorded calls whose graphs contain a leaf.

        Without those of `torch.autograd.grad` if every step of its optimizer found its grad None: nothing used the
        gradients that they returned to train it.
        """
        if leaf["name"] not in self._never_filled:
            return leaf["calls"]
        filling = {call.index for call in self.calls if call.row.setting.wanted is None}
        return [row for row in leaf["calls"] if row["backward_call"] in filling]

    @functools.cached_property
    def _never_filled(self) -> set[str]:
        """The names of the parameters whose grad was None at every step of the optimizers that hold them."""
        empty = {name for step in self.steps for name in step.get("without_gradient", ())}
        return empty - self._filled

    @functools.cached_property
    def filled_by_script(self) -> set[str]:
        """The names of the parameters that had a grad at a step although no recorded call added to it: the script
        assigns it, as with gradients computed for a copy of the model."""
        added = {leaf["name"] for leaf in self.leaves if any(row["gradient"] for row in leaf["calls"])}
        return self._filled - added

    @functools.cached_property
    def _filled(self) -> set[str]:
        """The names of the parameters that had a grad at a step."""
        return {
            name
            for step in self.steps
            if "without_gradient" in step
            for name in self.held_by(step["optimizer"]).difference(step["without_gradient"])
        }

    @functools.cached_property
    def steps(self) -> list[EventRow]:
        """The optimizer steps among the events."""
        return [event for event in self.events if event["event"] == "step"]

    @functools.cached_property
    def stepped(self) -> set[int]:
        """The numbers of the optimizers that stepped."""
        return {event["optimizer"] for event in self.steps if event["optimizer"] is not None}

    def optimizer_name(self, number: int) -> str:
        """The script's name for an optimizer, else its class."""
        row = self.optimizers[number]
        return str(row["name"] or row["class"])

    @functools.cached_property
    def trained_later(self) -> set[str]:
        """The names of the parameters whose first gradient came after the watched calls, as in the second stage of
        a training: that they had none before is no fault."""
        timeline = self.report.timeline
        return set() if timeline is None else set(timeline.get("first_gradients", ()))

    def triggers(self, kind: TriggerKind) -> list[Trigger]:
        """What went wrong in this way in the steps after the watched calls, in the order of the steps."""
        timeline = self.report.timeline
        return [] if timeline is None else [found for found in timeline["triggers"] if found["kind"] == kind]


def _is_known(value: Any) -> bool:
    return value is not None and not is_unknown(value)
