"""Marks of findings: a mark on a Node is shown on the box that contains the Node."""

from __future__ import annotations

from collections import defaultdict

from inspector.graph import Graph
from inspector.graph.topology import topology_of


def finding_marks(graph: Graph) -> dict[str, list[str]]:
    """For each function or box that the graph shows, the marks of its members, each text once.

    A mark on a tensor counts for the function that created it, a mark on a leaf for its AccumulateGrad. Works on
    saved folded graphs too.
    """
    if not graph.marks.texts:
        return {}
    holders, makers = shown_by(graph), topology_of(getattr(graph, "whole", graph)).makers
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for marked, text in graph.marks.texts.items():
        function, _ = makers.get(marked, (marked, 0))
        holder = holders.get(function)
        if holder is not None:
            found[holder][text] = None
    return {identifier: list(texts) for identifier, texts in found.items()}


def shown_by(graph: Graph) -> dict[str, str]:
    """Function → the item that shows it: the function itself or the box that contains it; box → itself."""
    found: dict[str, str] = {}
    for identifier, node in graph.nodes():
        if node["kind"] == "fold":
            found |= dict.fromkeys([identifier, *node["members"]], identifier)
        elif node["kind"] == "function":
            found[identifier] = identifier
    return found
