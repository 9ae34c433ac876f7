"""The events that read or change grads between the backward calls, in order, and their rows in a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, cast

from msgspec import Struct, field
from torch.optim.optimizer import Optimizer

from inspector.graph.values import unknown
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.optimizers import Optimizers
from inspector.report.row_types import EventRow
from inspector.user_code.library_lines import source_of, users_frame
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from

MOST_EVENTS = 1_000
"""Maximum number of events, so that a loop that zeroes grads for hours does not fill the memory."""

_OUTSIDE = unknown("it was not called from the user's code")

_ABOUT_GRADS = ("step", "zero_grad", "clip")
"""The kinds of events that read or clear grads."""

_STEPS = ("step", "skipped_step")
"""The kinds of events that end a step of the training."""

_NAMED = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.(?:step|zero_grad)\(\s*([A-Za-z_][\w.]*)?")


class OptimizerEvent(Struct):
    """An event, see `EventRow`.

    kind: step, skipped_step, zero_grad, clip, unscale, hook. after_call: number of backward calls that had ended.
    optimizer: its number, or None. facts: the numbers of leaves, by the key of the row.
    content: by backward calls, the numbers of the leaves whose grads contained the gradients of these calls.
    limit: for a clip. empty: for a step, whether all grads were None or zero.
    """

    kind: str
    after_call: int
    optimizer: int | None
    source: Any
    facts: dict[str, list[int]] = field(default_factory=dict)
    content: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    limit: float | None = None
    empty: bool | None = None


class RefusedTensor(Struct, frozen=True):
    """A non-leaf tensor that was given to an optimizer. source: where it was created."""

    name: str
    source: Any
    after_call: int


class EventLog:
    """Records events and their optimizers.

    history: the registry of leaves, and the origin of their grads.
    ended: returns the number of backward calls that have ended. steps: that number at each step.
    """

    def __init__(self, files: UserFiles, history: GradProvenance, ended: Callable[[], int]) -> None:
        self.files, self.history, self.ended = files, history, ended
        self.leaves = history.leaves
        self.optimizers = Optimizers(self.leaves)
        self.events: list[OptimizerEvent] = []
        self.steps: list[int] = []
        self.refused: list[RefusedTensor] = []

    def add(
        self,
        kind: str,
        frame: FrameType | None,
        optimizer: Optimizer | None,
        about: Iterable[int] = (),
        held: list[int] | None = None,
        **facts: list[int],
    ) -> OptimizerEvent | None:
        """Record an event, unless there are too many.

        about: the numbers of the leaves whose grads it reads. held: the numbers of all leaves of the optimizer, if
        known. facts: see `OptimizerEvent`.
        """
        content = self.history.content(tuple(about))
        if kind in _STEPS:
            self.steps.append(self.ended())
        if len(self.events) >= MOST_EVENTS:
            return None
        source = self.source(frame)
        number = None
        if optimizer is not None:
            number = self.add_optimizer(optimizer, frame, held)
            self.optimizers.set_name(number, _name_in(source))
        event = OptimizerEvent(kind, self.ended(), number, source, facts, content)
        self.events.append(event)
        return event

    def add_optimizer(
        self, optimizer: Optimizer, frame: FrameType | None = None, held: list[int] | None = None
    ) -> int:
        """The number of an optimizer, which was created before the recording if it is new. held: see `add`."""
        return self.number(optimizer, unknown("it was created before recording"), frame, held)

    def number(
        self, optimizer: Optimizer, source: Any, frame: FrameType | None, held: list[int] | None = None
    ) -> int:
        """The number of an optimizer.

        source: where it was created. frame: its variables name the parameters. held: see `add`.
        """

        def names() -> Names:
            return names_from(frame, self.files)

        return self.optimizers.number(optimizer, source, names, held)

    def source(self, frame: FrameType | None) -> Any:
        """The line of the user's code that a call came from, or unknown."""
        user = users_frame(frame, self.files)
        return _OUTSIDE if user is None else source_of(user, frame, self.files)

    def rows(self) -> list[EventRow]:
        """The rows of the events in order, followed by the tensors that optimizers refused."""
        refused: list[EventRow] = [
            {
                "event": "refused",
                "after_call": item.after_call,
                "optimizer": None,
                "source": item.source,
                "parameters": [item.name],
            }
            for item in self.refused
        ]
        return [self._row(event) for event in self.events] + refused

    def _row(self, event: OptimizerEvent) -> EventRow:
        content = [
            {"backward_calls": list(calls), "parameters": self.leaves.names(leaves)}
            for calls, leaves in event.content.items()
        ]
        row: dict[str, Any] = {
            "event": event.kind,
            "after_call": event.after_call,
            "optimizer": event.optimizer,
            "source": event.source,
            **{key: self.leaves.names(numbers) for key, numbers in event.facts.items()},
            **({"content": content} if event.kind in _ABOUT_GRADS else {}),
            **({} if event.limit is None else {"limit": event.limit}),
            **({} if event.empty is None else {"empty": event.empty}),
        }
        return cast(EventRow, row)


def _name_in(source: Any) -> str | None:
    """The name of the optimizer in a line: `optimizer.step()`, `scaler.step(self.optimizer)`."""
    found = _NAMED.search(source.get("library", source).get("code", ""))
    if found is None:
        return None
    return found[2] if found[2] and "scaler" in found[1] else found[1]
