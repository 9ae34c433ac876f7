"""Move and scale the parts of a Scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from inspector.scene.scene import Badge, Box, Panel, Point, Rectangle, TextRun, Wire

_BADGE_SIZE = 12.0


def bounds(areas: Iterable[Rectangle]) -> Rectangle:
    """The smallest rectangle around all areas; without areas, one of size zero at the origin."""
    corners = [(area.x, area.y, area.right, area.bottom) for area in areas]
    if not corners:
        return Rectangle(0.0, 0.0, 0.0, 0.0)
    left, top, right, bottom = zip(*corners, strict=True)
    return Rectangle(min(left), min(top), max(right) - min(left), max(bottom) - min(top))


def points_bounds(points: Sequence[Point]) -> Rectangle:
    """The smallest rectangle around some points."""
    if not points:
        return Rectangle(0.0, 0.0, 0.0, 0.0)
    xs, ys = zip(*points, strict=True)
    left, top = min(xs), min(ys)
    return Rectangle(left, top, max(xs) - left, max(ys) - top)


def transform_panel(panel: Panel, dx: float, dy: float, scale: float = 1.0) -> Panel:
    """The panel with every length multiplied by `scale`, moved by `dx` and `dy` on its canvas."""
    if not dx and not dy and scale == 1.0:
        return panel
    return _Transform(dx, dy, scale).panel(panel)


class _Transform:
    """Positions are scaled, then moved."""

    def __init__(self, dx: float, dy: float, scale: float) -> None:
        self._dx, self._dy, self._scale = dx, dy, scale

    def panel(self, panel: Panel) -> Panel:
        return Panel(
            panel.id,
            self._area(panel.area),
            tuple(map(self._box, panel.boxes)),
            tuple(map(self._wire, panel.wires)),
            tuple(map(self._badge, panel.badges)),
            tuple(map(self._box, panel.grounds)),
        )

    def _point(self, point: Point) -> Point:
        return point[0] * self._scale + self._dx, point[1] * self._scale + self._dy

    def _area(self, area: Rectangle) -> Rectangle:
        return Rectangle(*self._point((area.x, area.y)), area.width * self._scale, area.height * self._scale)

    def _texts(self, texts: Iterable[TextRun]) -> tuple[TextRun, ...]:
        return tuple([self._text(text) for text in texts])

    def _text(self, text: TextRun) -> TextRun:
        x, y = self._point((text.x, text.y))
        return replace(text, x=x, y=y, size=text.size * self._scale)

    def _box(self, box: Box) -> Box:
        bands = tuple([replace(band, area=self._area(band.area)) for band in box.bands])
        return replace(box, area=self._area(box.area), bands=bands, texts=self._texts(box.texts))

    def _wire(self, wire: Wire) -> Wire:
        return replace(wire, points=tuple(map(self._point, wire.points)), texts=self._texts(wire.texts))

    def _badge(self, badge: Badge) -> Badge:
        """A badge keeps its size, so it moves away from its box by as much as that shrinks."""
        x, y = self._point((badge.x, badge.y))
        lost = (1 - self._scale) * _BADGE_SIZE
        return replace(badge, x=x + lost * badge.lean[0], y=y + lost * badge.lean[1])
