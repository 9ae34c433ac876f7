"""Split a Scene into the primitives that every writer draws: areas, lines, arrow heads and texts.

Radii, strokes and drawing order are decided here once, so that all formats show the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from inspector.export.arrowheads import Headed, with_heads
from inspector.scene.scene import (
    STACK_DEPTH,
    Badge,
    Band,
    Box,
    Panel,
    Point,
    Rectangle,
    Scene,
    TextRun,
    WeightedWire,
    Wire,
)
from inspector.scene.theme import Theme
from inspector.typography.metrics import cap_height, width

CARD_RADIUS = 8.0
BADGE_RADIUS = 11.5
BADGE_SIZE = 15.0
_WIDEST_IN_DISC = 20.5  # points; two digits of this width just fit in the disc
_BADGE_MARGIN = 5.0  # left and right of a number that is too wide for a disc
_BORDERS = {"card": 1.6, "pill": 1.4, "circle": 1.8}
_WIRES = {"ink": 1.8}  # by ink
_WIRE = 2.2
_DASHED_WIRE = 1.6
DASHES = (5.0, 4.0)
"""Lengths of the dashes and gaps of a dashed line."""

_SHIFT = {"start": 0.0, "middle": 0.5, "end": 1.0}


class FilledArea(Struct, frozen=True):
    """A rectangle, optionally with round corners; a disc if the radius is half of both sides.

    fill, stroke: inks, or None. upper: only the upper corners are round.
    """

    area: Rectangle
    radius: float = 0.0
    fill: str | None = None
    stroke: str | None = None
    width: float = 0.0
    upper: bool = False

    @property
    def is_disc(self) -> bool:
        return self.area.width == self.area.height == 2 * self.radius


class StrokedLine(Struct, frozen=True):
    """A cubic Bezier spline, drawn as a line."""

    points: tuple[Point, ...]
    ink: str
    width: float
    dashed: bool


class ArrowHead(Struct, frozen=True):
    """An arrow head: three corners, its tip first."""

    corners: tuple[Point, ...]
    ink: str


Piece = FilledArea | StrokedLine | ArrowHead | TextRun
Kind = Literal["ground", "wire", "box", "badge"]


class Part(Struct, frozen=True):
    """A ground, a wire, a box or a badge, as the pieces to draw, in order."""

    id: str
    kind: Kind
    pieces: tuple[Piece, ...]


def parts(panel: Panel) -> Iterator[Part]:
    """The parts in drawing order: grounds, wires, boxes, badges. Raises ValueError if a wire is not a spline."""
    for ground in panel.grounds:
        yield Part(ground.id, "ground", tuple(_box(ground)))
    headed = with_heads([wire.points for wire in panel.wires])
    for wire, shape in zip(panel.wires, headed, strict=True):
        yield Part(wire.id, "wire", tuple(_wire(wire, shape)))
    for box in panel.boxes:
        yield Part(box.id, "box", tuple(_box(box)))
    for badge in panel.badges:
        yield Part(badge.id, "badge", tuple(_badge(badge)))


def runs(scenes: Sequence[Scene]) -> Iterator[TextRun]:
    """Every run of text in the Scenes, including the numbers of badges."""
    for scene in scenes:
        for panel in scene.panels:
            for part in parts(panel):
                yield from (piece for piece in part.pieces if isinstance(piece, TextRun))


def colour_of(theme: Theme, ink: str) -> str:
    """The colour `#RRGGBB` of an ink. Raises ValueError with the valid inks."""
    if ink not in theme:
        raise ValueError(f"unknown ink {ink!r}; choose from: {', '.join(theme)}")
    return theme[ink]


def start_of(run: TextRun) -> float:
    """The x of the left end of a run of text, whatever its anchor."""
    return run.x - _SHIFT[run.anchor] * width(run.text, run.size, run.face)


def stroke_of(wire: Wire) -> float:
    """The line width of a wire."""
    if isinstance(wire, WeightedWire):
        return wire.width
    return _DASHED_WIRE if wire.dashed else _WIRES.get(wire.ink, _WIRE)


def _wire(wire: Wire, shape: Headed) -> Iterator[Piece]:
    line, head = shape
    if not wire.arrow:
        line, head = list(wire.points), []
    yield StrokedLine(tuple(line), wire.ink, stroke_of(wire), wire.dashed)
    if head:
        yield ArrowHead(tuple(head), wire.ink)
    yield from wire.texts


def _box(box: Box) -> Iterator[Piece]:
    radius = min(CARD_RADIUS, box.area.width / 2, box.area.height / 2)
    if box.shape in ("card", "stack"):  # the border is drawn over the bands
        yield from _behind(box, radius)
        yield from (_band(band, radius) for band in box.bands)
        yield FilledArea(_front(box), radius, None, box.ink, _BORDERS["card"])
    else:
        if box.shape != "plain":
            yield _simple(box)
        yield from (_band(band, radius) for band in box.bands)
    yield from box.texts


def _front(box: Box) -> Rectangle:
    """The card of a box; the first card of a stack."""
    depth = STACK_DEPTH if box.shape == "stack" else 0.0
    return Rectangle(box.area.x, box.area.y, box.area.width - depth, box.area.height - depth)


def _behind(box: Box, radius: float) -> Iterator[Piece]:
    """The fill of a card, after the cards behind it if it is a stack."""
    front = _front(box)
    for shift in (STACK_DEPTH, STACK_DEPTH / 2) if box.shape == "stack" else ():
        yield FilledArea(front.moved(shift, shift), radius, box.fill, box.ink, _BORDERS["card"])
    yield FilledArea(front, radius, box.fill)


def _simple(box: Box) -> FilledArea:
    """A pill or a circle."""
    area = box.area
    radius = min(area.width, area.height) / 2
    if box.shape == "circle":
        x, y = area.center
        area = Rectangle(x - radius, y - radius, 2 * radius, 2 * radius)
    return FilledArea(area, radius, box.fill, box.ink, _BORDERS[box.shape])


def _band(band: Band, radius: float) -> FilledArea:
    return FilledArea(band.area, radius if band.header else 0.0, band.fill, upper=band.header)


def _badge(badge: Badge) -> Iterator[Piece]:
    """A disc with a number, or a short pill if the number is too wide for a disc."""
    wide = width(badge.text, BADGE_SIZE, "bold")
    half = wide / 2 + _BADGE_MARGIN if wide > _WIDEST_IN_DISC else BADGE_RADIUS
    area = Rectangle(badge.x - half, badge.y - BADGE_RADIUS, 2 * half, 2 * BADGE_RADIUS)
    yield FilledArea(area, BADGE_RADIUS, badge.ink)
    baseline = badge.y + cap_height(BADGE_SIZE, "bold") / 2
    yield TextRun(badge.x, baseline, badge.text, BADGE_SIZE, "bold", "badge_text", "middle")
