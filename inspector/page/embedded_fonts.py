"""The fonts that every page embeds: a few characters of two faces, as files beside the viewer.

Cutting them out of the fonts takes half a second, most of it to import fontTools' subsetter. A test holds them to
`typography.fonts.subset`, and writes them anew with `--update-golden`.
"""

from __future__ import annotations

from pathlib import Path

_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_SIGNS = "\u2013\u2026\u00d7\u00b7\u2212\u2192\u00b2\u00b3"
LETTERS = {
    "medium": f"{_ASCII}{_SIGNS}\u2014\u2018\u2019\u201c\u201d\u2190\u2202\u2016\u221a\u221e\u2248\u2264\u2265"
    "\u2070\u00b9\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u03b1\u03b2\u03b3\u03b4\u03b5\u03b8\u03bb\u03bc"
    "\u03c0\u03c1\u03c3\u03c6\u03c8\u03c9",
    "bold": f"{_ASCII}{_SIGNS}",
}
"""The characters that are embedded. All others come from the reader's fonts."""


def font_file(name: str) -> Path:
    """Where the characters of a face are."""
    return Path(__file__).parent / "viewer" / f"{name}.woff"


def embedded(name: str) -> bytes:
    """The font file of a face with its `LETTERS`, in the format that browsers read."""
    return font_file(name).read_bytes()
