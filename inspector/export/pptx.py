"""Write the frames of a figure as slides of native shapes, without images (the extra `slides`).

One slide per frame. The same thing has the same shape name on every slide, with the prefix `!!`, so that the Morph
transition turns one frame into the next. Wires are connectors that stay glued when a box is moved; a winding wire
is several connectors with joints between them. A plotted curve is a freeform. Text uses fonts that slide programs
have and that are never wider than the figure's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from inspector.export.drawing_primitives import FilledArea, Part, colour_of, parts, start_of, stroke_of
from inspector.export.optional_dependency import needs_extra
from inspector.export.pptx_wires import Bend, Piece, apply, is_straight, pieces_of, side_of, side_towards
from inspector.export.pptx_xml import add_morph, drop_style, name, set_line, without_dates
from inspector.scene.scene import Panel, Point, Rectangle, Scene, TextRun, Wire
from inspector.scene.splines import sampled
from inspector.scene.theme import Theme, find_theme
from inspector.typography.metrics import width
from inspector.typography.sanitize import isolate_right_to_left, sanitize

with needs_extra("pptx", "slides"):
    from pptx import Presentation
    from pptx.dml.color import RGBColor
    from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
    from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
    from pptx.util import Emu, Pt

SLIDES = ((960.0, 540.0), (720.0, 540.0))
"""The sizes of 16:9 and 4:3 slides. A figure of another size is centred on a 16:9 slide."""
LARGEST = 4_032.0
"""Points; PowerPoint does not accept larger slides."""
_POINT = 12_700  # EMU
_TITLED, _BLANK = 5, 6  # layouts of the default template: with a title alone, without placeholders
_TITLE = "title"
"""The id of the box that becomes the title of the slide, for outlines and screen readers."""
_ALIGNED = {"start": PP_ALIGN.LEFT, "middle": PP_ALIGN.CENTER, "end": PP_ALIGN.RIGHT}
_FONTS = {
    "regular": ("Arial", False),
    "medium": ("Arial", False),
    "bold": ("Arial", True),
    "mono": ("Consolas", False),
}
_ASCENT = {"Arial": 0.905, "Consolas": 0.92}
_HEIGHT = 1.17  # height of a line, in ems
_SPARE = 1.3  # width of a title, as a share of its text: some programs wrap it in a font that is wider
_SPACE = 0.278  # width of a space in Arial, in ems
_CURVE_STEPS = 4  # straight lines per segment of a curve
_DISC_SIDES = (0, 2, 4, 6)  # connection sites of an oval: top, left, bottom, right


def write_pptx(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """The Scenes as slides of a PowerPoint file. Raises MissingExtra without python-pptx."""
    presentation = Presentation()
    size = _slide_size(scenes)
    presentation.slide_width, presentation.slide_height = Pt(size[0]), Pt(size[1])
    _describe(presentation.core_properties, scenes[0])
    texts = _texts(scenes)
    for number, scene in enumerate(scenes):
        is_titled = any(box.id == _TITLE and box.texts for box in scene.panels[0].boxes)
        slide = presentation.slides.add_slide(presentation.slide_layouts[_TITLED if is_titled else _BLANK])
        _Slide(slide, scene, find_theme(theme), size).draw(texts)
        _note(slide, scene)
        if number:
            add_morph(slide)
    file = BytesIO()
    presentation.save(file)
    return without_dates(file.getvalue())


def _texts(scenes: Sequence[Scene]) -> list[Rectangle]:
    """The areas of all texts beside wires, over all slides, so that a wire has the same shape on each of them."""
    panels = [panel for scene in scenes for panel in scene.panels]
    found = (_room(run) for panel in panels for wire in panel.wires for run in wire.texts)
    return list(dict.fromkeys(found))


def _slide_size(scenes: Sequence[Scene]) -> tuple[float, float]:
    """The size of the slides: 4:3 if the Scenes have exactly this size, else 16:9, enlarged if necessary."""
    wide, high = max(scene.width for scene in scenes), max(scene.height for scene in scenes)
    if (wide, high) in SLIDES:
        return wide, high
    scale = max(1.0, wide / SLIDES[0][0], high / SLIDES[0][1])
    scale = min(scale, LARGEST / SLIDES[0][0])
    return round(SLIDES[0][0] * scale), round(SLIDES[0][1] * scale)


def _note(slide: Any, scene: Scene) -> None:
    """Add the caption of the Scene as speaker notes, then its title and description."""
    lines = (*([scene.caption, ""] if scene.caption else []), scene.title, *scene.description.splitlines())
    slide.notes_slide.notes_text_frame.text = "\n".join(map(sanitize, lines))


def _describe(properties: Any, scene: Scene) -> None:
    properties.title, properties.author, properties.last_modified_by = sanitize(scene.title)[:255], "", ""
    element = properties._element
    for child in list(element):
        if child.tag.endswith(("}created", "}modified")):
            element.remove(child)


_Ends = tuple[Any, Rectangle]
"""A shape that a connector can be attached to, and the area of its box."""


class _Slide:
    """One Scene on a slide."""

    def __init__(self, slide: Any, scene: Scene, theme: Theme, size: tuple[float, float]) -> None:
        self._slide = slide
        self._scene = scene
        self._theme = theme
        self._scale = min(1.0, size[0] / scene.width, size[1] / scene.height)
        self._shift = (
            (size[0] - self._scale * scene.width) / 2,
            (size[1] - self._scale * scene.height) / 2,
        )

    def draw(self, texts: Sequence[Rectangle]) -> None:
        """texts: the areas that wires must not cross."""
        ground = self._slide.background.fill
        ground.solid()
        ground.fore_color.rgb = self._colour("ground")
        self._slide.shapes.turbo_add_enabled = True  # otherwise each new shape searches all others for its id
        for number, panel in enumerate(self._scene.panels):
            self._panel(panel, f"{number + 1} " if number else "", texts)

    def _panel(self, panel: Panel, prefix: str, texts: Sequence[Rectangle]) -> None:
        """Grounds, boxes, to which connectors are attached, then wires, which are moved below the boxes."""
        tree = self._slide.shapes._spTree
        for ground in (part for part in parts(panel) if part.kind == "ground"):
            self._part(ground, prefix, None)
        lowest = len(tree)
        wired = {end for wire in panel.wires for end in (wire.source, wire.target)}
        ends_of_wires = {box.id: box.area for box in panel.boxes if box.id in wired}
        drawn = {
            part.id: self._part(part, prefix, ends_of_wires.get(part.id))
            for part in parts(panel)
            if part.kind in ("box", "badge")
        }
        ends = {box.id: (drawn[box.id], box.area) for box in panel.boxes if drawn[box.id] is not None}
        for wire in panel.wires:
            title = f"!!{prefix}{wire.id}"
            joins = wire.source in ends and wire.target in ends
            elements = [self._line(wire)] if _is_curve(wire, ends) else self._wire(wire, ends, texts, title)
            name(
                elements[0],
                title,
                _description_of(wire.texts) or (f"{wire.source} to {wire.target}" if joins else ""),
            )
            for element in elements:
                tree.remove(element)
                tree.insert(lowest, element)
                lowest += 1
            for line, run in enumerate(wire.texts):
                name(self._text(run)._element, f"!!{prefix}{wire.id} text {line}")

    # ---- boxes ------------------------------------------------------------------------------------------

    def _part(self, part: Part, prefix: str, end: Rectangle | None) -> Any:
        """Draw a box or badge as one shape or a group; returns the shape that connectors are attached to.

        end: the area of a box that wires lead to; if it has no outline, an invisible one is their end, since
        programs that route connectors anew would lead them to its first line.
        """
        title = f"!!{prefix}{part.id}"
        if part.id == _TITLE and self._slide.shapes.title is not None and not prefix:
            return self._title(title, [piece for piece in part.pieces if isinstance(piece, TextRun)])
        description = _description_of([piece for piece in part.pieces if isinstance(piece, TextRun)])
        several = len(part.pieces) > 1
        outline = None
        drawn = []
        if end is not None and several and all(isinstance(piece, TextRun) for piece in part.pieces):
            outline = self._area(FilledArea(end))
            outline.line.fill.background()
            name(outline._element, f"{title} {len(part.pieces)}")
            drawn.append(outline)
        for number, piece in enumerate(part.pieces):
            if isinstance(piece, FilledArea):
                shape = self._area(piece)
                outline = shape if piece.stroke is not None else outline
            elif isinstance(piece, TextRun):
                shape = self._text(piece)
            name(shape._element, f"{title} {number}" if several else title, description if number == 0 else "")
            drawn.append(shape)
        if several:  # at the end: a group computes its extent again whenever a shape is added to it
            name(self._slide.shapes.add_group_shape(drawn)._element, title, description)
            self._slide.shapes.turbo_add_enabled = True  # ids go on after that of the group
        return outline or drawn[0]

    def _area(self, piece: FilledArea) -> Any:
        kind = MSO_SHAPE.RECTANGLE
        if piece.is_disc:
            kind = MSO_SHAPE.OVAL
        elif piece.radius:
            kind = MSO_SHAPE.ROUND_2_SAME_RECTANGLE if piece.upper else MSO_SHAPE.ROUNDED_RECTANGLE
        shape = self._slide.shapes.add_shape(kind, *self._place(piece.area))
        drop_style(shape._element)
        if piece.radius and not piece.is_disc:
            shape.adjustments[0] = piece.radius / min(piece.area.width, piece.area.height)
        if piece.fill is None:
            shape.fill.background()
        else:
            shape.fill.solid()
            shape.fill.fore_color.rgb = self._colour(piece.fill)
        if piece.stroke is not None:
            set_line(shape._element, self._hex(piece.stroke), self._length(piece.width))
        return shape

    def _text(self, run: TextRun) -> Any:
        """A text box of the size of its line; it does not wrap, and keeps its anchor in any font."""
        typeface, _ = _FONTS[run.face]
        wide = width(run.text, run.size, run.face)
        area = Rectangle(start_of(run), run.y - _ASCENT[typeface] * run.size, wide, _HEIGHT * run.size)
        box = self._slide.shapes.add_textbox(*self._place(area))
        frame = box.text_frame
        _without_margins(frame)
        frame.paragraphs[0].alignment = _ALIGNED[run.anchor]
        self._write(frame.paragraphs[0], run, run.text)
        return box

    def _write(self, paragraph: Any, run: TextRun, text: str) -> None:
        """Add text to a paragraph in the style of a run of the Scene."""
        words = paragraph.add_run()
        words.text = isolate_right_to_left(sanitize(text))
        words.font.name, words.font.bold = _FONTS[run.face]
        words.font.size = Pt(max(1.0, round(run.size * self._scale, 2)))
        words.font.color.rgb = self._colour(run.ink)

    def _title(self, title: str, runs: Sequence[TextRun]) -> Any:
        """Put the lines of the title into the placeholder of the slide, at their positions in the figure."""
        lines: list[list[TextRun]] = []
        for run in runs:
            if lines and start_of(run) > start_of(lines[-1][-1]):
                lines[-1].append(run)
            else:
                lines.append([run])
        tops = [min(run.y - _ASCENT[_FONTS[run.face][0]] * run.size for run in line) for line in lines]
        left = min(map(start_of, runs))
        wide = _SPARE * (max(start_of(run) + width(run.text, run.size, run.face) for run in runs) - left)
        high = tops[-1] - tops[0] + _HEIGHT * max(run.size for run in lines[-1])
        shape = self._slide.shapes.title
        shape.left, shape.top, shape.width, shape.height = self._place(Rectangle(left, tops[0], wide, high))
        name(shape._element, title)
        frame = shape.text_frame
        _without_margins(frame)
        for number, line in enumerate(lines):
            paragraph = frame.add_paragraph() if number else frame.paragraphs[0]
            paragraph.alignment = PP_ALIGN.LEFT
            if number:
                taken = _HEIGHT * max(run.size for run in lines[number - 1])
                paragraph.space_before = Pt(max(0.0, (tops[number] - tops[number - 1] - taken) * self._scale))
            end = start_of(line[0])
            for run in line:
                if spaces := round((start_of(run) - end) / (_SPACE * run.size)):
                    self._write(paragraph, replace(run, face="regular"), " " * spaces)
                self._write(paragraph, run, run.text)
                end = start_of(run) + width(run.text, run.size, run.face)
        return shape

    # ---- wires ------------------------------------------------------------------------------------------

    def _wire(
        self, wire: Wire, boxes: Mapping[str, _Ends], texts: Sequence[Rectangle], title: str
    ) -> list[Any]:
        """The connectors of a wire, attached to its boxes and to the joints between them, in order."""
        own = (wire.source, wire.target)
        others = (area for identifier, (_, area) in boxes.items() if identifier not in own)
        pieces = pieces_of(wire.points, [*texts, *others])
        joints: list[Any] = [self._joint(piece.end, wire.ink, stroke_of(wire)) for piece in pieces[:-1]]
        if wire.source == wire.target or any(end not in boxes for end in own):  # a sample in the legend
            tips = wire.points[0], wire.points[-1]
            ends: list[Any] = [self._joint(tip, "", stroke_of(wire)) for tip in tips]
        else:
            ends = [boxes[end] for end in own]
        marks = [*joints, *(end for end in ends if not isinstance(end, tuple))]
        for number, joint in enumerate(marks, start=1):
            name(joint._element, f"{title} joint {number}")
        connectors = []
        stations = [ends[0], *joints, ends[1]]
        for number, (piece, (begin, end)) in enumerate(zip(pieces, pairwise(stations), strict=True), start=1):
            connector = self._connector(piece.bend)
            _glue(connector._connect_begin_to, begin, piece.start, piece)
            _glue(connector._connect_end_to, end, piece.end, piece)
            self._stroke(connector._element, wire, number == len(pieces))
            name(connector._element, f"{title} part {number}")
            connectors.append(connector._element)
        return [*connectors, *(joint._element for joint in marks)]

    def _line(self, wire: Wire) -> Any:
        """A line that connects no boxes (the curve of a plot) as a freeform, since connectors have no other bend
        than an S."""
        points = [self._place(Rectangle(x, y, 0, 0))[:2] for x, y in sampled(wire.points, _CURVE_STEPS)]
        builder = self._slide.shapes.build_freeform(*points[0], scale=1.0)
        builder.add_line_segments(points[1:], close=False)
        shape = builder.convert_to_shape()
        drop_style(shape._element)
        shape.fill.background()
        self._stroke(shape._element, wire, True)
        return shape._element

    def _stroke(self, element: Any, wire: Wire, last: bool) -> None:
        width = self._length(stroke_of(wire))
        set_line(element, self._hex(wire.ink), width, dashed=wire.dashed, arrow=wire.arrow and last)

    def _connector(self, bend: Bend) -> Any:
        connector = self._slide.shapes.add_connector(MSO_CONNECTOR.CURVE, 0, 0, 0, 0)
        drop_style(connector._element)
        connector.left, connector.top, connector.width, connector.height = self._place(bend.area)
        apply(bend, connector._element.spPr.xfrm)
        connector._element.spPr.prstGeom.set("prst", bend.preset)
        return connector

    def _joint(self, at: Point, ink: str, wide: float) -> Any:
        """A disc as wide as the wire, since connectors can only be attached to shapes. ink: empty for an invisible
        one."""
        area = Rectangle(at[0] - wide / 2, at[1] - wide / 2, wide, wide)
        shape = self._slide.shapes.add_shape(MSO_SHAPE.OVAL, *self._place(area))
        drop_style(shape._element)
        if ink:
            shape.fill.solid()
            shape.fill.fore_color.rgb = self._colour(ink)
        else:
            shape.fill.background()
        shape.line.fill.background()
        return shape

    # ---- lengths and colours ----------------------------------------------------------------------------

    def _place(self, area: Rectangle) -> list[Any]:
        x, y = (shift + self._scale * at for shift, at in zip(self._shift, (area.x, area.y), strict=True))
        lengths = (x, y, self._scale * area.width, self._scale * area.height)
        return [Emu(round(_POINT * length)) for length in lengths]

    def _length(self, length: float) -> int:
        return round(_POINT * self._scale * length)

    def _hex(self, ink: str) -> str:
        return colour_of(self._theme, ink)

    def _colour(self, ink: str) -> Any:
        return RGBColor.from_string(self._hex(ink).removeprefix("#"))  # type: ignore[no-untyped-call]


def _without_margins(frame: Any) -> None:
    """Text starts in the upper corner of its shape and does not wrap."""
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    frame.word_wrap, frame.auto_size, frame.vertical_anchor = False, MSO_AUTO_SIZE.NONE, MSO_ANCHOR.TOP


def _glue(glue: Callable[[Any, int], None], end: Any, point: Point, piece: Piece) -> None:
    """Attach an end of a connector to a box or a joint, without moving it to the middle of the side."""
    if isinstance(end, tuple):
        shape, side = end[0], side_of(end[1], point)
    else:
        shape, side = end, side_towards(point, piece)
    glue(shape, _DISC_SIDES[side] if _is_disc(shape) else side)


def _is_curve(wire: Wire, boxes: Mapping[str, _Ends]) -> bool:
    """Whether a line is curved and does not connect boxes."""
    return wire.source not in boxes and wire.target not in boxes and not is_straight(wire.points)


def _is_disc(shape: Any) -> bool:
    return bool(shape._element.xpath('.//a:prstGeom[@prst="ellipse"]'))


def _room(run: TextRun) -> Rectangle:
    """The area of a run of text."""
    wide = width(run.text, run.size, run.face)
    return Rectangle(start_of(run), run.y - 0.76 * run.size, wide, 0.98 * run.size)


def _description_of(texts: Sequence[TextRun]) -> str:
    """The texts of a part, as its alt text."""
    return ", ".join(sanitize(run.text) for run in texts)
