"""A Graph in the DOT language, for those who want to lay it out or style it themselves. Needs no `dot`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import graphviz  # type: ignore[import-untyped]

from inspector.graph import Graph, is_unknown
from inspector.text.clean import clean
from inspector.text.numbers import UNKNOWN, value_text

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
ARROW = " \N{RIGHTWARDS ARROW} "


def write_dot(graph: Graph) -> str:
    """The Graph as DOT source: functions as rounded boxes, tensors as boxes with their rows.

    Solid edges lead from function to function, the way the gradient flows, and say what flowed; dashed
    ones tie a tensor to its grad_fn and an AccumulateGrad to its leaf; dotted ones lead to saved tensors. Nodes
    and edges stand in the Graph's own order, so that the same Graph gives the same text.
    """
    drawing = graphviz.Digraph("backward", graph_attr=_GRAPH, node_attr=_NODE, edge_attr=_NODE)
    for identifier, attributes in graph.network.nodes(data=True):
        lines = _function(attributes) if attributes["kind"] == "function" else _tensor(graph, attributes)
        drawing.node(_name(identifier), _label(lines), **_SHAPES[attributes["kind"]])
    for source, target, attributes in graph.network.edges(data=True):
        kind = attributes["kind"]
        flowed = _known(attributes.get("gradient")) if kind == "next" else ""
        drawing.edge(_name(source), _name(target), _label([flowed] if flowed else []), **_EDGES[kind])
    return str(drawing.source)


def _function(attributes: dict[str, Any]) -> list[str]:
    """The lines of a function: its name, its turn, what it keeps beside tensors."""
    step = _known(attributes.get("step"))
    saved = [f"{name} = {value_text(value)}" for name, value in attributes.get("attributes", {}).items()]
    return [f"{step}: {attributes['name']}" if step else attributes["name"], *saved]


def _tensor(graph: Graph, attributes: dict[str, Any]) -> list[str]:
    """The lines of a tensor: its name and the rows of every figure."""
    before, after = attributes["before"], attributes["after"]
    grad_fn = attributes["grad_fn"]
    rows = {
        "data": _change(before["data"], after["data"]),
        "grad": _change(before["grad"], after["grad"]),
        "grad_fn": "None" if grad_fn is None else graph[grad_fn]["name"],
        "is_leaf": str(attributes["is_leaf"]),
        "requires_grad": str(attributes["requires_grad"]),
    }
    name = attributes["name"] or attributes.get("expression") or UNKNOWN
    return [name, *(f"{key} {value}" for key, value in rows.items())]


def _change(before: Any, after: Any) -> str:
    """`4`, or `None → 4` where backward changed it."""
    old, new = value_text(before), value_text(after)
    return new if old == new else f"{old}{ARROW}{new}"


def _known(value: Any) -> str:
    """A value as text, "" where there is none or it is not known."""
    return "" if value is None or is_unknown(value) else value_text(value)


def _name(identifier: str) -> str:
    """A node's name in DOT, where a colon would set a port apart."""
    return identifier.replace(":", "_")


def _label(lines: Iterable[str]) -> str:
    r"""Lines set flush left (`\l`), with everything in them taken literally: no HTML, no escapes of DOT."""
    return "".join(f"{graphviz.escape(clean(line))}\\l" for line in lines)
