"""A plan: what a style wants to see in a picture, before anything has a size or a place.

A style answers one Plan for each moment (before, after, later also one for each engine step). The plans of
one figure name the same things by the same ids, so that layout can lay out their union once and every moment
has the same geometry. Nothing here knows which style made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from inspector.scene.scene import Shape

MAIN_SIZE = 18.0
"""Points: names of functions, values, gradients."""
SMALL_SIZE = 15.0
"""Points: keys of rows, roles, the legend. Nothing in a picture is smaller."""
TITLE_SIZE = 21.0
"""Points: the title line and the names of tensors."""
CODE_SIZE = 17.0
"""Points: source text beside a function; a fixed-width face looks larger than the others at the same size."""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text as it should look. `size` is in points, `face` and `ink` as in a TextRun."""

    text: str
    ink: str = "ink"
    face: str = "regular"
    size: float = MAIN_SIZE


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a card: a quiet key on the left, one or more lines of value on the right."""

    key: str
    lines: tuple[Words, ...]
    fill: str = ""  # of the strip behind a row that stands out; empty: none


@dataclass(frozen=True, slots=True)
class PlannedBox:
    """A box without a place.

    texts: the lines in the middle of a pill, a circle or plain text; of a card's header the name and,
    at the right, the role.
    """

    id: str
    shape: Shape
    texts: tuple[Words, ...]
    rows: tuple[Row, ...] = ()
    ink: str = "ink"
    fill: str = "ground"
    header: str = ""  # the fill of a card's header
    badge: str = ""  # the number in the disc at its corner; empty: none


@dataclass(frozen=True, slots=True)
class PlannedWire:
    """An edge without a route. `label`: lines written beside it."""

    id: str
    source: str
    target: str
    label: tuple[Words, ...] = ()
    ink: str = "line"
    dashed: bool = False
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A sample of a sign and what it means."""

    sign: Literal["badge", "arrow", "dashed"]
    text: str
    ink: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one moment of a figure shows.

    hanging: id of a box → id of the box that it hangs on. A hanging box has no wires but those to its host
    and is placed beside it, across the flow.
    title: the pieces of the title line. notes: lines below it (what backward raised).
    """

    moment: str
    boxes: tuple[PlannedBox, ...]
    wires: tuple[PlannedWire, ...]
    hanging: dict[str, str] = field(default_factory=dict)
    title: tuple[Words, ...] = ()
    notes: tuple[Words, ...] = ()
    legend: tuple[LegendEntry, ...] = ()
