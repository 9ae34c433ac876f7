"""Text without a screen: widths, glyph outlines, number formats. No torch needed."""

from inspector.typography.fonts import FACES, Face
from inspector.typography.metrics import cap_height, covers, shorten, shorten_name, width
from inspector.typography.number_format import (
    bytes_text,
    change_text,
    format_number,
    pluralize,
    shape_text,
    value_text,
)
from inspector.typography.sanitize import one_line, sanitize

__all__ = [
    "FACES",
    "Face",
    "bytes_text",
    "cap_height",
    "change_text",
    "covers",
    "format_number",
    "one_line",
    "pluralize",
    "sanitize",
    "shape_text",
    "shorten",
    "shorten_name",
    "value_text",
    "width",
]
