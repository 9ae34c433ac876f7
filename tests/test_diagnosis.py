"""The frame of the diagnosis: rules, needs, causes, and what was checked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from functions import Blocks
from msgspec.structs import replace

import inspector
from inspector.diagnosis import RULES, diagnose_report
from inspector.diagnosis.deduplicate import HIDES, deduplicate
from inspector.diagnosis.rule import Place
from inspector.report import Check, Finding, from_json, to_json


def blocked() -> Any:
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    with inspector.record() as recording:
        loss = Blocks.apply(x, w)
        loss.backward()
    return recording.report()


def finding(rule: str, *parameters: str, line: int = 1) -> Finding:
    location = {"file": "a.py", "line": line, "code": ""}
    return replace(RULES["blocked-gradient"].found("m", "a", at=Place(location), parameters=parameters), rule=rule)


def test_a_finding_names_the_rule_the_line_and_the_harmed_parameter() -> None:
    (found,) = blocked().findings
    assert found.rule == "blocked-gradient"
    assert found.severity == "error"
    assert found.parameters == ["w"]
    assert found.location["code"] == "loss = Blocks.apply(x, w)"
    assert found.evidence == {"slots": [1]}


def test_a_saved_report_is_diagnosed_as_the_fresh_one() -> None:
    report = blocked()
    again = diagnose_report(from_json(to_json(report)))
    assert again.findings == report.findings
    assert again.checked == report.checked


def test_every_rule_is_found_or_checked() -> None:
    report = blocked()
    rules = {row.rule for row in (*report.findings, *report.checked)}
    assert rules == set(RULES)


def test_without_evidence_a_rule_is_not_checked_and_says_why() -> None:
    with inspector.record() as recording:
        pass
    checked = {row.rule: row for row in recording.report().checked}
    assert checked["blocked-gradient"] == Check("blocked-gradient", "not checked", "backward was not called")
    assert checked["wrong-backward"].reason == "only with --gradcheck"


def test_a_rule_with_an_error_of_its_own_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(evidence: Any) -> Any:
        raise ZeroDivisionError("no")

    report = blocked()
    monkeypatch.setitem(RULES, "blocked-gradient", replace(RULES["blocked-gradient"], check=fails))
    again = diagnose_report(report)
    assert not again.findings
    (row,) = [row for row in again.checked if row.rule == "blocked-gradient"]
    assert row.reason == "internal error: ZeroDivisionError: no"


def test_what_follows_from_another_finding_is_left_out() -> None:
    hidden = HIDES["blocked-gradient"][0]
    cause, follows = finding("blocked-gradient", "a", "b"), finding(hidden, "a")
    other = finding(hidden, "c")
    assert deduplicate([cause, follows, other]) == [cause, other]


def test_a_defect_that_every_step_shows_is_one_finding() -> None:
    first = finding("blocked-gradient", "a")
    again, elsewhere = finding("blocked-gradient", "a"), finding("blocked-gradient", "a", line=2)
    assert deduplicate([first, again, elsewhere]) == [first, elsewhere]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_explains_itself(name: str) -> None:
    text = RULES[name].text
    assert text.splitlines()[0].endswith(".")
    for part in ("Why it matters:", "How to fix it:", "Example:"):
        assert part in text
