"""Statistics of boxes and of the edges between them: counts, bytes, ranges of norms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, TypedDict

import numpy

from inspector.folding.boxes import FoldedBox, as_column, column_of
from inspector.folding.columns import Ways
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
    for value, count in _counted(values):
        for size in _sizes(value):
            if size is None:
                missing += count
            elif size is _UNSEEN:
                unseen += count
            elif not math.isfinite(size):
                bad += count
            else:
                known += count
                zeros += count * (size == 0)
                low, high = min(low, size), max(high, size)
    return {
        "low": low if known else None,
        "high": high if known else None,
        "zeros": zeros,
        "nans": bad,
        "none": missing,
        "unknown": unseen,
    }


def _counted(values: Iterable[Value]) -> Iterator[tuple[Value, int]]:
    """Each object among the values, and how often it occurs: what is unknown of many functions is one object."""
    held = list(values)
    keys = list(map(id, held))
    objects = dict(zip(keys, held, strict=True))
    if len(objects) == len(held):
        return zip(held, repeat(1), strict=False)
    return ((objects[key], count) for key, count in Counter(keys).items())


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
    functions = [ids[position] for position in _leaves_among(of, box.positions)]
    leaves = [made_for[function] for function in functions if function in made_for]
    turns = [step for step in map(steps.__getitem__, box.positions) if isinstance(step, int)]
    return {
        "nodes": len(box.positions),
        "parameters": len(leaves),
        "elements": sum(math.prod(of.tensors.shape(leaf)) for leaf in leaves),
        "saved_bytes": of.functions.saved_bytes(box.positions),
        "grads": norm_range(map(of.tensors.gradient, leaves)),
        "steps": [min(turns), max(turns)] if turns else None,
    }


def _leaves_among(of: Topology, positions: Sequence[int]) -> list[int]:
    """The AccumulateGrads among some functions."""
    column = as_column(positions)
    leaves: list[int] = column[numpy.frombuffer(of.leaf_flags, numpy.bool_)[column]].tolist()
    return leaves


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
        "norms": norm_range([gradients[at] for at in box.positions if not is_leaf[at]]),
        "arriving": norm_range(_arriving_at_each(of, box, box.repeats or (box,))),
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


def arriving(of: Topology, box: FoldedBox) -> Value:
    """The largest norm of the gradients that arrive at a box from outside; NaN if one is not finite."""
    return next(iter(_arriving_at_each(of, box, (box,))))


def _arriving_at_each(of: Topology, box: FoldedBox, parts: Sequence[FoldedBox]) -> Iterable[Value]:
    """What arrives at each part of a box. Before backward one object stands for the gradients of all functions."""
    gradients = of.functions.gradients
    if all(_is_unseen(value) for value, _ in _counted(map(gradients.__getitem__, box.positions))):
        return repeat(_IN_A_BOX, len(parts))
    found: list[list[Any]] = [[] for _ in range(len(parts))]
    for position, index in _entered(of, parts):
        found[index] += _sizes(gradients[position])
    return map(_largest, found)


def _is_unseen(value: Value) -> bool:
    return is_unknown(value) or (isinstance(value, list) and len(value) > 0 and all(map(is_unknown, value)))


def _entered(of: Topology, parts: Sequence[FoldedBox]) -> Iterator[tuple[int, int]]:
    """The functions at which gradients arrive from outside of their part, and the index of the part."""
    flat, owners = column_of(parts)
    owner = numpy.full(len(of), -1, numpy.int32)
    owner[flat] = owners
    counts, edges = Ways(of.arrivals.starts, of.arrivals.sources).of(flat)
    rows = numpy.repeat(numpy.arange(len(flat)), counts)
    outside = owner[numpy.asarray(of.arrivals.sources, numpy.int32)[edges]] != owners[rows]
    is_entered = numpy.isin(flat, of.roots)
    is_entered[rows[outside]] = True
    return zip(flat[is_entered].tolist(), owners[is_entered].tolist(), strict=True)


def _largest(found: Sequence[Any]) -> Value:
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
