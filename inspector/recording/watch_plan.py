"""The plan of a recording: which backward calls, and how much of their forward."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from inspector.recording.forward import ForwardRecorder
from inspector.recording.forward.mode_hooks import ModeHooks
from inspector.report import Mode
from inspector.torch_api.modes import FAST_PATHS, FUNCTION_MODES
from inspector.torch_api.nodes import SEQUENCE_NUMBERS
from inspector.torch_api.tensors import VERSIONS, VIEWS
from inspector.tracing.node_facts import element_count
from inspector.tracing.walk import AutogradNode

DEFAULT_WATCH = 3
"""Default number of recorded calls that train: enough to compare steps."""

SMALL_NODES = 100
"""Maximum Nodes of a graph that is traced in full in every call, which costs a few milliseconds at most."""

SMALL_ELEMENTS = 1 << 22
"""Maximum elements of the tensors of such a graph: 16 MB of float32. The statistics of more cost more."""

ONLY_DRAWN = "only the drawn backward calls are recorded in full"


class WatchPlan(Struct, frozen=True):
    """Which backward calls are recorded, and how their forward is recorded.

    limit: number of calls that train; None to record all until `close` and keep the last.
    mode: "full" for full mode in the calls to draw and light mode in the others, "light" for light mode in all, or
    "none" to not record the forward.
    drawn: whether to draw a call, by its index from 1; None to draw the first that trains, if one does.
    wanted: the index of a call that is recorded whatever it does. after: number of calls made before.
    """

    limit: int | None = DEFAULT_WATCH
    mode: Mode = "full"
    drawn: Callable[[int], bool] | None = None
    wanted: int = 1
    after: int = 0

    def supported(self) -> WatchPlan:
        """The plan with a mode that this torch supports."""
        return replace(self, mode=supported_mode(self.mode))

    @property
    def keeps_last(self) -> bool:
        """Whether only the last call is kept."""
        return self.limit is None

    def is_full(self, index: int, trained: int) -> bool:
        """Whether a call is recorded in full mode. trained: number of earlier calls that train."""
        if self.mode != "full":
            return False
        return trained == 0 if self.drawn is None else self.drawn(index)

    def switch(self, hooks: ModeHooks, index: int, trained: int, *, small: bool = False) -> None:
        """Switch to the mode of a call, as in `is_full`. small: whether the last call had a small graph, see
        `is_small`."""
        if self.is_full(index, trained) or (small and self.mode == "full"):
            hooks.switch_to_full()
        else:
            hooks.switch_to_light(ONLY_DRAWN)


def is_small(nodes: Sequence[AutogradNode]) -> bool:
    """Whether a graph with these Nodes is small: few Nodes, and few elements in what they computed."""
    return len(nodes) <= SMALL_NODES and sum(map(element_count, nodes)) <= SMALL_ELEMENTS


def supported_mode(wanted: Mode) -> Mode:
    """The wanted mode, or a lesser one if this torch lacks what it needs."""
    if wanted != "none" and any(capability.parts is None for capability in (SEQUENCE_NUMBERS, VERSIONS)):
        return "none"
    if wanted == "full" and any(capability.parts is None for capability in (FUNCTION_MODES, FAST_PATHS, VIEWS)):
        return "light"
    return wanted


def mode_here(forward: ForwardRecorder | None) -> Mode:
    """How the forward is being recorded in the calling thread."""
    if forward is None:
        return "none"
    is_main = threading.current_thread() is threading.main_thread()
    return forward.hooks.mode if is_main else "light"
