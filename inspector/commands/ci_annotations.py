"""The exit status for findings, and annotations for a CI service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.options.choices import FAIL_ON, FailOn

if TYPE_CHECKING:
    from inspector.report import Finding

FOUND = 3
"""Exit status under `--fail-on` if there are findings."""

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def fails(findings: list[Finding], fail_on: FailOn) -> bool:
    """Whether there is a finding of this severity or worse."""
    if fail_on == "never":
        return False
    worse = FAIL_ON[: FAIL_ON.index(fail_on) + 1]
    return any(finding.severity in worse for finding in findings)


def first_call(findings: list[Finding]) -> int | None:
    """The first backward call with a finding of warning or error level."""
    calls = [finding.backward_call for finding in findings if finding.severity != "note"]
    return min((call for call in calls if call is not None), default=None)


def workflow_commands(findings: list[Finding], folder: str) -> Iterator[str]:
    """The findings as workflow commands of GitHub Actions, with paths relative to the working directory.

    folder: the script's folder, to which the paths in a report are relative.
    """
    for finding in findings:
        place = ""
        location = finding.location
        if location is not None and "line" in location:
            path = Path(folder, location["file"])
            shown = os.path.relpath(path) if path.exists() else location["file"]
            place = f"file={_property(shown)},line={location['line']},"
        library = None if location is None else location.get("library")
        within = f" (in {library['file']}:{library['line']})" if isinstance(library, dict) else ""
        text = _data(f"{finding.message}{within}. {finding.advice}")
        yield f"::{_LEVELS[finding.severity]} {place}title={_property(finding.rule)}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
