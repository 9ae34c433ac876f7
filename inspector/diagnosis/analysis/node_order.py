"""The Nodes of a call in topological order, and the Nodes reachable only through one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from inspector.diagnosis.backward_view import BackwardView


def topological_order(call: BackwardView) -> list[str]:
    """The Nodes in topological order from the roots."""
    waiting = Counter(edge.target for edges in call.next_edges.values() for edge in edges)
    ready = [node for node in call.functions if not waiting[node]]
    for node in ready:  # grows while it is walked
        for edge in call.next_edges.get(node, ()):
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    return ready


def only_behind(call: BackwardView, nodes: Iterable[str]) -> list[str]:
    """The leaves that can only be reached from the roots through one of these Nodes, in walk order."""
    barred = set(nodes)
    around = {node for node in call.functions if not call.incoming.get(node)} - barred
    waiting = list(around)
    while waiting:
        for edge in call.next_edges.get(waiting.pop(), ()):
            if edge.target not in barred and edge.target not in around:
                around.add(edge.target)
                waiting.append(edge.target)
    return [leaf for leaf in call.leaves_under(barred) if leaf not in {call.leaf_of.get(node) for node in around}]
