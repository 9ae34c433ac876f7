"""What a graph shares with the graphs of earlier calls."""

from __future__ import annotations

from typing import TypeVar

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.graph.places import exact_place
from inspector.graph.values import Value
from inspector.report.row_types import Alive, Contained

Row = TypeVar("Row", Contained, Alive)


def of_its_line(evidence: Evidence, call: BackwardView, rows: list[Row]) -> list[Row]:
    """The rows about calls for all leaves from the same line: earlier iterations of a loop."""
    here = [other.index for other in evidence.calls_from_the_line_of(call)]
    return [row for row in rows if row["backward_call"] in here]


def earlier_call(evidence: Evidence, row: Contained | Alive) -> BackwardView:
    """The earlier call of a row of `of_its_line`."""
    return next(call for call in evidence.calls if call.index == row["backward_call"])


def leaf_values(call: BackwardView) -> dict[str, Value]:
    """The data of the leaves of a call, by name."""
    return {call.name(leaf): call.tensors[leaf]["before"]["data"] for leaf in call.leaf_of.values()}


def was_updated(evidence: Evidence, earlier: BackwardView, later: BackwardView) -> bool:
    """Whether parameters were updated between two calls, so that they belong to different steps."""
    if any(earlier.index <= step["after_call"] < later.index for step in evidence.steps):
        return True
    return bool(changed_leaves(earlier, later))


def changed_leaves(earlier: BackwardView, later: BackwardView) -> set[str]:
    """The leaves of both calls whose data have changed between them, by name."""
    before, after = leaf_values(earlier), leaf_values(later)
    return {name for name in before.keys() & after.keys() if _differ(before[name], after[name])}


def _differ(one: Value, other: Value) -> bool:
    """Whether two values differ, as far as both are known: of a call in light mode only statistics are."""
    if isinstance(one, dict) and isinstance(other, dict):
        return any(one[key] != other[key] for key in one.keys() & other.keys())
    return type(one) is type(other) and one != other


def made_once(call: BackwardView, row: Contained) -> list[str]:
    """The Nodes that a call shares with an earlier one, if their lines did not run again for this call.

    What one step carries over to the next was made by lines that ran again; what was computed before the loop was
    not.
    """
    shared = row.get("shared", [])
    if row["root"] or not shared:
        return []
    lines = [exact_place(call.functions[node]["source"]) for node in shared]
    others = {exact_place(function["source"]) for node, function in call.functions.items() if node not in shared}
    return [] if None in lines or others.intersection(lines) else shared
