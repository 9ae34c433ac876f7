"""A Scene as SVG that slide programs, browsers and printers all draw alike.

The profile: presentation attributes only; no style sheet (the fonts of `embed` are the one exception),
`rgba()`, `transparent`, foreignObject, nested svg, dominant-baseline, marker or filter. Arrow heads and text
are paths of their own. One unit is one point of the canvas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from inspector.scene.scene import Badge, Band, Box, Panel, Point, Rectangle, Scene, TextRun, Wire
from inspector.scene.theme import Theme, find_theme
from inspector.text.clean import clean
from inspector.text.decimals import decimal
from inspector.text.metrics import cap_height, width
from inspector.writers.arrows import with_head
from inspector.writers.svg_text import MODES, TextMode, embedded_fonts, text_element

CARD_RADIUS = 8.0
BADGE_RADIUS = 11.5
BADGE_SIZE = 15.0
_WIDEST_IN_DISC = 20.5  # points: two digits; with their height their corners just stay within the disc
_BADGE_MARGIN = 5.0  # beside a number that is too wide for a disc
_BORDERS = {"card": 1.6, "pill": 1.4, "circle": 1.8}
_WIRES = {"ink": 1.8}  # by ink: what is neither a gradient nor a plain wire is drawn a little finer
_WIRE = 2.2
_DASHED_WIRE = 1.6
_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9_.-]")


def write_svg(scene: Scene, *, theme: str = "light", text: TextMode = "path", ground: bool = True) -> str:
    """The Scene as the text of an SVG file; the same characters in every run.

    theme: light, dark or print. text: `path` draws glyphs as outlines, `embed` embeds the fonts, `plain`
    names them. ground: whether the canvas is filled; without, what lies behind the figure shows through.
    Raises ValueError for a theme, a text mode, an ink or a face that does not exist, and for a wire that is
    no spline.
    """
    if text not in MODES:
        raise ValueError(f"no text mode {text!r}; the modes are: {', '.join(MODES)}")
    drawing = _Drawing(find_theme(theme), text, _identifier(scene.prefix))
    return "".join((*_opening(scene, drawing, ground), *_panels(scene, drawing), "</svg>\n"))


@dataclass
class _Drawing:
    """What every part of the file needs to know."""

    theme: Theme
    mode: TextMode
    prefix: str
    used: set[str] = field(default_factory=set)

    def colour(self, ink: str) -> str:
        if ink not in self.theme:
            raise ValueError(f"no ink {ink!r}; the inks are: {', '.join(self.theme)}")
        return self.theme[ink]

    def group(self, *names: str) -> str:
        """The opening tag of a group whose id is made of these names and like no other in the file."""
        wanted = unique = "-".join((self.prefix, *(_UNFIT_FOR_ID.sub("_", name) for name in names)))
        count = 1
        while unique in self.used:
            count += 1
            unique = f"{wanted}-{count}"
        self.used.add(unique)
        return f'<g id="{unique}">'

    def texts(self, runs: Sequence[TextRun]) -> str:
        return "".join(text_element(run, self.colour(run.ink), self.mode, self.prefix) for run in runs)


def _identifier(prefix: str) -> str:
    """A prefix that an id may begin with."""
    fit = _UNFIT_FOR_ID.sub("_", prefix)
    return fit if fit[:1].isalpha() else f"figure{fit}"


def _opening(scene: Scene, drawing: _Drawing, ground: bool) -> Iterator[str]:
    """The svg element's tag and what stands before the panels."""
    size = f"{decimal(scene.width)} {decimal(scene.height)}"
    wide, high = size.split()
    told = [
        (tag, f"{drawing.prefix}-{tag}", content)
        for tag, content in (("title", _prose(scene.title)), ("desc", _prose(scene.description)))
        if content
    ]
    labels = f' aria-labelledby="{" ".join(identifier for _, identifier, _ in told)}"' if told else ""
    # Browsers otherwise round the advances of small text to whole pixels.
    exact = "" if drawing.mode == "path" else ' text-rendering="geometricPrecision"'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{wide}" height="{high}"'
        f' role="img"{labels}{exact}>\n'
    )
    for tag, identifier, content in told:
        drawing.used.add(identifier)
        yield f'<{tag} id="{identifier}">{escape(content)}</{tag}>\n'
    if drawing.mode == "embed":
        yield embedded_fonts(_runs(scene), drawing.prefix) + "\n"
    if ground:
        yield f'<rect width="{wide}" height="{high}" fill="{drawing.colour("ground")}"/>\n'


def _prose(text: str) -> str:
    """A title or description: its lines are kept, each of them cleaned."""
    return "\n".join(clean(line) for line in text.splitlines())


def _runs(scene: Scene) -> Iterator[TextRun]:
    """Every run of text in the Scene."""
    for panel in scene.panels:
        for wire in panel.wires:
            yield from wire.texts
        for box in panel.boxes:
            yield from box.texts
        yield from map(_badge_text, panel.badges)


