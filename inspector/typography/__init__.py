"""Text without a screen: widths, glyph outlines, number formats. No torch needed."""

from inspector.typography.fonts import FACES, Face
from inspector.typography.glyph_paths import glyph_path
from inspector.typography.metrics import (
    ascent,
    cap_height,
    covers,
    descent,
    shorten,
    shorten_name,
    width,
    x_height,
)
from inspector.typography.number_format import bytes_text, format_number, pluralize, shape_text, value_text
from inspector.typography.sanitize import sanitize

__all__ = [
    "FACES",
    "Face",
    "ascent",
    "bytes_text",
    "cap_height",
    "covers",
    "descent",
    "format_number",
    "glyph_path",
    "pluralize",
    "sanitize",
    "shape_text",
    "shorten",
    "shorten_name",
    "value_text",
    "width",
    "x_height",
]
