"""The findings of the ranks themselves: each defect once, with its ranks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec import structs

from inspector.graph.places import exact_place
from inspector.merging.row_types import RankFinding

SEVERITIES = ("error", "warning", "note")


class RankFindings:
    """What the ranks found, by rule and line. Of findings that affect a parameter in common, the worst and
    earliest is kept."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], list[RankFinding]] = defaultdict(list)

    def add(self, row: dict[str, Any], rank: int) -> None:
        """Add what a rank found."""
        new = RankFinding(**row, ranks=[rank])
        found = self._found[new.rule, exact_place(new.location)]
        for number, known in enumerate(found):
            if known.parameters == new.parameters or set(known.parameters) & set(new.parameters):
                kept = min(known, new, key=_order)
                found[number] = structs.replace(kept, ranks=sorted({*known.ranks, rank}))
                return
        found.append(new)

    def all(self) -> list[RankFinding]:
        """The findings, in the order in which they were added."""
        return [finding for found in self._found.values() for finding in found]


def _order(finding: RankFinding) -> tuple[int, int]:
    return SEVERITIES.index(finding.severity), finding.backward_call or 0
