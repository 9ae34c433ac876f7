"""Text in an SVG file: as outlines, in an embedded font, or in an installed font.

Outlines look the same everywhere, including slide programs. `embed` keeps text selectable in browsers (PowerPoint,
cairo and resvg ignore embedded fonts). `plain` is for readers who have Inter and Fira Code installed and want to
edit; a renderer may then apply the installed font's own kerning.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import lru_cache
from html import escape

from inspector.export.drawing_primitives import start_of
from inspector.options.choices import Text
from inspector.scene.scene import Anchor, Point, TextRun
from inspector.typography.decimal import decimal
from inspector.typography.fonts import FACES, find_face, subset
from inspector.typography.glyph_paths import outline, path_at
from inspector.typography.metrics import covers
from inspector.typography.sanitize import isolate_right_to_left, sanitize


def text_element(run: TextRun, colour: str, mode: Text, prefix: str) -> str:
    """One run of text as an SVG element, or "" for a blank one.

    prefix: of the family names of embedded fonts. A run with characters that the face lacks (Chinese, Arabic, an
    emoji) is real text in every mode, for the reader's fonts.
    """
    if mode == "path" and (found := _outlined(run.text, run.size, run.face, run.anchor)) is not None:
        shift, (x, y), commands = found
        return f'<path d="{path_at(run.x - shift + x, run.y + y, commands)}" fill="{colour}"/>'
    text = sanitize(run.text)
    if not text.strip():
        return ""
    face = find_face(run.face)
    families = f"{face.family}, {face.fallback}"
    if mode == "embed":
        families = f"{embedded_family(run.face, prefix)}, {families}"
    anchor = "" if run.anchor == "start" else f' text-anchor="{run.anchor}"'
    # Leading, trailing and double spaces count in the metrics, but XML would drop them.
    space = ' xml:space="preserve"' if " ".join(text.split()) != text else ""
    return (
        f'<text x="{decimal(run.x)}" y="{decimal(run.y)}" font-family="{families}"'
        f' font-size="{decimal(run.size)}" font-weight="{face.weight}" fill="{colour}"{anchor}{space}>'
        f"{escape(isolate_right_to_left(text))}</text>"
    )


@lru_cache(maxsize=2_048)
def _outlined(text: str, size: float, face: str, anchor: Anchor) -> tuple[float, Point, str] | None:
    """How far a run of text extends to the left of its place, and its `outline`; None if it is blank, or the face
    lacks characters."""
    content = sanitize(text)
    if not content.strip() or not covers(content, face):
        return None
    return -start_of(TextRun(0.0, 0.0, text, size, face, anchor=anchor)), *outline(content, size, face)


def embedded_family(face: str, prefix: str) -> str:
    """The name of an embedded font: unique to a figure, since fonts are global to a page."""
    return f"{prefix}-{FACES[face].family.replace(' ', '-')}"


def font_rules(runs: Iterable[TextRun], prefix: str) -> str:
    """CSS rules that embed the glyphs of `runs` as data; "" if there are none."""
    used: dict[str, set[str]] = {face: set() for face in FACES}
    for run in runs:
        find_face(run.face)
        used[run.face].update(sanitize(run.text))
    rules = (
        f'@font-face{{font-family:"{embedded_family(face, prefix)}";font-weight:{FACES[face].weight};'
        f'src:url(data:font/woff;base64,{_encoded(face, frozenset(characters))}) format("woff")}}'
        for face, characters in used.items()
        if characters
    )
    return "".join(rules)


def _encoded(face: str, characters: frozenset[str]) -> str:
    return base64.b64encode(subset(face, characters, "woff")).decode("ascii")
