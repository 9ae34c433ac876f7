"""The trained parameters that no watched backward call reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inspector.diagnosis.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Unreached:
    """leaf: its row. of_a_model_in_use: whether its model has run, or others of it were reached.
    others_reached: whether its optimizer (where there is none, its model) holds parameters that were reached."""

    leaf: dict[str, Any]
    of_a_model_in_use: bool
    others_reached: bool


def unreached(evidence: Evidence) -> Iterator[Unreached]:
    """Of optimizers that have stepped, else of the modules that ran, those that are in no watched graph."""
    used = {leaf["model"] for leaf in evidence.leaves if leaf["model"] and (leaf["ran"] or leaf["calls"])}
    reached_by = {number for leaf in evidence.leaves if leaf["calls"] for number in leaf["optimizers"]}
    for leaf in evidence.leaves:
        if leaf["calls"] or not leaf["requires_grad"]:
            continue
        numbers = evidence.stepped.intersection(leaf["optimizers"])
        if numbers:
            yield Unreached(leaf, leaf["model"] in used, not numbers.isdisjoint(reached_by))
        elif not evidence.optimizers and leaf["ran"]:
            yield Unreached(leaf, True, True)


def is_idle(evidence: Evidence, leaf: dict[str, Any]) -> bool:
    """Whether it may come in another call: calls from one line reached now these, now those."""
    lines: dict[tuple[Any, ...], list[int]] = {}
    for call in evidence.complete:
        location = call.row.location
        lines.setdefault((location.get("file"), location.get("line")), []).append(call.index)
    of_its_model = [other for other in evidence.leaves if other["model"] == leaf["model"] and other["calls"]]
    for indexes in lines.values():
        reached = [{row["backward_call"] for row in other["calls"]}.intersection(indexes) for other in of_its_model]
        if any(0 < len(calls) < len(indexes) for calls in reached):
            return True
    return False