def _panels(scene: Scene, drawing: _Drawing) -> Iterator[str]:
    """Wires below boxes below badges."""
    for panel in scene.panels:
        yield drawing.group(panel.id) + "\n"
        yield from (_wire(wire, panel, drawing) for wire in panel.wires)
        yield from (_box(box, panel, drawing) for box in panel.boxes)
        yield from (_badge(badge, panel, drawing) for badge in panel.badges)
        yield "</g>\n"


def _wire(wire: Wire, panel: Panel, drawing: _Drawing) -> str:
    colour = drawing.colour(wire.ink)
    line, head = with_head(wire.points)
    if not wire.arrow:
        line, head = list(wire.points), []
    stroke = _DASHED_WIRE if wire.dashed else _WIRES.get(wire.ink, _WIRE)
    dashes = ' stroke-dasharray="5 4"' if wire.dashed else ""
    start, *curves = line
    parts = [
        drawing.group(panel.id, wire.id),
        f'<path d="M{_place(start)}C{" ".join(map(_place, curves))}" fill="none" stroke="{colour}"'
        f' stroke-width="{decimal(stroke)}"{dashes}/>',
    ]
    if head:
        parts.append(f'<path d="M{" L".join(map(_place, head))}Z" fill="{colour}"/>')
    return "".join((*parts, drawing.texts(wire.texts), "</g>\n"))


def _box(box: Box, panel: Panel, drawing: _Drawing) -> str:
    shape = drawing.colour(box.fill), drawing.colour(box.ink)
    parts = [drawing.group(panel.id, box.id)]
    if box.shape == "card":
        fill, stroke = shape
        corners = f'{_area(box.area)} rx="{decimal(_radius(box.area))}"'
        parts.append(f'<rect {corners} fill="{fill}"/>')
        parts.extend(_band(band, box.area, drawing) for band in box.bands)
        parts.append(f'<rect {corners} fill="none" stroke="{stroke}" stroke-width="{_BORDERS["card"]}"/>')
    else:
        parts.append(_simple_shape(box, *shape))
        parts.extend(_band(band, box.area, drawing) for band in box.bands)
    return "".join((*parts, drawing.texts(box.texts), "</g>\n"))


def _simple_shape(box: Box, fill: str, stroke: str) -> str:
    """A pill or a circle; nothing for plain text."""
    if box.shape == "plain":
        return ""
    paint = f'fill="{fill}" stroke="{stroke}" stroke-width="{_BORDERS[box.shape]}"'
    if box.shape == "circle":
        x, y = box.area.center
        radius = min(box.area.width, box.area.height) / 2
        return f'<circle cx="{decimal(x)}" cy="{decimal(y)}" r="{decimal(radius)}" {paint}/>'
    radius = min(box.area.width, box.area.height) / 2
    return f'<rect {_area(box.area)} rx="{decimal(radius)}" {paint}/>'


def _band(band: Band, card: Rectangle, drawing: _Drawing) -> str:
    colour = drawing.colour(band.fill)
    if not band.header:
        return f'<rect {_area(band.area)} fill="{colour}"/>'
    area, radius = band.area, _radius(card)
    bend = f"a{decimal(radius)} {decimal(radius)} 0 0 1"
    low = decimal(area.bottom)
    left_corner = f"V{decimal(area.y + radius)}{bend} {decimal(radius)} {decimal(-radius)}"
    right_corner = f"H{decimal(area.right - radius)}{bend} {decimal(radius)} {decimal(radius)}"
    return f'<path d="M{decimal(area.x)} {low}{left_corner}{right_corner}V{low}Z" fill="{colour}"/>'


def _badge(badge: Badge, panel: Panel, drawing: _Drawing) -> str:
    """A disc with a number; a short pill where the number is too long for a disc."""
    colour = drawing.colour(badge.ink)
    disc = f'<circle cx="{decimal(badge.x)}" cy="{decimal(badge.y)}" r="{decimal(BADGE_RADIUS)}"'
    wide = width(badge.text, BADGE_SIZE, "bold")
    if wide > _WIDEST_IN_DISC:
        half = wide / 2 + _BADGE_MARGIN
        area = Rectangle(badge.x - half, badge.y - BADGE_RADIUS, 2 * half, 2 * BADGE_RADIUS)
        disc = f'<rect {_area(area)} rx="{decimal(BADGE_RADIUS)}"'
    number = drawing.texts((_badge_text(badge),))
    return f'{drawing.group(panel.id, badge.id)}{disc} fill="{colour}"/>{number}</g>\n'


def _badge_text(badge: Badge) -> TextRun:
    baseline = badge.y + cap_height(BADGE_SIZE, "bold") / 2
    return TextRun(badge.x, baseline, badge.text, BADGE_SIZE, "bold", "badge_text", "middle")


def _radius(area: Rectangle) -> float:
    return min(CARD_RADIUS, area.width / 2, area.height / 2)


def _area(area: Rectangle) -> str:
    x, y, wide, high = map(decimal, (area.x, area.y, area.width, area.height))
    return f'x="{x}" y="{y}" width="{wide}" height="{high}"'


def _place(point: Point) -> str:
    return f"{decimal(point[0])} {decimal(point[1])}"
