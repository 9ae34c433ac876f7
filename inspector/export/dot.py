"""Write a Graph in the DOT language, for users who do their own layout or styling. `dot` is not needed."""

from __future__ import annotations

from collections.abc import Iterable

import graphviz  # type: ignore[import-untyped]

from inspector.export.graph_text import edge_text, name_of, node_lines
from inspector.graph import Graph
from inspector.typography.sanitize import sanitize

_GRAPH = {"rankdir": "LR"}
_NODE = {"fontname": "Inter", "fontsize": "15"}
_SHAPES = {
    "function": {"shape": "box", "style": "rounded"},
    "tensor": {"shape": "box"},
}
_EDGES = {
    "next": {"style": "solid"},
    "grad_fn": {"style": "dashed", "arrowhead": "none"},
    "accumulate": {"style": "dashed"},
    "saved": {"style": "dotted", "arrowhead": "none"},
}


def write_dot(graph: Graph) -> str:
    """The Graph as DOT source: functions as rounded boxes, tensors as boxes with their rows.

    Solid edges lead from function to function in the direction of the gradient, labelled with it; dashed edges
    connect a tensor with its grad_fn and an AccumulateGrad with its leaf; dotted edges lead to saved tensors.
    Nodes and edges are in the order of the Graph, so that the same Graph gives the same text.
    """
    drawing = graphviz.Digraph("backward", graph_attr=_GRAPH, node_attr=_NODE, edge_attr=_NODE)
    for identifier, attributes in graph.nodes():
        drawing.node(name_of(identifier), _label(node_lines(graph, attributes)), **_SHAPES[attributes["kind"]])
    for source, target, edge in graph.all_edges():
        flowed = edge_text(edge)
        label = _label([flowed] if flowed else [])
        drawing.edge(name_of(source), name_of(target), label, **_EDGES[edge["kind"]])
    return str(drawing.source)


def _label(lines: Iterable[str]) -> str:
    r"""Left-aligned lines (`\l`), escaped so that nothing in them is HTML or an escape of DOT."""
    return "".join(f"{graphviz.escape(sanitize(line))}\\l" for line in lines)
