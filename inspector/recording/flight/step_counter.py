"""Count steps: of one optimizer, of several that take turns, or backward calls where there is no optimizer."""

from __future__ import annotations


class StepCounter:
    """Numbers the steps of the run.

    With several optimizers a step of the run has at most one step of each: an optimizer that steps again begins
    the next one. So two optimizers that take turns make one step of the run together.
    """

    def __init__(self) -> None:
        self.finished = 0
        """Number of steps of the run that are over."""
        self._stepped: set[int] = set()

    @property
    def current(self) -> int:
        """The number of the step that has begun; 0 before the first."""
        return self.finished + bool(self._stepped)

    @property
    def stepped(self) -> int:
        """Number of optimizers that have stepped in the step that has begun."""
        return len(self._stepped)

    def add(self, optimizer: int) -> bool:
        """An optimizer has stepped. Returns whether this ended the step before."""
        ends = optimizer in self._stepped
        if ends:
            self.finished += 1
            self._stepped = set()
        self._stepped.add(optimizer)
        return ends

    def end(self) -> bool:
        """The run has ended. Returns whether a step had begun."""
        begun = bool(self._stepped)
        self.finished += begun
        self._stepped = set()
        return begun
