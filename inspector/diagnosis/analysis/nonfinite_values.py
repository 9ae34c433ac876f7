"""Non-finite values in a backward call: where they are, and the first call that has any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.graph.row_types import InnerOperation
from inspector.graph.values import Value, is_summary, is_unknown

Kind: TypeAlias = Literal["finite", "inf", "nan"]
_WORST: tuple[Kind, ...] = ("finite", "inf", "nan")


def kind(value: Value) -> Kind | None:
    """The worst kind of number in a value: NaN, infinite, or finite, as an empty tensor is; None if unknown (or
    None)."""
    found = [_kind_of_item(item) for item in _items(value)]
    if found:
        return max(found, key=_WORST.index)
    return "finite" if _is_empty(value) else None


def is_nonfinite(value: Value) -> bool:
    """Whether a value is known to contain NaN or an infinity."""
    return kind(value) in ("inf", "nan")


def is_finite(value: Value) -> bool:
    """Whether a value is known to be finite."""
    return kind(value) == "finite"


def output(call: BackwardView, node: str) -> Value:
    """The output of a Node in the forward; for an AccumulateGrad the data of its leaf."""
    return call.functions[node]["before"]["data"]


def root_kind(call: BackwardView) -> Kind | None:
    """The worst kind of number in the roots of a call."""
    found = [known for root in call.graph.roots if (known := kind(call.tensors[root]["before"]["data"]))]
    return max(found, key=_WORST.index) if found else None


def nonfinite_ends(call: BackwardView) -> list[str]:
    """The Nodes of leaves and of requested tensors that received a non-finite gradient.

    A non-finite gradient that does not reach one of them (`inf` at an inactive relu) has no effect. Where the
    gradient of a leaf is unknown, its grad tells. A Node that ran a graph in backward stands for the leaves in it.
    """
    asked = [str(call.tensors[tensor]["grad_fn"]) for tensor in call.row.setting.wanted or ()]
    ends = dict.fromkeys([*call.leaf_of, *(node for node in asked if node in call.functions)])
    found = [node for node in ends if _received_nonfinite(call, node)]
    return [*found, *(node for node in call.functions if nested_leaves(call, node))]


def nested_leaves(call: BackwardView, node: str) -> list[str]:
    """The names of the leaves that received a non-finite gradient in the graph that a Node ran in backward."""
    bad = [inner for inner in nested_operations(call, node) if is_nonfinite(inner.get("gradient"))]
    return [leaf for inner in bad if (leaf := inner.get("leaf"))]


def nested_operations(call: BackwardView, node: str) -> Sequence[InnerOperation]:
    """The Nodes of the graph that a Node ran in backward, as a reentrant checkpoint does, in their order."""
    part = call.functions[node].get("nested")
    return [] if part is None or is_unknown(part) else part["operations"]


def _received_nonfinite(call: BackwardView, node: str) -> bool:
    gradient = call.functions[node]["gradient"]
    if not is_unknown(gradient) or node not in call.leaf_of:
        return is_nonfinite(gradient)
    leaf = call.tensors[call.leaf_of[node]]
    return is_nonfinite(leaf["after"]["grad"]) and not is_nonfinite(leaf["before"]["grad"])


def first_nonfinite_call(evidence: Evidence) -> BackwardView | None:
    """The first call with a non-finite root or gradient; later ones may be consequences.

    Calls whose step a GradScaler skips are excluded, since they have none.
    """
    for call in evidence.calls:
        if root_kind(call) in ("inf", "nan") or (call.row.setting.scale is None and nonfinite_ends(call)):
            return call
    return None


def affected_leaves(call: BackwardView, node: str) -> list[str]:
    """The names of the leaves with a non-finite gradient; if none is known, of all leaves affected by a Node."""
    bad = [leaf for function, leaf in call.leaf_of.items() if _received_nonfinite(call, function)]
    nested = [leaf for function in call.functions for leaf in nested_leaves(call, function)]
    return [*call.names(bad), *nested] or call.leaves_affected_by([node])


def holds(value: Value) -> str:
    """`3 NaN and 1 infinite of 12 elements`; `NaN` for a single number."""
    items = list(_items(value))
    if len(items) == 1 and is_summary(items[0]) and "nans" in items[0]:
        row = items[0]
        found = ((row["nans"], "NaN"), (row.get("infinities", 0), "infinite"))
        counts = [f"{count} {name}" for count, name in found if count]
        return f"{' and '.join(counts)} of {math.prod(row['shape'])} elements"
    words = {"nan": "NaN", "inf": "infinity", "finite": "finite numbers"}
    return words.get(kind(value) or "", "NaN or infinity")


def holds_zero(value: Value) -> bool:
    """Whether a known value contains a zero."""
    return any(bool(item.get("zeros")) if is_summary(item) else item == 0 for item in _items(value))


def _is_empty(value: Value) -> bool:
    """Whether a value is that of a tensor without elements: `[]` or `[[], []]`."""
    return isinstance(value, list) and all(map(_is_empty, value))


def _items(value: Value) -> Iterator[Value]:
    """The numbers and summaries of a value: a Node with several outputs has a list of values."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif (
            isinstance(item, (bool, int, float, complex))
            or is_summary(item)
            or (item is not None and not is_unknown(item))
        ):
            yield item


def _kind_of_item(item: Value) -> Kind:
    if is_summary(item):
        if "nans" in item:
            return "nan" if item["nans"] else "inf" if item["infinities"] else "finite"
        item = item["norm"]
    sizes = [abs(item)] if isinstance(item, (bool, int, float, complex)) else []
    if any(math.isnan(size) for size in sizes):
        return "nan"
    return "inf" if any(math.isinf(size) for size in sizes) else "finite"
