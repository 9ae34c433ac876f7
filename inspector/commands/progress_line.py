"""A line about a script that runs for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from inspector.util.stderr import has_bars, say

if TYPE_CHECKING:
    from inspector.report.timeline import Timeline

FIRST_AFTER = 60.0
"""Seconds after which the first line is shown; the next ones after twice as long each."""


class ProgressLine:
    """Says how far a script is, after one minute, two, four and so on: on a terminal only, and not where the
    script has a bar of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.perf_counter()
        self._after = FIRST_AFTER

    def show(self, name: str, timeline: Timeline) -> None:
        """Show the line, if it is time. name: of the script. timeline: so far."""
        passed = time.perf_counter() - self._began
        if passed < self._after or not self._stream.isatty() or has_bars():
            return
        while self._after <= passed:
            self._after *= 2
        root = timeline["last_root"]
        loss = "" if root is None else f", the last with a loss of {root:.4g}"
        say(f"{name} has made {timeline['steps']:,} steps{loss}", self._stream)
