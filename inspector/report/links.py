"""Check that the ids in a report's graph refer to its nodes: networkx would silently create missing ones."""

from __future__ import annotations

from typing import Any

from inspector.graph.json_rows import spelt_out
from inspector.report.checking import Mismatch

_ENDS = {
    "next": (("function",), ("function",)),
    "grad_fn": (("tensor",), ("function", "fold")),
    "accumulate": (("function",), ("tensor",)),
    "saved": (("function",), ("tensor",)),
    "flow": (("function", "fold"), ("function", "fold")),
}
"""Kind of an edge → the kinds of its source and of its target."""


def check_links(graph: dict[str, Any]) -> None:
    """Raise Mismatch for a duplicate id, and for a reference to a missing node or to one of a wrong kind.

    graph: the `graph` of a backward call, whose types were checked.
    """
    kinds = _kinds(graph["nodes"])
    hidden = {
        member: "function"
        for row in graph["nodes"]
        if row["kind"] == "fold"
        for member in spelt_out(row["members"])
    }
    for position, row in enumerate(graph["edges"]):
        for end, wanted in zip(("source", "target"), _ENDS[row["kind"]], strict=True):
            if kinds.get(row[end]) not in wanted:
                _fail(kinds, row[end], wanted, end, position, "edges")
    known = hidden | kinds
    for key, wanted in (("roots", ("tensor",)), ("steps", ("function",))):
        for position, identifier in enumerate(graph[key]):
            if known.get(identifier) not in wanted:
                _fail(known, identifier, wanted, position, key)
    for position, row in enumerate(graph["nodes"]):
        _check_node(known, row, position)


def _kinds(nodes: list[dict[str, Any]]) -> dict[str, str]:
    """Id of a node → its kind."""
    kinds: dict[str, str] = {}
    for position, row in enumerate(nodes):
        if kinds.setdefault(row["id"], row["kind"]) is not row["kind"] or len(kinds) <= position:
            raise Mismatch(f"duplicate id {row['id']!r}", "id", position, "nodes")
    return kinds


def _check_node(known: dict[str, str], row: dict[str, Any], position: int) -> None:
    if row["kind"] == "function":
        for slot, saved in enumerate(row["saved"]):
            if saved["tensor"] is not None and known.get(saved["tensor"]) != "tensor":
                _fail(known, saved["tensor"], ("tensor",), "tensor", slot, "saved", position, "nodes")
        for key in ("compiled", "nested"):
            _check_inside(row.get(key, {}), key, position)
    elif row["kind"] == "tensor" and row["grad_fn"] is not None and known.get(row["grad_fn"]) != "function":
        _fail(known, row["grad_fn"], ("function",), "grad_fn", position, "nodes")


def _check_inside(part: dict[str, Any], inside: str, position: int) -> None:
    """Check the operations inside of a function: they are in an order in which each comes after its inputs."""
    operations = part.get("operations", [])
    found = [("inputs", item, number) for number, row in enumerate(operations) for item in row["inputs"]]
    for key in ("receives", "returns"):
        found += [(key, item, len(operations)) for item in part.get(key, []) if item is not None]
    for key, item, end in found:
        if item >= end:
            raise Mismatch(f"no operation {item} before {end}", key, inside, position, "nodes")


def _fail(known: dict[str, str], identifier: str, wanted: tuple[str, ...], *path: str | int) -> None:
    if identifier not in known:
        raise Mismatch(f"no node has the id {identifier!r}", *path)
    raise Mismatch(f"expected the id of a {' or '.join(wanted)}, got that of a {known[identifier]}", *path)
