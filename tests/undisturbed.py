"""Run a script under `inspect` and as plain python would: nothing that the script can see may differ."""

from __future__ import annotations

import re

from running import QUICK, Ran, ScriptRunner

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def run_both(
    inspect_script: ScriptRunner, code: str, *, warnings: str | None = None, options: tuple[str, ...] = QUICK
) -> Ran:
    """The run under `inspect`, after checks that output, exit status, warnings and traceback are python's, and
    that nothing of the inspector failed."""
    plain = inspect_script.plain(code, warnings=warnings)
    ran = inspect_script(code, warnings=warnings, options=options)
    assert (ran.status, ran.stdout) == (plain.status, plain.stdout), ran.stderr
    said = _ADDRESS.sub("0x…", ran.stderr)
    assert _ADDRESS.sub("0x…", plain.stderr) in said, said
    assert said.count("Warning") == plain.stderr.count("Warning"), said
    assert "internal error" not in ran.stderr, ran.stderr
    return ran
