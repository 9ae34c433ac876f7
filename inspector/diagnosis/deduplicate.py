"""One finding per defect: drop findings that are consequences of another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from inspector.report import Finding

HIDES: dict[str, tuple[str, ...]] = {
    "blocked-gradient": ("zero-gradient", "optimizer-without-gradient", "unreachable-parameter", "wrong-backward"),
    "dead-activation": ("vanishing-gradient",),
    "detached": ("optimizer-without-gradient", "unreachable-parameter"),
    "freed-graph": ("growing-graph",),
    "moving-frozen-parameter": ("stale-gradient",),
    "no-graph": ("detached", "optimizer-without-gradient", "unreachable-parameter"),
    "non-finite-forward": ("exploding-gradient", "non-finite-gradient", "vanishing-gradient", "zero-gradient"),
    "non-finite-gradient": ("exploding-gradient", "vanishing-gradient", "zero-gradient"),
    "non-leaf-tensor": ("optimizer-without-gradient", "unreachable-parameter"),
    "rebound-leaf": ("detached", "no-graph", "unreachable-parameter"),
    "replaced-parameter": (
        "not-in-optimizer",
        "optimizer-without-gradient",
        "stale-gradient",
        "unreachable-parameter",
    ),
    "rewrapped-loss": ("detached", "optimizer-without-gradient", "unreachable-parameter"),
    "saturated-activation": ("vanishing-gradient",),
    "step-without-gradient": ("clip-order",),
}
"""Rule -> the rules whose findings it explains, if they harm nothing that it does not harm itself."""


def deduplicate(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that another one explains, and without repetitions in later calls."""
    once = list(_once(findings))
    return [finding for finding in once if not any(_explains(cause, finding) for cause in once)]


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """A defect that every step shows, or several Nodes of a line, is one: the first finding of a rule at a place.

    One that harms other parameters and none of the first's is another defect.
    """
    seen: dict[object, list[set[str]]] = defaultdict(list)
    for finding in findings:
        earlier, harmed = seen[finding.rule, _line(finding)], set(finding.parameters)
        if not any(harmed & other or harmed == other for other in earlier):
            yield finding
        earlier.append(harmed)


def _explains(cause: Finding, finding: Finding) -> bool:
    if cause is finding or finding.rule not in HIDES.get(cause.rule, ()):
        return False
    return set(finding.parameters) <= set(cause.parameters)


def _line(finding: Finding) -> object:
    location = finding.location
    if isinstance(location, dict) and "line" in location:
        return location["file"], location["line"]
    return tuple(finding.nodes[:1])
