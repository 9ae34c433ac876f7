"""Write the ranges over the ranks into the graph of one of them, for the picture of a merged report."""

from __future__ import annotations

import math
from typing import Any, Literal

from inspector.graph import Graph
from inspector.graph.values import Value, is_summary, is_unknown, unknown
from inspector.merging.merged_run import CallSpread, LeafSpread, Spread


def write_ranges(graph: Graph, call: CallSpread) -> None:
    """Replace the numbers of a graph by their ranges over the ranks, where they differ.

    graph: of one rank. The gradients at its Nodes are replaced if all ranks have this graph; those of parameters
    and the root always.
    """
    tensors = dict(graph.tensors())
    for root in graph.roots[:1]:
        for state in (tensors[root]["before"], tensors[root]["after"]):
            state["data"] = _ranged(state["data"], call.root, tensors[root])
    leaves = {key: call.leaves[row["name"]] for key, row in tensors.items() if row["name"] in call.leaves}
    for key, leaf in leaves.items():
        row = tensors[key]
        for state in (row["before"], row["after"]):
            state["data"] = _whole(state["data"], leaf, "data", row)
        row["after"]["grad"] = _whole(row["after"]["grad"], leaf, "reduced", row)
    functions = dict(graph.functions())
    if len(call.graphs) == 1:
        for key, spread in call.gradients.items():
            functions[key]["gradient"] = _ranged(functions[key]["gradient"], spread, {})
    for source, target, edge in graph.edges("accumulate"):
        if target in leaves:
            local, row = leaves[target].local, tensors[target]
            functions[source]["gradient"] = _ranged(functions[source]["gradient"], local, row)
            edge["gradient"] = _ranged(edge.get("gradient"), local, row)


def _ranged(value: Value, spread: Spread, row: Any) -> Value:
    """The value, or a summary with its range. row: of its tensor, for shape and dtype."""
    if not spread.different or spread.low is None or spread.high is None:
        return value
    shape, dtype = row.get("shape", _shape(value)), row.get("dtype", "")
    if is_summary(value):
        shape, dtype = value["shape"], value["dtype"]
    if spread.not_finite and not shape:
        return math.nan
    if spread.not_finite:
        return {"shape": shape, "dtype": dtype, "norm": math.nan}
    low, high = spread.low[0], spread.high[0]
    return {"shape": shape, "dtype": dtype, "norm": high, **({"norms": [low, high]} if low != high else {})}


def _whole(value: Value, leaf: LeafSpread, quantity: Literal["data", "reduced"], row: Any) -> Value:
    """The value with its range; of a sharded parameter the norm of the whole, if all parts are known."""
    if not leaf.shards.parts:
        return _ranged(value, getattr(leaf, quantity), row)
    norm = leaf.shards.whole(quantity)
    if norm is None:
        return value if value is None or is_unknown(value) else unknown("not all parts of it are known")
    return {"shape": row["shape"], "dtype": row["dtype"], "norm": norm}


def _shape(value: Value) -> list[int]:
    """The shape of a value that is stored in full."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape
