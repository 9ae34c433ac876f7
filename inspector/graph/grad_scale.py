"""Divide the scale of a GradScaler out of every gradient of a graph."""

from __future__ import annotations

from typing import Any

from inspector.graph.model import Graph
from inspector.graph.step_replay import changed, copied
from inspector.graph.values import Value, is_number

_SIZES = ("norm", "mean", "min", "max", "low", "high")
"""Keys of summaries and of ranges of norms that scale with the gradient; counts do not."""


def without_grad_scale(graph: Graph, scale: float | None) -> Graph:
    """The graph with gradients and grads divided by `scale`, and with that scale set; unchanged if it is None."""
    if scale is None:
        return graph
    rows = copied(graph)
    for node in rows.nodes.values():
        _divide(node, scale)
        node.pop("derivative", None)  # its formula is that of the scaled root
        for moment in ("before", "after"):
            if moment in node:
                node[moment] = node[moment] | {"grad": divide_by_scale(node[moment]["grad"], scale)}
    for _, _, edge in rows.edges():
        _divide(edge, scale)
    shown = changed(graph, rows, graph.steps, graph.error)
    shown.scale = scale
    return shown


def divide_by_scale(value: Value, scale: float) -> Value:
    """A value divided by a number; None and unknown values are unchanged."""
    if isinstance(value, list):
        return [divide_by_scale(item, scale) for item in value]
    if isinstance(value, dict):
        found = {key: item / scale if key in _SIZES and is_number(item) else item for key, item in value.items()}
        found.pop("histogram", None)  # its buckets are powers of two of the scaled gradient
        return found
    return value / scale if is_number(value) and not isinstance(value, bool) else value


def _divide(row: dict[str, Any], scale: float) -> None:
    for key in ("gradient", "seed", "norms", "arriving", "grads"):
        if key in row:
            row[key] = divide_by_scale(row[key], scale)
