"""The Nodes of a call in topological order, and the Nodes reachable only through one of them."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.traversal import reach


def topological_order(call: BackwardView) -> list[str]:
    """The Nodes in topological order from the roots."""
    return [call.topology.ids[position] for position in call.topology.order]


def only_behind(call: BackwardView, nodes: Iterable[str]) -> list[str]:
    """The leaves that can only be reached from the roots through one of these Nodes, in walk order."""
    barred = set(nodes)
    starts = [node for node in call.functions if not call.incoming.get(node) and node not in barred]
    around = set(reach(starts, lambda node: [below for below in call.inputs_of(node) if below not in barred]))
    return [leaf for leaf in call.leaves_under(barred) if leaf not in {call.leaf_of.get(node) for node in around}]
