"""Marks of findings: a mark on a Node is shown on the box that contains the Node."""

from __future__ import annotations

from collections import defaultdict

from inspector.graph import Graph


def finding_marks(graph: Graph) -> dict[str, list[str]]:
    """For each function or box that the graph shows, the marks of its members, each text once.

    `graph.marks` has them by the ids of functions and tensors; the mark of a tensor is that of what made it, of a
    leaf that of its AccumulateGrad. Works on saved folded graphs too.
    """
    if not graph.marks:
        return {}
    owner: dict[str, str] = {}
    for identifier, node in graph.network.nodes(data=True):
        if node["kind"] == "tensor":
            continue
        for member in node["members"] if node["kind"] == "fold" else (identifier,):
            owner[member] = identifier
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for marked, text in graph.marks.items():
        holder = owner.get(_function(graph, marked))
        if holder is not None:
            found[holder][text] = None
    return {identifier: list(texts) for identifier, texts in found.items()}


def _function(graph: Graph, marked: str) -> str:
    """The function that a mark belongs to: a tensor's own, which the whole graph knows of one that is folded."""
    whole: Graph = getattr(graph, "whole", graph)
    node = whole.network.nodes.get(marked)
    if node is None or node["kind"] != "tensor":
        return marked
    if node["grad_fn"] is not None:
        return str(node["grad_fn"])
    takers = (
        source for source, _, edge in whole.network.in_edges(marked, data=True) if edge["kind"] == "accumulate"
    )
    return next(takers, marked)
