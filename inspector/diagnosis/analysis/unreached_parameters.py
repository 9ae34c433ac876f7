"""The trained parameters that no recorded backward call reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.report.row_types import LeafRow


class UnreachedParameter(Struct, frozen=True):
    """leaf: its row. of_a_model_in_use: whether its model ran, or other parameters of its model were reached.
    others_reached: whether its optimizer (or, without one, its model) holds parameters that were reached."""

    leaf: LeafRow
    of_a_model_in_use: bool
    others_reached: bool


def unreached_parameters(evidence: Evidence) -> Iterator[UnreachedParameter]:
    """The parameters, of optimizers that stepped or else of modules that ran, that are in no recorded graph."""
    reached = [leaf for leaf in evidence.leaves if evidence.calls_of(leaf)]
    used = {leaf["model"] for leaf in evidence.leaves if leaf["model"] and (leaf["ran"] or leaf in reached)}
    reached_by = {number for leaf in reached for number in leaf["optimizers"]}
    trained = evidence.filled_by_script | evidence.trained_later
    for leaf in evidence.leaves:
        if evidence.calls_of(leaf) or not leaf["requires_grad"] or leaf["name"] in trained:
            continue
        numbers = evidence.stepped.intersection(leaf["optimizers"])
        if numbers:
            yield UnreachedParameter(leaf, leaf["model"] in used, not numbers.isdisjoint(reached_by))
        elif not evidence.optimizers and leaf["ran"]:
            yield UnreachedParameter(leaf, True, True)


def is_idle(evidence: Evidence, leaf: LeafRow) -> bool:
    """Whether a leaf may be used in another call: heads trained in turn, an expert that got no sample."""
    if leaf["without_graph"] is not None:  # it was used, but without gradients
        return False
    return _takes_turns(evidence, leaf) or _is_one_of_several(evidence, leaf)


def _takes_turns(evidence: Evidence, leaf: LeafRow) -> bool:
    """Whether calls from one line reach different parameters of its model in turn."""
    lines: dict[tuple[Any, ...], set[int]] = {}
    for call in evidence.calls_with_all_gradients:
        location = call.row.location
        lines.setdefault((location.get("file"), location.get("line")), set()).add(call.index)
    reached = [
        {row["backward_call"] for row in other["calls"]}
        for other in evidence.leaves
        if other["model"] == leaf["model"] and other["calls"]
    ]
    return any(0 < len(calls & indexes) < len(indexes) for indexes in lines.values() for calls in reached)


def _is_one_of_several(evidence: Evidence, leaf: LeafRow) -> bool:
    """Whether a leaf is one of several equal siblings, such as `experts.3.weight`, of which others were reached.

    A layer left out of a chain of layers is not, because there the gradient of one layer passes through the next.
    """
    parts = leaf["name"].split(".")
    for position, part in enumerate(parts):
        if not part.isdigit():
            continue
        equals = [
            other
            for other in evidence.leaves
            if other["calls"] and _differ_at(other["name"].split("."), parts, position)
        ]
        if equals and not _are_chained(evidence, equals):
            return True
    return False


def _differ_at(some: list[str], others: list[str], position: int) -> bool:
    if len(some) != len(others):
        return False
    differing = [place for place, pair in enumerate(zip(some, others, strict=True)) if pair[0] != pair[1]]
    return differing == [position] and some[position].isdigit()


def _are_chained(evidence: Evidence, leaves: list[LeafRow]) -> bool:
    """Whether the gradient of one of these leaves passes through a Node that uses another one."""
    for call in evidence.calls_with_all_gradients:
        of_call = [row["tensor"] for leaf in leaves for row in leaf["calls"] if row["backward_call"] == call.index]
        nodes = {node for node, tensor in call.leaf_of.items() if tensor in of_call}
        if any(nodes.intersection(_used_with(call, node)) for node in nodes):
            return True
    return False


def _used_with(call: BackwardView, leaf: str) -> set[str]:
    """The AccumulateGrads of the other leaves that the nearest users of a leaf depend on: the transpose of a
    weight has no others, the product that uses the transpose has."""
    users, below = {leaf}, {leaf}
    while users and below <= {leaf}:
        users = {edge.source for node in users for edge in call.incoming.get(node, ())}
        below = call.leaf_of.keys() & set(call.towards_leaves(users))
    return below - {leaf}
