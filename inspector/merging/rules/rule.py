"""The type of a rule about several ranks, and the words of its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from inspector.merging.merged_run import CallSpread, MergedRun
from inspector.merging.row_types import RankFinding
from inspector.report.row_types import Severity


class RankRule(Struct, frozen=True):
    """A rule that compares ranks: one module of `inspector.merging.rules`.

    name, severity and text as in `inspector.diagnosis.Rule`. check: yields the findings.
    """

    name: str
    severity: Severity
    check: Callable[[MergedRun], Iterator[RankFinding]]
    text: str

    def found(
        self,
        message: str,
        advice: str,
        *,
        at: CallPlace,
        parameters: Iterable[str] = (),
        ranks: Sequence[int] = (),
        severity: Severity | None = None,
    ) -> RankFinding:
        """Create a finding. message: what is wrong, with numbers; advice: what to change. ranks: where."""
        return RankFinding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            advice=advice,
            location=at.location,
            backward_call=at.call,
            nodes=[],
            parameters=list(dict.fromkeys(parameters)),
            evidence={},
            ranks=list(ranks),
        )


class CallPlace(Struct, frozen=True):
    """The location of a finding: a line of the script (or None), and the index of a call (or None)."""

    location: Any = None
    call: int | None = None


def place_of(call: CallSpread, name: str) -> CallPlace:
    """The line where a parameter was used in a call."""
    leaf = call.leaves.get(name)
    return CallPlace(None if leaf is None else leaf.line, call.index)


def some(names: Sequence[str], most: int = 3) -> str:
    """`a, b and 4 more`."""
    if len(names) <= most:
        return ", ".join([*names[:-2], " and ".join(names[-2:])])
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def rank_list(ranks: Sequence[int]) -> str:
    """`rank 1`, `ranks 0 and 2`, `ranks 0 to 3 and 7`: sorted, at most five stretches."""
    stretches: list[list[int]] = []
    for rank in sorted(ranks):
        if stretches and rank == stretches[-1][1] + 1:
            stretches[-1][1] = rank
        else:
            stretches.append([rank, rank])
    parts: list[str] = []
    for low, high in stretches:
        parts += [f"{low} to {high}"] if high - low > 1 else [str(low)] if low == high else [str(low), str(high)]
    return f"rank{'s' * (len(ranks) != 1)} {some(parts, 5)}"
