"""One finding per defect: drop findings that are consequences of another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from inspector.graph.places import exact_place
from inspector.report import Finding

HIDES: dict[str, tuple[str, ...]] = {
    "blocked-gradient": ("zero-gradient", "optimizer-without-gradient", "unreachable-parameter", "wrong-backward"),
    "constant-output": (
        "dead-activation",
        "saturated-activation",
        "vanishing-gradient",
        "zero-derivative",
        "zero-gradient",
    ),
    "dead-activation": ("vanishing-gradient",),
    "detached": ("cut-path", "not-in-optimizer", "optimizer-without-gradient", "unreachable-parameter"),
    "freed-graph": ("growing-graph",),
    "growing-learning-rate": (
        "exploding-gradient",
        "gradient-spike",
        "non-finite-forward",
        "non-finite-gradient",
        "non-finite-step",
    ),
    "moving-frozen-parameter": ("stale-gradient",),
    "no-graph": ("detached", "optimizer-without-gradient", "selection-by-index", "unreachable-parameter"),
    "non-finite-forward": (
        "exploding-gradient",
        "non-finite-gradient",
        "non-finite-step",
        "vanishing-gradient",
        "zero-gradient",
    ),
    "non-finite-gradient": ("exploding-gradient", "non-finite-step", "vanishing-gradient", "zero-gradient"),
    "step-without-effect": ("constant-loss", "unmoved-parameter", "zero-gradient", "zero-learning-rate"),
    "zero-learning-rate": ("constant-loss",),
    "non-leaf-tensor": ("optimizer-without-gradient", "unreachable-parameter"),
    "rebound-leaf": ("detached", "no-graph", "unreachable-parameter"),
    "replaced-parameter": (
        "not-in-optimizer",
        "optimizer-without-gradient",
        "stale-gradient",
        "unreachable-parameter",
    ),
    "rewrapped-loss": ("detached", "optimizer-without-gradient", "selection-by-index", "unreachable-parameter"),
    "saturated-activation": ("vanishing-gradient",),
    "selection-by-index": ("optimizer-without-gradient", "unreachable-parameter"),
    "statement-without-effect": ("stale-gradient",),
    "step-without-gradient": ("clip-order",),
}
"""Rule -> the rules whose findings it explains, if they affect no other parameters."""


def deduplicate(findings: Iterable[Finding]) -> list[Finding]:
    """Drop findings explained by another one, and repetitions in later calls."""
    once = list(_once(findings))
    return [finding for finding in once if not any(_explains(cause, finding) for cause in once)]


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """A defect that appears in every step, or at several Nodes of a line, counts once: keep a rule's first finding
    per location.

    A finding that affects none of the first one's parameters is another defect.
    """
    seen: dict[object, list[set[str]]] = defaultdict(list)
    for finding in findings:
        earlier, harmed = seen[finding.rule, _line(finding)], set(finding.parameters)
        if not any(harmed & other or harmed == other for other in earlier):
            yield finding
        earlier.append(harmed)


def _explains(cause: Finding, finding: Finding) -> bool:
    if cause is finding or cause.severity == "note" or finding.rule not in HIDES.get(cause.rule, ()):
        return False
    return set(finding.parameters) <= set(cause.parameters)


def _line(finding: Finding) -> object:
    return exact_place(finding.location) or tuple(finding.nodes[:1])
