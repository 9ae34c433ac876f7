"""Types of a rule and of its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

from inspector.graph.values import Value
from inspector.report import Finding

if TYPE_CHECKING:
    from inspector.diagnosis.evidence import Evidence
    from inspector.diagnosis.requirements import Need

Severity: TypeAlias = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first."""


class Rule(Struct, frozen=True):
    """A rule: one module of `inspector.diagnosis.rules`.

    name: `blocked-gradient`. severity: of its findings. needs: evidence without which it is not checked.
    check: yields the findings. text: the docstring of its module: what it finds, why it matters, how to fix it, an
    example.
    """

    name: str
    severity: Severity
    needs: tuple[Need, ...]
    check: Callable[[Evidence], Iterator[Finding]]
    text: str

    def found(
        self,
        message: str,
        advice: str,
        *,
        at: Place | None = None,
        parameters: Iterable[str] = (),
        evidence: Mapping[str, Value] | None = None,
    ) -> Finding:
        """Create a Finding of this rule. message: what is wrong, with numbers; advice: what to change."""
        at = at or Place()
        return Finding(
            rule=self.name,
            severity=self.severity,
            message=message,
            advice=advice,
            location=at.location,
            backward_call=at.call,
            nodes=list(at.nodes),
            parameters=list(dict.fromkeys(parameters)),
            evidence=dict(evidence or {}),
        )


class Place(Struct, frozen=True):
    """The location of a finding.

    location: the faulty line: {"file", "line", "code"}, None or unknown. call: the index of the backward call, or
    None. nodes: ids in the graph of that call, the faulty one first.
    """

    location: Any = None
    call: int | None = None
    nodes: tuple[str, ...] = ()
