"""Write Scenes as PDF: one page per Scene, vector shapes, real text in subsets of the bundled fonts.

Uses reportlab, without dates, so that the same Scenes give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from msgspec.structs import replace
from reportlab.pdfbase import pdfdoc, pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from inspector.export.drawing_primitives import (
    DASHES,
    ArrowHead,
    FilledArea,
    Piece,
    StrokedLine,
    colour_of,
    parts,
    start_of,
)
from inspector.scene.scene import Point, Scene, TextRun
from inspector.scene.theme import Theme, find_theme
from inspector.typography.fallback_glyph import with_fallback_glyphs
from inspector.typography.fonts import find_face
from inspector.typography.sanitize import sanitize

CREATOR = "autograd-inspector"
_CIRCLE = 0.5522847498
"""Distance of the control points, in radii, at which a cubic Bezier curve is a quarter of a circle."""


def write_pdf(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """The Scenes as the pages of a PDF file. Characters that the bundled fonts lack become squares."""
    file = BytesIO()
    canvas = Canvas(file, invariant=True, lang="en", initialFontName=_font("regular"))
    canvas._doc.info = _Information()
    canvas.setTitle(sanitize(scenes[0].title) or CREATOR)
    canvas.setSubject(" | ".join(map(sanitize, scenes[0].description.splitlines())))
    canvas.setAuthor("")
    canvas.setCreator(CREATOR)
    for scene in scenes:
        _Page(canvas, scene, find_theme(theme)).draw()
    canvas.save()
    return file.getvalue()


class _Information(pdfdoc.PDFInfo):  # type: ignore[misc]
    """The document properties, without the dates that reportlab adds."""

    def format(self, document: Any) -> Any:
        """The PDF dictionary, called by reportlab."""
        entries = {
            "Title": pdfdoc.PDFString(self.title),
            "Subject": pdfdoc.PDFString(self.subject),
            "Creator": pdfdoc.PDFString(self.creator),
            "Producer": pdfdoc.PDFString("reportlab"),
        }
        return pdfdoc.PDFDictionary(entries).format(document)


class _Page:
    """One Scene on a page of its size. In PDF, y grows upwards from the lower edge."""

    def __init__(self, canvas: Any, scene: Scene, theme: Theme) -> None:
        self._canvas = canvas
        self._scene = scene
        self._theme = theme

    def draw(self) -> None:
        canvas, scene = self._canvas, self._scene
        canvas.setPageSize((scene.width, scene.height))
        canvas.setFillColor(self._colour("ground"))
        canvas.rect(0, 0, scene.width, scene.height, stroke=0, fill=1)
        for panel in scene.panels:
            for part in parts(panel):
                for piece in part.pieces:
                    self._piece(piece)
        canvas.showPage()

    def _piece(self, piece: Piece) -> None:
        if isinstance(piece, FilledArea):
            self._area(piece)
        elif isinstance(piece, StrokedLine):
            self._line(piece)
        elif isinstance(piece, ArrowHead):
            path = self._path(piece.corners[0])
            for corner in piece.corners[1:]:
                path.lineTo(*self._place(corner))
            path.close()
            self._paint(path, piece.ink, None)
        else:
            self._text(piece)

    def _area(self, piece: FilledArea) -> None:
        area, upper = piece.area, piece.radius
        lower = 0.0 if piece.upper else upper
        path = self._path((area.x + upper, area.y))
        for corner, along, radius in (
            ((area.right, area.y), (1, 0), upper),
            ((area.right, area.bottom), (0, 1), lower),
            ((area.x, area.bottom), (-1, 0), lower),
            ((area.x, area.y), (0, -1), upper),
        ):
            self._corner(path, corner, along, radius)
        path.close()
        if piece.stroke is not None:
            self._canvas.setLineWidth(piece.width)
        self._paint(path, piece.fill, piece.stroke)

    def _corner(self, path: Any, corner: Point, along: tuple[int, int], radius: float) -> None:
        """A line to the start of a round corner, and a quarter of a circle, clockwise."""
        (x, y), (ahead, down) = corner, along
        turned = (-down, ahead)
        path.lineTo(*self._place((x - ahead * radius, y - down * radius)))
        if radius:
            bend = radius * (1 - _CIRCLE)
            path.curveTo(
                *self._place((x - ahead * bend, y - down * bend)),
                *self._place((x + turned[0] * bend, y + turned[1] * bend)),
                *self._place((x + turned[0] * radius, y + turned[1] * radius)),
            )

    def _line(self, piece: StrokedLine) -> None:
        path = self._path(piece.points[0])
        for first in range(1, len(piece.points) - 1, 3):
            curve = [length for point in piece.points[first : first + 3] for length in self._place(point)]
            path.curveTo(*curve)
        self._canvas.setLineWidth(piece.width)
        self._canvas.setDash(list(DASHES) if piece.dashed else [])
        self._paint(path, None, piece.ink)
        self._canvas.setDash([])

    def _text(self, run: TextRun) -> None:
        text = with_fallback_glyphs(run.text, run.face)
        if not text.strip():
            return
        self._canvas.setFillColor(self._colour(run.ink))
        self._canvas.setFont(_font(run.face), run.size)
        self._canvas.drawString(start_of(replace(run, text=text)), self._scene.height - run.y, text)

    def _path(self, start: Point) -> Any:
        path = self._canvas.beginPath()
        path.moveTo(*self._place(start))
        return path

    def _paint(self, path: Any, fill: str | None, stroke: str | None) -> None:
        if fill is not None:
            self._canvas.setFillColor(self._colour(fill))
        if stroke is not None:
            self._canvas.setStrokeColor(self._colour(stroke))
        self._canvas.drawPath(path, stroke=int(stroke is not None), fill=int(fill is not None))

    def _place(self, point: Point) -> Point:
        return point[0], self._scene.height - point[1]

    def _colour(self, ink: str) -> str:
        return colour_of(self._theme, ink)


def _font(face: str) -> str:
    """The name of a face in reportlab; registers the font on first use."""
    name = f"inspector-{face}"
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(name, str(find_face(face).path)))
    return name
