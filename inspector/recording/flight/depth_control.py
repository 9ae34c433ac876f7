"""Decide how deep each backward call is looked into, by what each depth was seen to cost."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

from inspector.recording.flight.cost_control import power_of_two
from inspector.recording.flight.node_norms import Depth

DEPTHS: tuple[Depth, ...] = ("modules", "nodes")
_TRIALS = 6
"""Number of calls of each depth that a decision needs."""
_RECENT = 16
"""Number of calls of each depth that are compared."""
_CHECKED_EVERY = 256
"""Number of steps after which a call without hooks and one at the next depth are measured again."""
_HALF = _CHECKED_EVERY // 2
MOST_BETWEEN: dict[Depth, int] = {"modules": 16, "nodes": 1}
"""A depth is chosen if its cost allows it in one of this many steps: modules now and then, Nodes in each."""

UNUSUAL = 5.0
"""A root is looked into, at any cost, if it is this many times the largest of the last ones."""
_ROOTS = 64
_QUIET = 64
"""At most one of this many steps is looked into because of its root."""


class _Seen(Struct):
    """Seconds of the last calls: of the engine, and of what is done around it."""

    engine: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    around: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))


class DepthControl:
    """Chooses the depth of each call; None: only parameters.

    depth, every: what was chosen, in one of so many steps. fixed: this depth in every step, whatever it costs.
    """

    def __init__(self, fixed: Depth | None = None) -> None:
        self.depth: Depth | None = fixed
        self.every = 1
        self._fixed = fixed
        self._seen: dict[Depth | None, _Seen] = {depth: _Seen() for depth in (None, *DEPTHS)}
        self._roots: deque[float] = deque(maxlen=_ROOTS)
        self._quiet_until = 0

    def next(self, step: int, root: float | None) -> Depth | None:
        """The depth of a call. root: its value, if it is known."""
        if self._fixed is not None:
            return self._fixed
        if self._is_unusual(step, root):
            return "nodes"
        if (trial := self._trial(step)) is not False:
            return trial
        return self.depth if step % self.every == 0 else None

    def _trial(self, step: int) -> Depth | Literal[False] | None:
        """The depth to measure next, in turns with None; False if enough was measured lately."""
        lacking = [depth for depth, seen in self._seen.items() if len(seen.engine) < _TRIALS]
        if lacking:
            return min(lacking, key=lambda depth: len(self._seen[depth].engine))
        if step % _CHECKED_EVERY == 0:
            return None
        if step % _CHECKED_EVERY == _HALF:
            return "nodes" if self.depth == "modules" else "modules"
        return False

    def until_due(self, step: int, most: int) -> tuple[int, float]:
        """In how many steps from this one on `next` returns None, at most `most`, if no root is larger than the
        second number."""
        if self._fixed is not None or any(len(seen.engine) < _TRIALS for seen in self._seen.values()):
            return 0, 0.0
        every = self.every if self.depth is not None else _CHECKED_EVERY
        due = [count for count in range(most) if not (step + count) % every or not (step + count) % _HALF]
        count = min(due, default=most)
        stay = list(self._roots)[max(0, len(self._roots) + count - _ROOTS) :]  # while those roots are added
        is_full = len(self._roots) + count >= _ROOTS
        return count, UNUSUAL * max(stay) if is_full and stay else math.inf

    def not_looked_at(self, roots: Iterable[float], engine: float | None) -> None:
        """Steps with these roots were made without a call of `next`. engine: seconds of the engine in the last."""
        self._roots.extend(map(abs, roots))
        if engine is not None:
            self.note(None, engine, 0.0)

    def note(self, depth: Depth | None, engine: float, around: float) -> None:
        """A call was made. engine, around: seconds of the engine, and of the work around it."""
        seen = self._seen[depth]
        seen.engine.append(engine)
        seen.around.append(around)

    def slowed(self, depth: Depth | None) -> float:
        """Seconds by which the engine is slower at a depth: the medians with and without it."""
        seen, plain = self._seen[depth].engine, self._seen[None].engine
        return max(0.0, statistics.median(seen) - statistics.median(plain)) if seen and plain else 0.0

    def cost(self, depth: Depth) -> float:
        """Seconds that a depth costs in a call."""
        around = self._seen[depth].around
        return self.slowed(depth) + (statistics.median(around) if around else 0.0)

    def decide(self, left: float) -> None:
        """Choose the deepest that fits. left: seconds of each step that it may take."""
        if self._fixed is not None or any(len(seen.engine) < _TRIALS for seen in self._seen.values()):
            return
        self.depth, self.every = None, 1
        for depth in DEPTHS:
            every = power_of_two(self.cost(depth), left, 2 * MOST_BETWEEN[depth])
            if every <= MOST_BETWEEN[depth]:
                self.depth, self.every = depth, every

    def _is_unusual(self, step: int, root: float | None) -> bool:
        if root is None:
            return False
        before, size = self._roots, abs(root)
        found = len(before) == _ROOTS and size > UNUSUAL * max(before) and step > self._quiet_until
        if found:
            self._quiet_until = step + _QUIET
        if math.isfinite(size):
            before.append(size)
        return found
