"""`--mend`: try the fixes of the findings in a copy of the script, and write those that work as a patch."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.runscript import ScriptTarget
from inspector.typography import format_number

if TYPE_CHECKING:
    from inspector.diagnosis.fixes import Fix
    from inspector.report import Finding, Report

LIMIT = 600
"""Seconds after which the run of the copy is stopped."""

_SHOWN = 4


def mend(report: Report, target: ScriptTarget, path: Path, patch: Path) -> Iterator[str]:
    """Try each fix alone in a copy, and write those that work to `patch`. Yields lines for the terminal.

    report: of the run of the script. path: of the script, which is only read. A fix works if its finding is gone
    and the script does not raise.
    """
    from inspector.diagnosis.fixes import changed, fixes_of

    try:
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        yield f"no fix was tried: {path.name} is not in UTF-8"
        return
    fixes = fixes_of(report.findings, path.name, lines)
    if not fixes:
        yield "no finding has a fix that can be tried"
        return
    kept: list[Fix] = []
    for one in fixes:
        after = _run(one, lines, target, path, len(report.calls))
        failed = _why_not(one, report, after)
        yield f"{path.name}:{one.line}: `{_in_one_line(one.after)}` {failed or 'fixes ' + one.finding.rule}"
        if failed is None and after is not None:
            kept.append(one)
            yield from _grads(one.finding, report, after)
    if kept:
        text = difflib.unified_diff(lines, changed(kept, lines), f"a/{path.name}", f"b/{path.name}", lineterm="")
        patch.write_bytes(_text(list(text)))


def _why_not(one: Fix, before: Report, after: Report | None) -> str | None:
    """Why a fix does not work; None if it does."""
    from inspector.diagnosis.fixes import is_still_there

    if after is None:
        return "does not work: the changed copy made no backward call"
    raised = after.script.exit["exception"]
    if raised is not None and raised != before.script.exit["exception"]:
        return f"does not work: the changed copy ends with {raised}"
    still = is_still_there(one, after.findings)
    return f"does not work: {one.finding.rule} is still there" if still else None


def _run(one: Fix, lines: list[str], target: ScriptTarget, path: Path, calls: int) -> Report | None:
    """The report of a copy with this fix, run in a child process up to the end of as many backward calls; None
    if there is none."""
    from inspector.diagnosis.fixes import changed
    from inspector.report import ReportError, load

    with tempfile.TemporaryDirectory(prefix="inspect-mend-") as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(_text(changed([one], lines)))
        output = Path(folder, "out")
        inspect = [sys.executable, "-m", "inspector", "-f", "json", "-o", str(output), "--stop"]
        paths = os.pathsep.join(filter(None, [str(path.parent), os.environ.get("PYTHONPATH")]))
        try:
            subprocess.run(
                [*inspect, "--watch", str(calls), str(copy), *target.arguments],
                env={**os.environ, "PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT,
                check=False,
            )
            report = load(output / "report.json")
        except (OSError, ReportError, subprocess.TimeoutExpired):
            return None
    return report if report.calls else None


def _in_one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.split("\n"))


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8")


def _grads(finding: Finding, before: Report, after: Report) -> Iterator[str]:
    """The grads of the affected parameters in the call of the finding, before and after the change."""
    index = finding.backward_call
    named = [name for name in finding.parameters if index is not None]
    for name in named[:_SHOWN]:
        yield f"  {name}.grad  {_grad(before, name, index)} → {_grad(after, name, index)}"
    if len(named) > _SHOWN:
        yield f"  and {len(named) - _SHOWN} more"


def _grad(report: Report, name: str, index: int | None) -> str:
    for row in report.inventory.parameters:
        for call in row["calls"] if row["name"] == name else ():
            if call["backward_call"] == index:
                norm = call["after"]
                is_number = isinstance(norm, (int, float))
                return f"norm {format_number(norm)}" if is_number else "None" if norm is None else "?"
    return "?"
