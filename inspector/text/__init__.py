"""Text without a screen: how wide it is, what its outline is, how a number is written. Needs no torch."""

from inspector.text.clean import clean
from inspector.text.fonts import FACES, Face
from inspector.text.metrics import ascent, cap_height, covers, descent, shorten, shorten_name, width, x_height
from inspector.text.numbers import bytes_text, counted, number, shape_text, value_text
from inspector.text.outline import outline

__all__ = [
    "FACES",
    "Face",
    "ascent",
    "bytes_text",
    "cap_height",
    "clean",
    "counted",
    "covers",
    "descent",
    "number",
    "outline",
    "shape_text",
    "shorten",
    "shorten_name",
    "value_text",
    "width",
    "x_height",
]
