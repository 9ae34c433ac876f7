"""Statistics of boxes and of the edges between them: counts, bytes, ranges of norms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, TypedDict

from inspector.folding.boxes import FoldedBox
from inspector.folding.module_paths import name_of
from inspector.graph import is_summary, is_unknown
from inspector.graph.inner_parts import leaves_inside
from inspector.graph.row_types import FlowEdge, FoldRow, Norms
from inspector.graph.topology import Topology
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, unknown

_IN_A_BOX = unknown("the box holds several Nodes")


def norm_range(values: Iterable[Value]) -> Norms:
    """The range of the norms of several gradients, and the number of gradients outside of it, by reason."""
    low, high = math.inf, 0.0
    known = zeros = bad = missing = unseen = 0
    last, sizes = _UNSEEN, list[Any]()
    for value in values:
        if value is not last:  # what is unknown of many functions is one object
            last, sizes = value, _sizes(value)
        for size in sizes:
            if size is None:
                missing += 1
            elif size is _UNSEEN:
                unseen += 1
            elif not math.isfinite(size):
                bad += 1
            else:
                known += 1
                zeros += size == 0
                low, high = min(low, size), max(high, size)
    return {
        "low": low if known else None,
        "high": high if known else None,
        "zeros": zeros,
        "nans": bad,
        "none": missing,
        "unknown": unseen,
    }


_UNSEEN: Any = object()


def _sizes(value: Value) -> list[Any]:
    """The norm of a gradient, or of each of several outputs; None if the gradient is None, _UNSEEN if unknown."""
    if is_summary(value):  # nearly all gradients of a large graph
        size = math.nan if value.get("nans") or value.get("infinities") else value_norm(value)
        return [_UNSEEN if size is None else size]
    if value is None:
        return [None]
    if is_unknown(value):
        return [_UNSEEN]
    if isinstance(value, list) and any(item is None or is_unknown(item) or is_summary(item) for item in value):
        return [size for item in value for size in _sizes(item)]
    size = 0.0 if value == [] else value_norm(value)
    return [_UNSEEN if size is None else size]


class BoxTotals(TypedDict):
    """Counts of what a box holds, as in `FoldRow`."""

    nodes: int
    parameters: int
    elements: int
    saved_bytes: int
    grads: Norms
    steps: list[int] | None


def box_totals(of: Topology, box: FoldedBox) -> BoxTotals:
    """The counts of a box. of: the index of the unfolded graph."""
    ids, made_for, steps = of.ids, of.leaves, of.functions.steps
    leaves = [leaf for position in box.positions if (leaf := made_for.get(ids[position])) is not None]
    turns = [step for position in box.positions if isinstance(step := steps[position], int)]
    return {
        "nodes": len(box.positions),
        "parameters": len(leaves),
        "elements": sum(math.prod(of.tensors.shape(leaf)) for leaf in leaves),
        "saved_bytes": of.functions.saved_bytes(box.positions),
        "grads": norm_range(map(of.tensors.gradient, leaves)),
        "steps": [min(turns), max(turns)] if turns else None,
    }


def fold_attributes(of: Topology, box: FoldedBox) -> FoldRow:
    """The attributes of a box. of: the index of the unfolded graph."""
    totals = box_totals(of, box)
    gradients, is_leaf, parts = of.functions.gradients, of.leaf_flags, of.functions.parts
    row: FoldRow = {
        "kind": "fold",
        "why": box.kind,
        "name": box.label,
        "module": name_of(box.path),
        "host": None,
        "count": max(1, len(box.repeats)),
        "members": [of.ids[position] for position in box.positions],
        "nodes": totals["nodes"],
        "parameters": totals["parameters"],
        "elements": totals["elements"],
        "saved_bytes": totals["saved_bytes"],
        "norms": norm_range(gradients[at] for at in box.positions if not is_leaf[at]),
        "arriving": norm_range(_arriving_at_each(of, box.repeats or (box,))),
        "grads": totals["grads"],
        "steps": totals["steps"],
        "is_leaf": False,
        "requires_grad": True,
        "gradient": _IN_A_BOX,
        "before": {"data": _IN_A_BOX, "grad": _IN_A_BOX},
        "after": {"data": _IN_A_BOX, "grad": _IN_A_BOX},
    }
    inside = [parts[at] for at in box.positions if at in parts] if parts else []
    if nested_leaves := len({leaf for part in inside for leaf in leaves_inside(part)}):
        row["nested_leaves"] = nested_leaves
    return row


def _arriving_at_each(of: Topology, parts: Sequence[FoldedBox]) -> Iterable[Value]:
    """What arrives at each part. Before backward one object stands for the gradients of all functions, of which
    there may be a million."""
    gradients = of.functions.gradients
    first = gradients[parts[0].positions[0]]
    if is_unknown(first) and all(gradients[at] is first for part in parts for at in part.positions):
        return repeat(_IN_A_BOX, len(parts))
    return (arriving(of, part) for part in parts)


def arriving(of: Topology, box: FoldedBox) -> Value:
    """The largest norm of the gradients that arrive at a box from outside; NaN if one is not finite."""
    inside, is_single = set(box.positions), len(box.positions) == 1
    found: list[Any] = []
    for position in box.positions:
        users = of.arrivals.of(position)
        if (is_single and users) or position in of.roots or not inside.issuperset(users):
            found += _sizes(of.functions.gradients[position])
    sizes = [size for size in found if isinstance(size, float)]
    if any(not math.isfinite(size) for size in sizes):
        return math.nan
    if sizes:
        return max(sizes)
    return None if None in found else _IN_A_BOX


def flow_attributes(of: Topology, edges: Sequence[int]) -> FlowEdge:
    """The attributes of the edge that stands for several edges between two items. edges: their numbers."""
    return {
        "kind": "flow",
        "count": len(edges),
        "norms": norm_range(map(of.edges.gradient, edges)),
        "back": False,
    }
