"""Steps of which only the root is noted, since recording each of them would take too long."""

from __future__ import annotations

from dataclasses import dataclass, field

Roots = list[float | None]
"""The root of each step; None: not known."""


@dataclass(slots=True)
class Nap:
    """The steps that are only counted.

    left: how many are still to come. roots: of those that have come. root: of the step that is being prepared.
    calls: number of backward calls. depth: how many steps have begun, one within the other; since: the number of
    calls when the last one began. is_of_all: whether the steps of every optimizer are recorded.
    """

    left: int = 0
    roots: Roots = field(default_factory=list)
    root: float | None = None
    calls: int = 0
    depth: int = 0
    since: int = 0
    is_of_all: bool = False

    def add(self, root: float | None) -> None:
        """Backward is called. A root that is not finite is that of its step, whatever comes after it."""
        self.calls += 1
        before = self.root
        if root is not None and (before is None or before - before == 0):
            self.root = root

    def begins(self) -> None:
        """A step begins."""
        self.depth = self.depth + 1 if self.calls == self.since else 1  # else one has raised
        self.since = self.calls

    def ends(self) -> bool:
        """A step ends; returns whether it was the last."""
        self.depth -= 1
        if self.depth <= 0:
            self.roots.append(self.root)
            self.root = None
            self.left -= 1
        return self.left <= 0

    def taken(self) -> tuple[Roots, int]:
        """The roots and the number of calls so far, which are counted from 0 again."""
        found = self.roots, self.calls
        self.roots, self.calls, self.since = [], 0, 0
        return found
