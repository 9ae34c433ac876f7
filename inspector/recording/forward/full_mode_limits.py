"""The limits of full mode."""

from __future__ import annotations

import time

MOST_OUTPUTS = 20_000
"""Maximum number of outputs recorded in full mode."""

MOST_SECONDS = 30.0
"""Maximum duration of full mode, from the first output on."""


class FullModeLimits:
    """Maximum outputs and seconds in full mode, after which the recording continues in light mode."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._most = MOST_OUTPUTS

    def restart(self, outputs: int) -> None:
        """Full mode starts anew. outputs: number of outputs recorded so far."""
        self._until, self._most = None, outputs + MOST_OUTPUTS

    def exceeded(self, outputs: int) -> str | None:
        """Why full mode must end, or None. outputs: number of outputs recorded so far."""
        if outputs == 0:  # the script may take its time to read a data set
            return None
        if self._until is None:
            self._until = time.monotonic() + MOST_SECONDS
        if outputs >= self._most:
            return f"more than {MOST_OUTPUTS} operations"
        return f"more than {MOST_SECONDS:.0f} seconds" if time.monotonic() > self._until else None
