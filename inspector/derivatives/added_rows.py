"""Derivatives as what they add to the rows of a graph, so that another process can compute them.

Importing sympy takes a fifth of a second. A process that has imported it already is asked with the rows of a graph
as in `report.json`, and answers with what `add_local_derivatives` adds to them.
"""

from __future__ import annotations

from typing import Any

from inspector.derivatives.edge_derivatives import add_local_derivatives
from inspector.graph import Graph
from inspector.graph.json_rows import decoded_edge, decoded_node, from_rows, to_rows

AddedRows = dict[str, list[tuple[int, dict[str, Any]]]]
"""Under "nodes" and "edges": the positions of rows, each with the keys that were added or changed."""


def derive_rows(rows: dict[str, Any]) -> AddedRows:
    """Compute the derivatives of a graph. rows: those of `to_rows`."""
    graph = from_rows(rows)
    add_local_derivatives(graph)
    derived = to_rows(graph)
    return {kind: _differences(rows[kind], derived[kind]) for kind in ("nodes", "edges")}


def add_rows(graph: Graph, added: AddedRows) -> None:
    """Add to a graph what `derive_rows` returned for its rows."""
    nodes = list(graph.rows.nodes.values())
    for position, row in added["nodes"]:
        nodes[position].update(decoded_node(row))
    edges = [attributes for _, _, attributes in graph.rows.edges()]
    for position, row in added["edges"]:
        edges[position].update(decoded_edge(row))


def _differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    found = (
        {key: value for key, value in row.items() if key not in known or known[key] != value}
        for known, row in zip(before, after, strict=True)
    )
    return [(position, row) for position, row in enumerate(found) if row]
