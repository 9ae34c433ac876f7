"""Run the rules on a report."""

from __future__ import annotations

from msgspec.structs import replace

from inspector.diagnosis.deduplicate import deduplicate
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.requirements import missing_requirement
from inspector.diagnosis.rule import SEVERITIES, Rule
from inspector.diagnosis.rules import RULES
from inspector.graph.values import is_unknown
from inspector.report import Check, Finding, Report


def diagnose_report(report: Report) -> Report:
    """The report with its findings, worst first, and with the rules that were or were not checked.

    A rule that raises an exception is listed as not checked.
    """
    evidence = Evidence(report)
    found: list[Finding] = []
    checked: list[Check] = []
    for rule in RULES.values():
        findings, reason = _apply(rule, evidence)
        for finding in findings:
            _name_step(finding, evidence)
        found += findings
        if reason is not None:
            checked.append(Check(rule=rule.name, status="not checked", reason=reason))
        elif not findings:
            checked.append(Check(rule=rule.name, status="nothing found", reason=None))
    found = deduplicate(found)
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return replace(report, findings=found, checked=checked)


def _name_step(finding: Finding, evidence: Evidence) -> None:
    """Write the step of a call that the flight recorder recorded into a finding about it."""
    steps = {call.index: call.row.setting.step for call in evidence.calls}
    step = None if finding.backward_call is None else steps.get(finding.backward_call)
    if step is not None and "timeline" not in RULES[finding.rule].needs:
        finding.message = f"at step {step:,}, {finding.message}"
        if is_unknown(finding.location):
            finding.message += f"; its line is unknown: {finding.location['unknown']}"


def _apply(rule: Rule, evidence: Evidence) -> tuple[list[Finding], str | None]:
    """The findings of a rule, and why it was not checked (None if it was)."""
    for need in rule.needs:
        reason = missing_requirement(evidence, need)
        if reason is not None:
            return [], reason
    try:
        return list(rule.check(evidence)), None
    except Exception as error:
        return [], f"internal error: {type(error).__name__}: {error}"
