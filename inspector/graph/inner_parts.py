"""Which functions of a graph are drawn opened: compiled ones, and those that ran a graph of their own."""

from __future__ import annotations

from collections.abc import Mapping

from inspector.graph.columns import part_of
from inspector.graph.model import Graph
from inspector.graph.row_types import InnerPart
from inspector.graph.step_replay import changed, copied
from inspector.graph.topology import topology_of

MOST_OPERATIONS = 80
"""Maximum number of operations of a graph that are drawn."""


def leaves_inside(part: InnerPart | None) -> list[str]:
    """The names of the leaves in it, each once; empty for a compiled function."""
    operations = [] if part is None else part["operations"]
    return list(dict.fromkeys(leaf for operation in operations if (leaf := operation.get("leaf"))))


def opened(graph: Graph) -> dict[str, InnerPart]:
    """The functions that are drawn opened, by id: those of which it is known where their results go,
    unless they have too many operations together."""
    of = topology_of(graph)
    parts = {of.ids[position]: part for position, part in of.functions.parts.items() if "returns" in part}
    return parts if operation_count(parts) <= MOST_OPERATIONS else {}


def operation_count(parts: Mapping[str, InnerPart]) -> int:
    """The number of operations in these functions."""
    return sum(len(part["operations"]) for part in parts.values())


def closed(graph: Graph) -> Graph:
    """The graph with none of its functions opened."""
    rows = copied(graph)
    for node in rows.nodes.values():
        if node["kind"] == "function" and (part := part_of(node)) is not None:
            node["compiled" if "compiled" in node else "nested"] = {
                key: value for key, value in part.items() if key != "returns"
            }
    made = changed(graph, rows, graph.steps, graph.error)
    made.order = graph.order
    return made
