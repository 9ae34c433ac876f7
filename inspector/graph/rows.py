"""A Graph as the rows of `report.json`, and back. Neither way needs torch."""

from __future__ import annotations

from typing import Any

import networkx

from inspector.graph.model import MOMENTS, Graph
from inspector.graph.values import decode, encode

_EDGE_VALUES = ("gradient", "local")
_NODE_VALUES = ("gradient", *MOMENTS, "attributes", "derivative")


def to_rows(graph: Graph) -> dict[str, Any]:
    """The `graph` object of a backward call in report.json: nodes, edges, roots, steps, error."""
    nodes = [{"id": key, **encode(attributes)} for key, attributes in graph.network.nodes(data=True)]
    edges = [
        {"source": source, "target": target, **encode(attributes)}
        for source, target, attributes in graph.network.edges(data=True)
    ]
    return {"nodes": nodes, "edges": edges, "roots": graph.roots, "steps": graph.steps, "error": graph.error}


def from_rows(rows: dict[str, Any]) -> Graph:
    """The Graph that `to_rows` gave. Raises KeyError where a row lacks what every node or edge has."""

    def build() -> networkx.MultiDiGraph[Any]:
        network: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
        for row in rows["nodes"]:
            network.add_node(row["id"], **_attributes(row, ("id",), _NODE_VALUES))
        for row in rows["edges"]:
            network.add_edge(
                row["source"], row["target"], **_attributes(row, ("source", "target"), _EDGE_VALUES)
            )
        return network

    return Graph(build, roots=list(rows["roots"]), steps=list(rows["steps"]), error=rows["error"])


def _attributes(row: dict[str, Any], keys: tuple[str, ...], values: tuple[str, ...]) -> dict[str, Any]:
    """A row without `keys`, its `values` decoded."""
    return {key: decode(item) if key in values else item for key, item in row.items() if key not in keys}
