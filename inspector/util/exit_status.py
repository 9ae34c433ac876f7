"""Describe how a process ended."""

from __future__ import annotations

import signal


def describe_exit_status(status: int) -> str:
    """`was killed by SIGKILL` or `ended with status 1`. status: a returncode of `subprocess`."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
