"""Look at the Nodes of some backward calls, as often as it is worth its time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

import torch
from msgspec import Struct, field
from msgspec.structs import replace
from torch import nn

from inspector.graph import Graph
from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.depth_control import DepthControl
from inspector.recording.flight.node_layout import layouts_of
from inspector.recording.flight.node_norms import Depth, NodeHooks, NodeNorms, walk_of
from inspector.recording.flight.output_norms import OutputNorms, OutputParts, modules_at
from inspector.recording.flight.risky_nodes import RiskyNodes
from inspector.report.timeline import Reason
from inspector.torch_api.engine import CURRENT_NODE


class SeenCalls(Struct):
    """others: number of calls whose graph has other Nodes. looked: of calls whose Nodes were looked at.
    reason: why Nodes of a call since the last decision could not be looked at; None if they could."""

    others: int = 0
    looked: int = 0
    reason: Reason | None = None


class Look(Struct, frozen=True):
    """A call that is being made. depth: None if it is only timed. around: seconds of work before; began: when the
    engine started. outputs: of the modules in its forward."""

    depth: Depth | None
    hooks: NodeHooks | None
    around: float
    began: float
    outputs: OutputParts = field(default_factory=dict)


class NodeWatch:
    """Looks at the Nodes that the recorded calls have, and at the outputs of the modules that made them.

    graphs: of these calls. roots: the outermost modules, see `modules_at`. risky: the Nodes at risk.
    kept_at: the name or the line of Nodes at which gradients are kept, too, until the next call; looks at every
    call then. is_fixed: every call is looked at, whatever it costs.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        roots: Iterable[tuple[str, nn.Module]] = (),
        *,
        is_fixed: bool,
        kept_at: str | None = None,
    ) -> None:
        self.layouts, self.risky = layouts_of(graphs), RiskyNodes(graphs)
        has_kept = kept_at is not None and any(layout.found(kept_at) for layout in self.layouts)
        self._kept_at = kept_at if has_kept else None
        self.control = DepthControl("nodes" if is_fixed or self.keeps else None)
        self.outputs = OutputNorms(modules_at({path for found in self.layouts for path in found.modules}, roots))
        self.seen = SeenCalls()
        self.kept: dict[str, torch.Tensor] = {}
        """The gradients that arrived at those Nodes in the last call, and those that they sent."""

    @property
    def keeps(self) -> bool:
        """Whether there are Nodes whose gradients are kept."""
        return self._kept_at is not None

    def plan(self, step: int, cost: CostControl, reason: Reason | None) -> None:
        """Before the forward of a step: measure the outputs of modules, if its Nodes are to be looked at.

        step: its number. reason: why they cannot be looked at, if so.
        """
        if reason is None and not cost.skips and self.layouts and self.control.next(step, None) is not None:
            self.outputs.open()
        else:
            self.outputs.close()

    @property
    def sees_graphs(self) -> bool:
        """Whether there are Nodes to look at."""
        return bool(self.layouts) and CURRENT_NODE.parts is not None

    def until_due(self, step: int, most: int) -> tuple[int, float]:
        """How many steps from this one on are not looked at, at most `most`, and how large their roots may be."""
        return self.control.until_due(step, most) if self.sees_graphs else (most, math.inf)

    def not_looked_at(self, roots: Iterable[float], engine: float | None) -> None:
        """These were the roots of steps that were not looked at. engine: seconds of the last of them."""
        if self.sees_graphs:
            self.control.not_looked_at(roots, engine)

    def begin(self, call: EngineCall, step: int, root: float | None, cost: CostControl) -> Look | None:
        """Before the engine runs; None if nothing is looked at. root: the value of the call's root, if known."""
        if not self.sees_graphs:
            return None
        if cost.skips:  # even the other numbers of every step take too long
            return None
        depth, hooks, outputs = self.control.next(step, root), None, OutputParts()
        began = time.perf_counter()
        if depth is not None:
            graph = walk_of(call)
            layout = next((found for found in self.layouts if found.names == graph.structure.names), None)
            if layout is None:
                self.seen.others += 1
                return None
            outputs = self.outputs.taken(frozenset(graph.structure.sequence_nrs), layout.modules)
            hooks = NodeHooks(layout, depth, [] if self._kept_at is None else layout.found(self._kept_at))
            hooks.install(graph)
        now = time.perf_counter()
        return Look(depth, hooks, now - began + self.outputs.take_seconds(), now, outputs)

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
        self.seen.looked += found is not None
        return None if found is None else replace(found, outputs=look.outputs)

