"""The parts of a Scene. Lengths are in points, the origin is top left, y grows downwards.

An `ink` is the name of a role (`value`, `gradient`, `ink`, `quiet`, `line`, …) that the Theme maps to a colour, so
one Scene can be light, dark or for print. Ids are those of the Graph's nodes and edges, so that figures, frames
and slides of one graph use the same names.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Point = tuple[float, float]
STACK_DEPTH = 8.0
"""Points by which the cards behind the first card of a stack extend to the right and below."""
Anchor = Literal["start", "middle", "end"]
Shape = Literal["card", "stack", "pill", "circle", "plain"]


class Rectangle(Struct, frozen=True):
    """Top left corner and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def center(self) -> Point:
        return (self.x + self.width / 2, self.y + self.height / 2)

    def moved(self, dx: float, dy: float) -> Rectangle:
        return Rectangle(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, margin: float) -> Rectangle:
        return Rectangle(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    def overlaps(self, other: Rectangle) -> bool:
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class TextRun(Struct, frozen=True):
    """One line of text in one face. `anchor` says which part of the text is at x; y is the baseline."""

    x: float
    y: float
    text: str
    size: float
    face: str = "regular"  # a key of inspector.typography.fonts.FACES: regular, medium, bold, mono
    ink: str = "ink"
    anchor: Anchor = "start"


class Band(Struct, frozen=True):
    """A filled strip within a box (a header, a highlighted row)."""

    area: Rectangle
    fill: str
    header: bool = False  # a header has the rounded upper corners of its box


class Box(Struct, frozen=True):
    """A shape with text: a tensor's card, a function's pill, a gate's circle, or plain text."""

    id: str
    area: Rectangle
    shape: Shape
    ink: str = "ink"  # the border
    fill: str = "ground"
    bands: tuple[Band, ...] = ()
    texts: tuple[TextRun, ...] = ()


class Wire(Struct, frozen=True):
    """An edge: a cubic Bezier spline (the start, then three points per segment), and the texts beside it."""

    id: str
    source: str  # id of the box it leaves
    target: str  # id of the box it enters
    points: tuple[Point, ...]
    ink: str = "line"
    dashed: bool = False
    arrow: bool = True
    texts: tuple[TextRun, ...] = ()


class WeightedWire(Wire, frozen=True):
    """A Wire whose width shows the size of its gradient."""

    width: float = 2.2  # points


class Badge(Struct, frozen=True):
    """A filled disc with a number: the step of a function in the engine's order."""

    id: str
    x: float
    y: float
    text: str
    ink: str = "gradient"
    lean: Point = (-1.0, -1.0)  # the direction from its box, in which it moves when the box shrinks


class Panel(Struct, frozen=True):
    """One picture: a figure, or its state before or after. Title and legend are plain boxes."""

    id: str  # "before", "after", "step-01"
    area: Rectangle
    boxes: tuple[Box, ...] = ()
    wires: tuple[Wire, ...] = ()
    badges: tuple[Badge, ...] = ()
    grounds: tuple[Box, ...] = ()  # areas behind everything else


class Scene(Struct, frozen=True):
    """A figure: its size in points, its panels, and its alternative text for screen readers.

    caption: what it says in words, for a speaker's notes.
    """

    width: float
    height: float
    panels: tuple[Panel, ...]
    title: str = ""
    description: str = ""
    prefix: str = "figure"  # of all ids in a file, so that two figures on one page do not collide
    caption: str = ""
