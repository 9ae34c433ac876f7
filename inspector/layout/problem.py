"""The layout problem: box sizes, attachments and wires. Plain data without text."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.options.choices import Direction
from inspector.scene.scene import Point, Rectangle
from inspector.scene.transform import bounds
from inspector.styles.plan import PlannedShape

Size = tuple[float, float]
"""Width and height in points."""


class Spacing(Struct, frozen=True):
    """Distances in the layout, in points.

    rank, lane: minimum gaps along and across the flow. straight: length of the straight ends of a wire, which an
    arrowhead needs. slope: gap between two ranks, as a share of the largest move of a wire across the flow, and
    the most that it becomes. aligned: whether the leaves share a rank, with the boxes attached to them beyond
    instead of beside them. rows: number of rows of the figure. badge: gap between a function and a text that would
    cover its badge. room: the size above which a circuit is not drawn, so that its chips need no places.
    """

    rank: float = 15.0
    lane: float = 24.0
    straight: float = 8.0
    slope: tuple[float, float] = (0.3, 56.0)
    aligned: bool = False
    rows: int = 1
    badge: float = 15.0
    room: Size | None = None


ROOMY = Spacing()
CLOSE = Spacing(rank=11.0, lane=18.0, straight=5.0, slope=(0.15, 24.0), badge=20.0)
"""For a figure that would otherwise not fit its canvas; badges keep their size when it is scaled down."""
IN_TWO_ROWS, IN_THREE_ROWS = replace(CLOSE, rows=2), replace(CLOSE, rows=3)
TIGHT = replace(CLOSE, rank=0.4, lane=12.0, straight=1.0, slope=(0.0, 24.0))
"""For a line of gates whose wires are level."""
LOW = replace(TIGHT, lane=6.0)
"""For many short branches, one below the other."""
ALIGNED = replace(CLOSE, aligned=True)
"""The same for a deep figure with leaves on many of its ranks."""


TIE = "tie "
"""Prefix of a route that only keeps boxes in order; it is not drawn."""


class Route(Struct, frozen=True):
    """A wire to route.

    label: the size of the text beside it, (0, 0) for none. below: of the text on its other side; then the label is
    above it (for a vertical wire: left of it). level: whether it should be straight rather than others.
    """

    id: str
    source: str
    target: str
    label: Size = (0.0, 0.0)
    below: Size = (0.0, 0.0)
    level: bool = False


class Problem(Struct, frozen=True):
    """A layout problem.

    sizes: box id → size. hanging: id of an attached box → id of its host. texts: the attached boxes that are plain
    text and have no link. routes: the wires between the other boxes. shapes: box id → its shape. flipped: whether
    routes run from the leaves to the root, so that they end at their arrowheads.
    """

    direction: Direction
    sizes: dict[str, Size]
    hanging: dict[str, str]
    texts: frozenset[str]
    routes: tuple[Route, ...]
    shapes: dict[str, PlannedShape] = field(default_factory=dict)
    flipped: bool = False
    spacing: Spacing = ROOMY

    @property
    def ends(self) -> frozenset[str]:
        """The boxes at which the gradient ends, if they have a rank of their own."""
        if not self.spacing.aligned:
            return frozenset()
        left = {route.target if self.flipped else route.source for route in self.routes}
        return frozenset(self.sizes.keys() - self.hanging.keys() - left)

    @property
    def in_order(self) -> bool:
        """Whether the wires to a box keep the order of their routes, from top to bottom or left to right: in a
        tree that runs from the leaves to the root, they then do not cross."""
        sources = [route.source for route in self.routes if not route.id.startswith(TIE)]
        return self.flipped and len(sources) == len(set(sources))

    @property
    def horizontal(self) -> bool:
        """Whether the wires run from left to right or back."""
        return self.direction in ("LR", "RL")


class Placement(Struct, frozen=True):
    """All positions, in points from the top left. labels, below: wire id → the area of its text."""

    boxes: dict[str, Rectangle]
    wires: dict[str, tuple[Point, ...]]
    labels: dict[str, Rectangle]
    below: dict[str, Rectangle] = field(default_factory=dict)

    @property
    def area(self) -> Rectangle:
        """The area of all boxes and texts."""
        texts = (room for room in (*self.labels.values(), *self.below.values()) if room.width)
        return bounds([*self.boxes.values(), *texts])

    def mapped(
        self,
        area: Callable[[Rectangle], Rectangle],
        spline: Callable[[tuple[Point, ...]], tuple[Point, ...]],
    ) -> Placement:
        """The placement with a function applied to every area, and one to the points of every wire."""
        return Placement(
            {box: area(item) for box, item in self.boxes.items()},
            {wire: spline(points) for wire, points in self.wires.items()},
            {wire: area(item) for wire, item in self.labels.items()},
            {wire: area(item) for wire, item in self.below.items()},
        )

    def moved(self, dx: float, dy: float) -> Placement:
        """The placement at another position."""

        def area(item: Rectangle) -> Rectangle:
            return Rectangle(item.x + dx, item.y + dy, item.width, item.height)

        def spline(points: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple([(x + dx, y + dy) for x, y in points])

        return self.mapped(area, spline)
