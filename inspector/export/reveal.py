"""Write the frames of a figure as an HTML fragment for reveal.js and Quarto: one picture with its steps as
fragments.

Parts that all frames share are drawn once. The others are groups of class `fragment`, whose `data-fragment-index`
says when they appear or disappear. The captions are the notes of the slide. The background is transparent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from inspector.export.drawing_primitives import runs
from inspector.export.frame_overlay import LayeredPart, ShownPiece, Span, lay_over
from inspector.export.svg import opening
from inspector.export.svg_parts import SvgDrawing, identifier
from inspector.export.svg_text import font_rules
from inspector.scene.scene import Scene
from inspector.scene.theme import find_theme
from inspector.typography.sanitize import sanitize

_NOTE = (
    "<!-- For a slide of reveal.js; in Quarto: {{< include FILE >}} between ```{=html} and ```. The picture\n"
    "     shows the state before; its fragments change it step by step into the state after. -->\n"
)
_SIZE = ".inspector-figure > svg { max-width: 100%; height: auto; }"


def write_reveal(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """Scenes of one size as one picture with fragments. Raises ValueError for different sizes."""
    layers = lay_over(scenes)
    prefix = identifier(scenes[0].prefix)
    drawing = SvgDrawing(find_theme(theme), "embed", prefix, prefix)
    pieces = (
        _NOTE,
        '<div class="inspector-figure">\n',
        *opening(scenes[-1], drawing),
        f"<style>{font_rules(runs(scenes), prefix)}{_SIZE}</style>\n",
        *(_part(part, drawing, len(scenes)) for part in layers),
        "</svg>\n</div>\n",
        *_notes(scenes),
    )
    return "".join(pieces).encode()


def _notes(scenes: Sequence[Scene]) -> Iterator[str]:
    """The captions as the speaker's notes of the slide, one for each state of the picture."""
    if any(scene.caption for scene in scenes):
        items = "".join(f"<li>{escape(sanitize(scene.caption))}</li>\n" for scene in scenes)
        yield f'<aside class="notes">\n<ol>\n{items}</ol>\n</aside>\n'


def _part(part: LayeredPart, drawing: SvgDrawing, count: int) -> str:
    shown = (text for piece in part.pieces for text in _shown(piece, drawing, count))
    return f"{drawing.group(part.id)}{''.join(shown)}</g>\n"


def _shown(shown: ShownPiece, drawing: SvgDrawing, count: int) -> Iterator[str]:
    """A piece, once for every range of frames that shows it."""
    drawn = drawing.pieces([shown.piece])
    if not drawn:
        return
    for span in shown.spans:
        opened = _groups(span, count)
        yield f"{''.join(opened)}{drawn}{'</g>' * len(opened)}"


def _groups(span: Span, count: int) -> list[str]:
    """The tags around a piece that a range of frames shows. The fragment of index k leads to frame k + 1."""
    first, last = span
    groups = []
    if first > 0:
        groups.append(f'<g class="fragment" data-fragment-index="{first - 1}">')
    if last < count - 1:
        groups.append(f'<g class="fragment fade-out" data-fragment-index="{last}">')
    return groups
