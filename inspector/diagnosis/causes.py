"""One defect, one finding: what follows from another finding is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector.report import Finding

HIDES: dict[str, tuple[str, ...]] = {
    "blocked-gradient": ("zero-gradient", "optimizer-without-gradient", "unreachable-parameter", "wrong-backward"),
    "detached": ("optimizer-without-gradient", "unreachable-parameter"),
    "freed-graph": ("growing-graph",),
    "moving-frozen-parameter": ("stale-gradient",),
    "no-graph": ("optimizer-without-gradient", "unreachable-parameter"),
    "replaced-parameter": (
        "not-in-optimizer",
        "optimizer-without-gradient",
        "stale-gradient",
        "unreachable-parameter",
    ),
    "rewrapped-loss": ("optimizer-without-gradient", "unreachable-parameter"),
    "step-without-gradient": ("clip-order",),
}
"""Rule -> the rules whose findings it explains, if they harm nothing that it does not harm itself."""


def at_their_cause(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that another one explains, and without repetitions in later calls."""
    once = list(_once(findings))
    return [finding for finding in once if not any(_explains(cause, finding) for cause in once)]


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """A defect that every step shows is one defect: the first finding of the same rule at the same place."""
    seen: set[tuple[object, ...]] = set()
    for finding in findings:
        key = (finding["rule"], _line(finding), tuple(finding["parameters"]))
        if key not in seen:
            seen.add(key)
            yield finding


def _explains(cause: Finding, finding: Finding) -> bool:
    if cause is finding or finding["rule"] not in HIDES.get(cause["rule"], ()):
        return False
    return set(finding["parameters"]) <= set(cause["parameters"])


def _line(finding: Finding) -> object:
    location = finding["location"]
    if isinstance(location, dict) and "line" in location:
        return location["file"], location["line"]
    return tuple(finding["nodes"][:1])
