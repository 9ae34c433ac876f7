"""The question that layout answers: boxes of known sizes, what hangs on what, wires. Plain data, no text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inspector.scene.scene import Point, Rectangle

Direction = Literal["LR", "RL", "TB", "BT"]
DIRECTIONS: tuple[Direction, ...] = ("LR", "RL", "TB", "BT")

Size = tuple[float, float]
"""Width and height in points."""


@dataclass(frozen=True, slots=True)
class Route:
    """A wire to be routed. label: the size of what is written beside it, (0, 0) for nothing."""

    id: str
    source: str
    target: str
    label: Size = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be placed.

    sizes: box id → size. hanging: id of a box → id of its host; `texts`: those among them that are mere text
    and need no link. routes: the wires between boxes that do not hang.
    """

    direction: Direction
    sizes: dict[str, Size]
    hanging: dict[str, str]
    texts: frozenset[str]
    routes: tuple[Route, ...]

    @property
    def horizontal(self) -> bool:
        """Whether the wires run from left to right or back."""
        return self.direction in ("LR", "RL")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything is, in points from the top left. labels: wire id → the room of its text."""

    boxes: dict[str, Rectangle]
    wires: dict[str, tuple[Point, ...]]
    labels: dict[str, Rectangle]
