"""Findings of ranks that follow from one about several ranks."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.merging.merged_run import MergedRun
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rank_disagreement import is_spread

FOLLOW: dict[str, tuple[str, ...]] = {
    "rank-disagreement": ("exploding-gradient", "non-finite-forward", "non-finite-gradient", "non-finite-step"),
    "unused-parameter": ("optimizer-without-gradient", "unreachable-parameter"),
}
"""Rule about several ranks → the rules whose findings follow from it, if they affect no other parameters."""


def without_follow_ups(findings: Sequence[RankFinding], run: MergedRun) -> list[RankFinding]:
    """The findings that do not follow from another one."""
    return [finding for finding in findings if not any(_follows(finding, cause, run) for cause in findings)]


def _follows(finding: RankFinding, cause: RankFinding, run: MergedRun) -> bool:
    """NaN of one rank that the reduction has spread is a cause in later calls, and on the other ranks."""
    if finding.rule not in FOLLOW.get(cause.rule, ()) or not set(finding.parameters) <= set(cause.parameters):
        return False
    if cause.rule == "unused-parameter":
        return True
    call = run.calls.get(cause.backward_call or 0)
    is_later = (finding.backward_call or 0) > (cause.backward_call or 0)
    is_elsewhere = is_later or not set(finding.ranks) & set(cause.ranks)
    return is_elsewhere and call is not None and is_spread(call, cause.parameters)
