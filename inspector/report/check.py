"""Check that a file contains a report: types of all values, and ids that refer to existing nodes."""

from __future__ import annotations

from typing import Any

from inspector.graph.columnar import from_table
from inspector.graph.row_types import EDGE_ROWS, NODE_ROWS
from inspector.report.checking import Mismatch, accepted
from inspector.report.column_check import check_table
from inspector.report.links import check_links
from inspector.report.quick_check import is_of
from inspector.report.row_types import ReportRows


def check(rows: dict[str, Any]) -> None:
    """Raise Mismatch, with the place of the error, unless these are the rows of a report.

    rows: decoded JSON, which is not changed.
    """
    tables = _tables(rows.get("backward_calls"))
    plain = _without(rows, tables) if tables else rows
    if not is_of(ReportRows, plain):
        accepted(ReportRows).check(plain)
    for position, call in enumerate(rows["backward_calls"]):
        try:
            check_links(_checked_columns(tables[position]) if position in tables else call["graph"])
        except Mismatch as error:
            error.path += ["graph", position, "backward_calls"]
            raise


def _tables(calls: Any) -> dict[int, dict[str, Any]]:
    """Position of a call → its graph, for graphs whose nodes and edges are stored in columns."""
    found = calls if isinstance(calls, list) else []
    graphs = [call.get("graph") if isinstance(call, dict) else None for call in found]
    return {
        position: graph
        for position, graph in enumerate(graphs)
        if isinstance(graph, dict) and isinstance(graph.get("nodes"), dict)
    }


def _without(rows: dict[str, Any], tables: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The rows without the nodes and edges that are stored in columns."""
    empty: dict[str, Any] = {"nodes": [], "edges": []}
    calls = [
        call | {"graph": tables[position] | empty} if position in tables else call
        for position, call in enumerate(rows["backward_calls"])
    ]
    return rows | {"backward_calls": calls}


def _checked_columns(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with its nodes and edges as rows, after a check of their types."""
    found = dict(graph)
    for key, types in (("nodes", NODE_ROWS), ("edges", EDGE_ROWS)):
        try:
            check_table(graph.get(key), types)
        except Mismatch as error:
            error.path.append(key)
            raise
        found[key] = list(from_table(graph[key], lambda _, value: value))
    return found
