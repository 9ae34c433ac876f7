"""The bundled fonts: Inter for text, Fira Code for code. Opened on first use.

They contain no kerning and no ligatures (fonts/README.md), so that outlines, embedded text and metrics agree
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from inspector.typography.font_file import FontFile

FOLDER = Path(__file__).parent.parent / "fonts"


class Face(Struct, frozen=True):
    """One font file, and the names by which a renderer can ask for it."""

    file: str
    family: str
    weight: int
    fallback: str  # families to use if the named one is missing

    @property
    def path(self) -> Path:
        return FOLDER / self.file


FACES: Mapping[str, Face] = {
    "regular": Face("Inter-Regular.ttf", "Inter", 400, "DejaVu Sans, sans-serif"),
    "medium": Face("Inter-Medium.ttf", "Inter", 500, "DejaVu Sans, sans-serif"),
    "bold": Face("Inter-Bold.ttf", "Inter", 700, "DejaVu Sans, sans-serif"),
    "mono": Face("FiraCode-Medium.ttf", "Fira Code", 500, "DejaVu Sans Mono, monospace"),
}


def find_face(name: str) -> Face:
    """The Face of this name. Raises ValueError with the valid names."""
    if name not in FACES:
        raise ValueError(f"unknown font face {name!r}; choose from: {', '.join(FACES)}")
    return FACES[name]


@cache
def open_font(name: str) -> FontFile:
    """The file of a face. Raises ValueError with the valid names."""
    from inspector.typography.font_file import FontFile  # fontTools is slow to import

    return FontFile(find_face(name).path)


@cache
def advances(name: str) -> Mapping[str, float]:
    """Character → advance width in ems, for every character of a face."""
    font = open_font(name)
    widths, units = font.advances, font.units
    return {character: widths[glyph] / units for character, glyph in font.glyphs.items()}


@cache
def subset(name: str, used: frozenset[str], flavor: Literal["woff"] | None = None) -> bytes:
    """A font file with only these characters of a face; characters that the face lacks are left out.

    flavor: None for TrueType, "woff" for the compressed format that browsers read (zlib, so brotli is not needed).
    """
    from fontTools.subset import Options, Subsetter  # type: ignore[import-untyped]  # slow to import
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    font = TTFont(find_face(name).path, recalcTimestamp=False)
    subsetter = Subsetter(Options(layout_features=[], notdef_outline=True, recalc_timestamp=False))
    subsetter.populate(unicodes=sorted(ord(character) for character in used))
    subsetter.subset(font)
    font.flavor = flavor
    file = BytesIO()
    font.save(file)
    return file.getvalue()
