"""The nodes and edges of a Graph as lines of text, for languages with their own layout."""

from __future__ import annotations

from typing import Any

from inspector.graph import Graph, is_unknown
from inspector.graph.row_types import EdgeRow, FunctionRow, NodeRow, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.typography.number_format import UNKNOWN, value_text

ARROW = " \N{RIGHTWARDS ARROW} "


def node_lines(graph: Graph, attributes: NodeRow) -> list[str]:
    """The lines of a function (step, name, saved attributes) or of a tensor (name and rows)."""
    if attributes["kind"] == "function":
        return _function(attributes)
    assert attributes["kind"] == "tensor", "a folded graph cannot be written as text"
    return _tensor(graph, attributes)


def edge_text(attributes: EdgeRow) -> str:
    """The gradient that flowed along an edge between functions; "" for other edges and if it is unknown."""
    return _known(attributes.get("gradient")) if attributes["kind"] == "next" else ""


def name_of(identifier: str) -> str:
    """An id as a name without colons, which have a special meaning in graph languages."""
    return identifier.replace(":", "_")


def _function(attributes: FunctionRow) -> list[str]:
    """The lines of a function: its step and name, and the attributes it saved."""
    step = _known(attributes.get("step"))
    saved = [f"{name} = {value_text(value)}" for name, value in attributes.get("attributes", {}).items()]
    return [f"{step}: {attributes['name']}" if step else attributes["name"], *saved]


def _tensor(graph: Graph, attributes: TensorRow) -> list[str]:
    """The lines of a tensor: its name, and the same rows as in a figure."""
    before, after = attributes["before"], attributes["after"]
    rows = {
        "data": _change(before["data"], after["data"]),
        "grad": _change(before["grad"], after["grad"]),
        "grad_fn": graph.name_of_grad_fn(attributes) or "None",
        "is_leaf": str(attributes["is_leaf"]),
        "requires_grad": str(attributes["requires_grad"]),
    }
    name = numbered_name(attributes) or attributes.get("expression") or UNKNOWN
    return [name, *(f"{key} {value}" for key, value in rows.items())]


def _change(before: Any, after: Any) -> str:
    """`4`, or `None → 4` if backward changed it."""
    old, new = value_text(before), value_text(after)
    return new if old == new else f"{old}{ARROW}{new}"


def _known(value: Any) -> str:
    """A value as text; "" if it is None or unknown."""
    return "" if value is None or is_unknown(value) else value_text(value)
