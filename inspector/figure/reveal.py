"""Reveal a figure step by step: what has not been reached yet is hidden; everything keeps its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from inspector.folding.finding_marks import shown_by
from inspector.graph import Graph
from inspector.graph.step_replay import ReplayFrame
from inspector.graph.topology import topology_of
from inspector.scene import Panel
from inspector.styles.plan import Plan

FORWARD = "forward"
"""The first part of the id of a panel of the forward: `forward-00` has the leaves alone."""


def forward_turns(graph: Graph, turns: Sequence[ReplayFrame]) -> list[ReplayFrame]:
    """The frames of backward in the order of the forward, without those of AccumulateGrads alone.

    The engine runs a function after everything that uses its output, so its order reversed is one of the forward.
    """
    leaves = topology_of(graph).leaves
    return [turn for turn in reversed(turns) if not all(one in leaves for one in turn.shown)]


def hidden_after(graph: Graph, turns: Sequence[ReplayFrame], count: int) -> set[str]:
    """The nodes that are not there yet after a number of turns of the forward: functions, boxes, their tensors."""
    waiting = {one for turn in turns[count:] for one in turn.shown}
    holders = shown_by(graph)
    makers = topology_of(graph).makers.items()
    return waiting | {tensor for tensor, (function, _) in makers if holders.get(function, function) in waiting}


def without_nodes(panel: Panel, hidden: Collection[str]) -> Panel:
    """The panel without the boxes, badges and wires of these nodes."""
    if not hidden:
        return panel
    return replace(
        panel,
        boxes=tuple(box for box in panel.boxes if _node(box.id) not in hidden),
        wires=tuple(
            wire for wire in panel.wires if _node(wire.source) not in hidden and _node(wire.target) not in hidden
        ),
        badges=tuple(badge for badge in panel.badges if _node(badge.id) not in hidden),
    )


def moment_of(count: int) -> str:
    """The id of the panel after a number of turns of the forward."""
    return f"{FORWARD}-{count:02d}"


def is_forward(plan: Plan) -> bool:
    """Whether a plan is of a step of the forward."""
    return plan.moment.startswith(FORWARD)


def _node(identifier: str) -> str:
    return identifier.partition(".")[0]
