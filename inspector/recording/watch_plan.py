"""Which backward calls are watched, and how their forward is recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from inspector.recording.forward import ForwardRecorder
from inspector.recording.forward.mode_hooks import ModeHooks
from inspector.report import Mode
from inspector.torch_api.modes import FAST_PATHS, FUNCTION_MODES
from inspector.torch_api.nodes import SEQUENCE_NUMBERS
from inspector.torch_api.tensors import VERSIONS, VIEWS

DEFAULT_WATCH = 3
"""How many backward calls are watched: enough to see what differs from step to step."""

SMALL_NODES = 100
"""Graphs of up to this many Nodes are traced in full in every call: it costs a few milliseconds at most."""

ONLY_DRAWN = "only the drawn backward calls are recorded in full"


@dataclass(frozen=True)
class WatchPlan:
    """Which backward calls are watched, and how their forward is recorded.

    limit: how many; None: all until `close`, of which the last is kept. mode: "full" for the calls that are
    `drawn` (by their index, from 1) and light for the others, "light" for all, "none" for nothing of the forward.
    """

    limit: int | None = DEFAULT_WATCH
    mode: Mode = "full"
    drawn: Callable[[int], bool] = lambda index: index == 1

    def possible(self) -> WatchPlan:
        """The plan with the mode that this torch allows."""
        return replace(self, mode=possible_mode(self.mode))

    @property
    def keeps_last(self) -> bool:
        """Whether only the last call is wanted."""
        return self.limit is None

    def is_done(self, watched: int) -> bool:
        """Whether all the calls that were to be watched have ended."""
        return self.limit is not None and watched >= self.limit

    def is_full(self, index: int) -> bool:
        """Whether a call is recorded in full: those that are drawn are."""
        return self.mode == "full" and self.drawn(index)

    def switch(self, hooks: ModeHooks, index: int, *, small: bool = False) -> None:
        """Record the forward of a call in full or lightly. small: whether the graph of the last call was."""
        if self.is_full(index) or (small and self.mode == "full"):
            hooks.switch_to_full()
        else:
            hooks.switch_to_light(ONLY_DRAWN)


def is_small(nodes: int) -> bool:
    """Whether a graph of so many Nodes is."""
    return nodes <= SMALL_NODES


def possible_mode(wanted: Mode) -> Mode:
    """The mode that this torch allows: the forward cannot be told apart without numbers and versions."""
    if wanted != "none" and any(capability.parts is None for capability in (SEQUENCE_NUMBERS, VERSIONS)):
        return "none"
    if wanted == "full" and any(capability.parts is None for capability in (FUNCTION_MODES, FAST_PATHS, VIEWS)):
        return "light"
    return wanted


def mode_here(forward: ForwardRecorder | None) -> Mode:
    """How the forward is recorded at this moment, in this thread."""
    if forward is None:
        return "none"
    is_here = threading.current_thread() is threading.main_thread()
    return forward.hooks.mode if is_here else "light"
