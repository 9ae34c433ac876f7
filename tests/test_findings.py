"""Findings as the command shows them: in the terminal, as an exit status, as annotations; `inspect explain`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs
from running import QUICK, ROOT, ScriptRunner

from inspector.commands.ci_annotations import fails, workflow_commands
from inspector.commands.explain import markdown
from inspector.diagnosis import RULES
from inspector.diagnosis.rule import Place
from inspector.report import Finding

DETACHED = """
    import torch
    torch.manual_seed(0)
    encoder, head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        h = encoder(torch.ones(2, 3)).detach()
        head(h).sum().backward()
        optimizer.step()
    print("trained")
"""

HEALTHY = DETACHED.replace(".detach()", "")


def finding(rule: str = "detached", **changes: object) -> Finding:
    location = {"file": "a.py", "line": 3, "code": "h = f(x)"}
    made = RULES[rule].found("100 % gone,\nor so", "fix it", at=Place(location), parameters=["w"])
    return structs.replace(made, **changes)


def test_a_finding_stands_in_the_terminal_with_its_line_and_its_fix(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(DETACHED)
    assert ran.status == 0 and ran.stdout == "trained\n"
    text = " ".join(ran.stderr.split())
    assert "error encoder(torch.ones(2, 3)) is detached here" in text
    assert "at script.py:8 h = encoder(torch.ones(2, 3)).detach()" in text
    assert re.search(r"\n {20,}" + re.escape("^" * len("encoder(torch.ones(2, 3)).detach()")) + "\n", ran.stderr)
    assert re.search(r"affects (encoder\.\w+, )?encoder\.(weight|bias)", text)
    assert "fix use the tensor itself in the loss, not a detached copy" in text
    assert "rules without findings" in text
    assert "wrong-backward (only with --gradcheck)" in text


@pytest.mark.parametrize(
    ("code", "level", "status"),
    [
        (DETACHED, "error", 3),
        (DETACHED, "warning", 3),
        (DETACHED, "never", 0),
        (HEALTHY, "warning", 0),
        (DETACHED + "    raise SystemExit(5)\n", "warning", 5),
    ],
)
def test_fail_on_changes_the_status_of_a_script_that_ended_well(
    inspect_script: ScriptRunner, code: str, level: str, status: int
) -> None:
    assert inspect_script(code, options=(*QUICK, "--fail-on", level)).status == status


def test_fail_on_holds_for_a_saved_report_too(inspect_script: ScriptRunner) -> None:
    inspect_script(DETACHED)
    again = inspect_script.command("--fail-on", "error", "-f", "dot", "-o", "again/", "inspect-out/report.json")
    assert again.status == 3
    assert "is detached here" in again.stderr


def test_the_first_call_with_a_finding_is_drawn(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        """
        import torch
        w = torch.tensor(1.0, requires_grad=True)
        for step in range(2):
            loss = (w * 2) ** 2
            loss.backward()
            with torch.no_grad():
                w = w - 0.1 * w.grad
        """
    )
    assert [row["rule"] for row in ran.report["findings"]] == ["rebound-leaf"]
    assert ran.report["recording"]["drawn"] == [2]


def test_annotations_are_workflow_commands_on_stderr(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(DETACHED, options=(*QUICK, "--annotate", "github"))
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("::")]
    assert line.startswith(
        "::error file=script.py,line=8,title=detached::encoder(torch.ones(2, 3)) is detached here"
    )


def test_what_would_end_an_annotation_is_written_otherwise(tmp_path: Path) -> None:
    (line,) = workflow_commands([finding(rule="wrong-backward", location=None)], str(tmp_path))
    assert line == "::error title=wrong-backward::100 %25 gone,%0Aor so. fix it"


def test_notes_fail_nothing() -> None:
    assert not fails([finding(severity="note")], "warning")
    assert fails([finding(severity="warning")], "warning")
    assert not fails([finding(severity="warning")], "error")


def test_explain_tells_of_all_rules_and_of_one(inspect_script: ScriptRunner) -> None:
    ran = inspect_script.command("explain")
    assert ran.status == 0
    assert all(re.search(rf"^{name} +(error|warning|note)  ", ran.stdout, re.M) for name in RULES)
    ran = inspect_script.command("explain", "detached")
    assert ran.status == 0
    assert "Why it matters:" in ran.stdout and "How to fix it:" in ran.stdout


def test_explain_of_a_wrong_name_lists_the_right_ones(inspect_script: ScriptRunner) -> None:
    ran = inspect_script.command("explain", "detachd")
    assert ran.status == 2
    assert ran.stderr.startswith("inspect: unknown rule 'detachd' (did you mean detached?); choose from: ")
    assert all(name in ran.stderr for name in RULES)


def test_the_page_of_the_rules_is_what_the_docstrings_say(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "rules.md"
    if request.config.getoption("--update-golden"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(markdown(), "utf-8")
    assert page.read_text("utf-8") == markdown()
