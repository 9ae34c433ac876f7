"""Look at the Nodes of some backward calls, as often as it is worth its time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inspector.graph import Graph
from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.depth_control import DepthControl
from inspector.recording.flight.node_layout import layouts_of
from inspector.recording.flight.node_norms import Depth, NodeHooks, NodeNorms, walk_of
from inspector.recording.flight.risky_nodes import RiskyNodes
from inspector.torch_api.engine import CURRENT_NODE


@dataclass(frozen=True, slots=True)
class Look:
    """A call that is being made. depth: None if it is only timed. around: seconds of work before; began: when the
    engine started."""

    depth: Depth | None
    hooks: NodeHooks | None
    around: float
    began: float


class NodeWatch:
    """Looks at the Nodes that the recorded calls have. graphs: of these calls. risky: those at risk among them.

    kept_at: the name or the line of Nodes at which gradients are kept, too, until the next call; looks at every
    call then. is_fixed: every call is looked at, whatever it costs.
    """

    def __init__(self, graphs: Sequence[Graph], *, is_fixed: bool, kept_at: str | None = None) -> None:
        self.layouts, self.risky = layouts_of(graphs), RiskyNodes(graphs)
        has_kept = kept_at is not None and any(layout.found(kept_at) for layout in self.layouts)
        self._kept_at = kept_at if has_kept else None
        self.control = DepthControl("nodes" if is_fixed or self.keeps else None)
        self.others = self.looked = 0
        """Number of calls whose graph has other Nodes, and of calls whose Nodes were looked at."""
        self.is_blind = False
        """Whether a call since the last decision was one whose Nodes cannot be looked at."""
        self.kept: dict[str, torch.Tensor] = {}
        """The gradients that arrived at those Nodes in the last call."""

    @property
    def keeps(self) -> bool:
        """Whether there are Nodes whose gradients are kept."""
        return self._kept_at is not None

    def begin(self, call: EngineCall, step: int, root: float | None, cost: CostControl) -> Look | None:
        """Before the engine runs; None if nothing is looked at. root: the value of the call's root, if known."""
        if not self.layouts or CURRENT_NODE.parts is None:
            return None
        if cost.skips:  # even the other numbers of every step take too long
            return None
        depth, hooks = self.control.next(step, root), None
        began = time.perf_counter()
        if depth is not None:
            graph = walk_of(call)
            layout = next((found for found in self.layouts if found.names == graph.structure.names), None)
            if layout is None:
                self.others += 1
                return None
            hooks = NodeHooks(layout, depth, [] if self._kept_at is None else layout.found(self._kept_at))
            hooks.install(graph)
        now = time.perf_counter()
        return Look(depth, hooks, now - began, now)

    def end(self, look: Look, cost: CostControl, *, failed: bool) -> NodeNorms | None:
        """After the engine has run. Returns what arrived at the Nodes, if it ran through."""
        engine, began = time.perf_counter() - look.began, time.perf_counter()
        if look.hooks is None:
            self.control.note(None, engine, 0.0)
            return None
        found = look.hooks.remove()
        self.kept = look.hooks.named()
        if failed:
            return None
        around = look.around + time.perf_counter() - began
        self.control.note(look.depth, engine, around)
        cost.note_look(around, self.control.slowed(look.depth))
        self.looked += found is not None
        return found

