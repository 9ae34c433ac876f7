"""The horizontal axis of a timeline."""

from __future__ import annotations

from msgspec import Struct

STEPS_WIDTH = 820.0
"""Points."""


class StepAxis(Struct, frozen=True):
    """The horizontal axis: the x of its start, the number of steps, the last step of each row, and for how many
    steps a gradient stands."""

    x: float
    count: int
    ends: list[int]
    every: int

    def place(self, step: float) -> float:
        """The x of the left end of a step, counted from 1."""
        return self.x + (step - 1) / max(self.count, 1) * STEPS_WIDTH

    def span(self, row: int) -> tuple[int, int]:
        """The first and the last step of a row."""
        return (self.ends[row - 1] if row else 0) + 1, self.ends[row]
