"""What is known of the late faults after a second run with `--again`: the step, the parameters and the line.

All of them, with a table: `./tests/run -m slow tests/test_faults_again.py -s`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from forkserver import ForkServer
from late_faults import NOT_FINITE, OTHERS, Fault
from running import ScriptRunner

LEAST_LINES = 0.9
"""The share of the faults with a line of their own whose line must be found."""
ONLY_AGAIN = next(fault for fault in NOT_FINITE if fault.name == "hypot at zero")
"""Nothing that is saved tells of it before backward: the first run only knows the step."""


@dataclass(frozen=True)
class Known:
    """What was right; line: None for a fault that no single line makes."""

    step: bool
    parameters: bool
    line: bool | None


def known_of(fault: Fault, run: ScriptRunner) -> Known:
    """Run a fault, then again; torch's own numbers, which the script prints, are the truth."""
    first = run(fault.code, options=("-f", "json", "--budget", "100%"))
    assert first.status == 0, first.stderr
    truth, triggers = json.loads(first.stdout.splitlines()[-1]), first.report["timeline"]["triggers"]
    if truth is None or fault.step is not None:
        truth = {"step": fault.step, "names": fault.parameters}
        of_kind = [found for found in triggers if found["kind"] == fault.kind]
        names = set(of_kind[0]["parameters"]) if of_kind else set()
    else:
        of_kind = [found for found in triggers if found["kind"].endswith("not_finite")]
        names = {name for row in first.report["findings"] for name in row["parameters"]}
    again = run(fault.code, options=("-f", "json", "--again"))
    assert again.status == 0, again.stderr
    lines = {
        row["location"].get("line")
        for row in again.report["findings"]
        if row["rule"] in fault.rules and isinstance(row["location"], dict)
    }
    is_step = bool(of_kind) and truth["step"] in (None, of_kind[0]["step"])
    return Known(is_step, set(truth["names"]) <= names, None if fault.line is None else fault.line in lines)


def test_what_a_second_run_adds(inspect_script: ScriptRunner) -> None:
    assert known_of(ONLY_AGAIN, inspect_script) == Known(step=True, parameters=True, line=True)


@pytest.mark.slow
def test_all_late_faults(server: ForkServer, tmp_path: Path) -> None:
    known = {}
    for number, fault in enumerate([*NOT_FINITE, *OTHERS]):
        folder = tmp_path / str(number)
        folder.mkdir()
        known[fault.name] = found = known_of(fault, ScriptRunner(server, folder))
        print(f"{fault.name:55}", found)
    lines = [found.line for found in known.values() if found.line is not None]
    print(f"{len(known)} faults, {sum(lines)} of {len(lines)} lines")
    assert len(known) >= 40 and len(lines) >= 15
    assert [name for name, found in known.items() if not (found.step and found.parameters)] == []
    assert sum(lines) >= LEAST_LINES * len(lines)
