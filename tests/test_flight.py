"""The flight recorder: what it finds at which step, what it leaves alone, and what it costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from late_faults import NOT_FINITE, OTHERS, Fault
from running import Ran, ScriptRunner
from steady_trainings import STEADY

from inspector.diagnosis import RULES

EVERY_STEP = ("-f", "dot", "--budget", "100%")
LATE = {name for name, rule in RULES.items() if "timeline" in rule.needs}


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    """The loud findings by rule."""
    return {row["rule"]: row for row in ran.report["findings"] if row["severity"] != "note"}


def triggers(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.report["timeline"]["triggers"]
    return found


@pytest.mark.parametrize("fault", NOT_FINITE, ids=lambda fault: fault.name)
def test_a_late_nan_has_its_step_its_parameters_and_its_line(fault: Fault, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(fault.code, options=EVERY_STEP)
    assert ran.status == 0, ran.stderr
    truth = json.loads(ran.stdout.splitlines()[-1])
    assert truth is not None, "the script has no fault"
    (trigger,) = [found for found in triggers(ran) if found["kind"].endswith("not_finite")][:1]
    assert trigger["step"] == truth["step"]
    kind = "gradient_not_finite" if truth["loss"] else "root_not_finite"
    assert trigger["kind"] == kind and fault.kind in (kind, "any")
    if truth["loss"]:
        assert trigger["parameters"] == truth["names"]
    found = findings(ran)
    rule = next((rule for rule in fault.rules if rule in found), None)
    assert rule is not None, sorted(found)
    assert f"at step {truth['step']}" in found[rule]["message"]
    assert set(truth["names"]) <= set(found[rule]["parameters"]) or rule == "non-finite-step"
    if fault.line is not None:
        assert found[rule]["location"]["line"] == fault.line, found[rule]
    assert "the last loss was" in " ".join(ran.stderr.split())


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.name)
def test_other_late_faults(fault: Fault, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(fault.code, options=EVERY_STEP)
    assert ran.status == 0, ran.stderr
    (trigger,) = [found for found in triggers(ran) if found["kind"] == fault.kind]
    if fault.step is not None:
        assert trigger["step"] == fault.step
    assert tuple(trigger["parameters"]) == fault.parameters or fault.kind == "spike"
    found = findings(ran)
    assert set(fault.rules) <= found.keys(), sorted(found)
    assert ran.report["timeline"]["last_root"] not in ("nan", "inf")


@pytest.mark.parametrize("name", STEADY)
def test_healthy_trainings_raise_no_alarm(name: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(STEADY[name], options=EVERY_STEP)
    assert ran.status == 0 and "Traceback" not in ran.stderr, ran.stderr
    late = [row for row in ran.report["findings"] if row["severity"] != "note" and row["rule"] in LATE]
    assert late == []
    assert not [found for found in triggers(ran) if found["kind"] not in ("constant_root",)], triggers(ran)
    assert "internal error" not in ran.stderr
