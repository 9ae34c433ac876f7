"""The parts of a Scene as SVG elements: presentation attributes only, each part a group with a unique id."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct, field

from inspector.export.drawing_primitives import DASHES, ArrowHead, FilledArea, Part, Piece, colour_of
from inspector.export.svg_text import text_element
from inspector.options.choices import Text
from inspector.scene.scene import Rectangle, TextRun
from inspector.scene.theme import Theme
from inspector.typography.decimal import decimal

_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9_.-]")
_DASHED = f' stroke-dasharray="{" ".join(map(decimal, DASHES))}"'


class SvgDrawing(Struct):
    """State shared by all parts of a file.

    prefix: of all ids. fonts: prefix of the names of embedded fonts. used: the ids in use.
    """

    theme: Theme
    mode: Text
    prefix: str
    fonts: str
    used: set[str] = field(default_factory=set)

    def colour(self, ink: str) -> str:
        return self.theme.get(ink) or colour_of(self.theme, ink)

    def group(self, *names: str) -> str:
        """The opening tag of a group whose id is made of these names and unique in the file."""
        wanted = unique = f"{self.prefix}-{_UNFIT_FOR_ID.sub('_', '-'.join(names))}"
        count = 1
        while unique in self.used:
            count += 1
            unique = f"{wanted}-{count}"
        self.used.add(unique)
        return f'<g id="{unique}">'

    def part(self, part: Part, *names: str) -> str:
        """A part as a group. names: the first parts of its id, after the prefix."""
        return f"{self.group(*names, part.id)}{self.pieces(part.pieces)}</g>\n"

    def pieces(self, pieces: Iterable[Piece]) -> str:
        return "".join(map(self._element, pieces))

    def _element(self, piece: Piece) -> str:
        if isinstance(piece, TextRun):
            return text_element(piece, self.colour(piece.ink), self.mode, self.fonts)
        if isinstance(piece, FilledArea):
            return self._area(piece)
        if isinstance(piece, ArrowHead):
            corners = " L".join([f"{decimal(x)} {decimal(y)}" for x, y in piece.corners])
            return f'<path d="M{corners}Z" fill="{self.colour(piece.ink)}"/>'
        start, *curves = [f"{decimal(x)} {decimal(y)}" for x, y in piece.points]
        return (
            f'<path d="M{start}C{" ".join(curves)}" fill="none"'
            f' stroke="{self.colour(piece.ink)}" stroke-width="{decimal(piece.width)}"'
            f"{_DASHED if piece.dashed else ''}/>"
        )

    def _area(self, piece: FilledArea) -> str:
        paint = f' fill="{"none" if piece.fill is None else self.colour(piece.fill)}"'
        if piece.stroke is not None:
            paint += f' stroke="{self.colour(piece.stroke)}" stroke-width="{decimal(piece.width)}"'
        area, radius = piece.area, decimal(piece.radius)
        if piece.upper and piece.radius:
            return f'<path d="{_upper_rounded(area, piece.radius)}"{paint}/>'
        if piece.is_disc:
            x, y = area.center
            return f'<circle cx="{decimal(x)}" cy="{decimal(y)}" r="{radius}"{paint}/>'
        corners = f' rx="{radius}"' if piece.radius else ""
        place = f'x="{decimal(area.x)}" y="{decimal(area.y)}"'
        return f'<rect {place} width="{decimal(area.width)}" height="{decimal(area.height)}"{corners}{paint}/>'


def identifier(prefix: str) -> str:
    """The prefix as a valid start of an id."""
    fit = _UNFIT_FOR_ID.sub("_", prefix)
    return fit if fit[:1].isalpha() else f"figure{fit}"


def _upper_rounded(area: Rectangle, radius: float) -> str:
    bend = f"a{decimal(radius)} {decimal(radius)} 0 0 1"
    low = decimal(area.bottom)
    left_corner = f"V{decimal(area.y + radius)}{bend} {decimal(radius)} {decimal(-radius)}"
    right_corner = f"H{decimal(area.right - radius)}{bend} {decimal(radius)} {decimal(radius)}"
    return f"M{decimal(area.x)} {low}{left_corner}{right_corner}V{low}Z"
