"""Convert a Graph to and from the rows of `report.json`, or the columns of `report.full.json.gz`. No torch needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from inspector.graph.columnar import from_table, to_table
from inspector.graph.model import Graph
from inspector.graph.row_types import EDGE_ROWS, NODE_ROWS, value_keys
from inspector.graph.rows import Rows, rows_of
from inspector.graph.values import decode, encode

_AT_LEAST = 3
"""Minimum number of consecutive members that are saved as [first, last]."""


@cache
def _node_values() -> frozenset[str]:
    """Keys that hold values, in which "nan" is the number; elsewhere it is a string."""
    return value_keys(*NODE_ROWS.values())


@cache
def _decoded_keys() -> frozenset[str]:
    return _node_values() | {"constants"}


@cache
def _edge_values() -> frozenset[str]:
    return value_keys(*EDGE_ROWS.values())


def to_rows(graph: Graph) -> dict[str, Any]:
    """The `graph` object of a backward call in report.json: nodes, edges, roots, steps, error."""
    nodes = [_to_row(key, attributes) for key, attributes in graph.rows.nodes.items()]
    edges = [
        {"source": source, "target": target, **encode(attributes)}
        for source, target, attributes in graph.rows.edges()
    ]
    return {"nodes": nodes, "edges": edges, "roots": graph.roots, "steps": graph.steps, "error": graph.error}


def from_rows(rows: dict[str, Any]) -> Graph:
    """The Graph of rows made by `to_rows`. Raises KeyError if a row lacks a key that every node or edge has."""

    def build() -> Rows:
        nodes = ((row["id"], _node(row)) for row in rows["nodes"])
        edges = (
            (row["source"], row["target"], _attributes(row, ("source", "target"), _edge_values()))
            for row in rows["edges"]
        )
        return rows_of(nodes, edges)

    note = rows.get("folded", {}).get("note", "")
    return Graph(build, roots=list(rows["roots"]), steps=list(rows["steps"]), error=rows["error"], note=note)


def to_columns(graph: Graph) -> dict[str, Any]:
    """The same as `to_rows`, with nodes and edges as tables of `inspector.graph.columnar`."""
    nodes = ({"id": key, **attributes} for key, attributes in graph.rows.nodes.items())
    edges = (
        {"source": source, "target": target, **attributes}
        for source, target, attributes in graph.rows.edges()
    )
    tables = {"nodes": to_table(nodes, encode), "edges": to_table(edges, encode)}
    return {**tables, "roots": graph.roots, "steps": graph.steps, "error": graph.error}


def from_columns(columns: dict[str, Any]) -> Graph:
    """The Graph of columns made by `to_columns`. Raises KeyError, IndexError or ValueError for anything else."""

    def build() -> Rows:
        return rows_of(
            ((row.pop("id"), row) for row in from_table(columns["nodes"], _node_value)),
            ((row.pop("source"), row.pop("target"), row) for row in from_table(columns["edges"], _edge_value)),
        )

    return Graph(build, roots=list(columns["roots"]), steps=list(columns["steps"]), error=columns["error"])


def _node_value(key: str, value: Any) -> Any:
    if key == "constants":  # its names are not values: a script may call a number `inf`
        return [constant | {"value": decode(constant["value"])} for constant in value]
    return decode(value) if key in _node_values() else value


def _edge_value(key: str, value: Any) -> Any:
    return decode(value) if key in _edge_values() else value


def decoded_node(row: dict[str, Any]) -> dict[str, Any]:
    """Some of the keys of a node's row, as they are in a Graph."""
    return {key: _node_value(key, value) for key, value in row.items()}


def decoded_edge(row: dict[str, Any]) -> dict[str, Any]:
    """Some of the keys of an edge's row, as they are in a Graph."""
    return {key: _edge_value(key, value) for key, value in row.items()}


def _node(row: dict[str, Any]) -> dict[str, Any]:
    attributes = row.copy()
    del attributes["id"]
    for key in _decoded_keys().intersection(attributes):
        attributes[key] = _node_value(key, attributes[key])
    if row["kind"] == "fold":
        attributes["members"] = list(spelt_out(attributes["members"]))
    return attributes


def _to_row(identifier: str, attributes: dict[str, Any]) -> dict[str, Any]:
    row = {"id": identifier, **encode(attributes)}
    if attributes["kind"] == "fold":
        row["members"] = list(shortened(attributes["members"]))
    return row


def shortened(members: list[str]) -> Iterator[str | list[str]]:
    """Shorten ranges of ids: `["n5", "n90"]` for `n5`, `n6`, … `n90`."""
    start = 0
    while start < len(members):
        end = start + 1
        while end < len(members) and _number(members[end]) == _number(members[end - 1]) + 1:
            end += 1
        if end - start >= _AT_LEAST:
            yield [members[start], members[end - 1]]
        else:
            yield from members[start:end]
        start = end


def spelt_out(members: list[str | list[str]]) -> Iterator[str]:
    """Expand the ranges of ids made by `shortened`."""
    for member in members:
        if isinstance(member, str):
            yield member
        else:
            first, last = map(_number, member)
            yield from (f"n{number}" for number in range(first, last + 1))


def _number(identifier: str) -> int:
    """The number of a function's id."""
    return int(identifier.removeprefix("n"))


def _attributes(row: dict[str, Any], keys: tuple[str, ...], values: frozenset[str]) -> dict[str, Any]:
    """A row without `keys`, with its `values` decoded."""
    attributes = row.copy()
    for key in keys:
        del attributes[key]
    for key in values.intersection(attributes):
        attributes[key] = decode(attributes[key])
    return attributes
