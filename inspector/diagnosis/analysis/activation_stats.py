"""How much of a gradient an activation passes."""

from __future__ import annotations

import math
from typing import Any

from inspector.diagnosis.analysis.node_ops import op
from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_summary

_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0}


def elements(value: Value) -> tuple[int, int | None]:
    """Number of elements of a value, and of those that are exactly zero (None: unknown)."""
    if is_summary(value):
        return math.prod(value["shape"]), value.get("zeros")
    if isinstance(value, list):
        parts = [elements(part) for part in value]
        return sum(count for count, _ in parts), sum(zeros or 0 for _, zeros in parts)
    return (1, int(value == 0)) if is_number(value) else (0, None)


def alive(call: BackwardView, node: str) -> float | None:
    """The share of an activation's output that is not exactly zero; None if unknown."""
    for tensor in call.outputs.get(node, ()):
        count, zeros = elements(call.tensors[tensor]["before"]["data"])
        if count and zeros is not None:
            return 1 - zeros / count
    return None


def passed(call: BackwardView, node: str) -> float | None:
    """The ratio of the gradient norm after an activation to that before it; None if either is unknown or not
    finite, as in a step that a GradScaler skips."""
    arrived, edges = call.arrived(node), call.next_edges.get(node, ())
    left = value_norm(edges[0].gradient) if edges else None
    if not arrived or left is None or not math.isfinite(arrived) or not math.isfinite(left):
        return None
    return left / arrived


def slope(call: BackwardView, node: str) -> float | None:
    """The mean derivative of a sigmoid, tanh or softmax at its output, as a share of its maximum.

    For a sigmoid s: the mean of s(1 - s), divided by 1/4; for a tanh t: the mean of 1 - t^2; for a softmax: one
    minus the mean sum of squares of a row (1 if a single entry has all the weight), divided by its maximum. None
    if unknown.
    """
    value = result(call, node)
    if value is None:
        return None
    activation, count = op(call, node), math.prod(value["shape"])
    square = value["norm"] ** 2 / count
    if activation == "softmax":
        width = _row_width(call, node, value["shape"])
        return None if width < 2 else (1 - square * width) / (1 - 1 / width)
    mean = value["mean"] if activation == "sigmoid" else 1.0
    return float((mean - square) / _STEEPEST[activation])


def result(call: BackwardView, node: str) -> Any:
    """The statistics of an activation's output; None if unknown or if the output is small."""
    for tensor in call.outputs.get(node, ()):
        value = call.tensors[tensor]["before"]["data"]
        if is_summary(value) and "zeros" in value:
            return value if math.prod(value["shape"]) and math.isfinite(value["norm"]) else None
    return None


def _row_width(call: BackwardView, node: str, shape: list[int]) -> int:
    dimension = call.functions[node]["attributes"].get("dim")
    return shape[dimension] if isinstance(dimension, int) else 0
