"""The moments of a figure as a fragment of HTML for reveal.js and Quarto: one picture, steps as its fragments.

What all moments show is drawn once; what differs is a group of class `fragment` with the turn at which it comes
or goes (`data-fragment-index`). The ground is left clear, so that the slide's own shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.scene.scene import Scene
from inspector.scene.theme import find_theme
from inspector.writers.shapes import runs
from inspector.writers.steps import LayeredPart, Shown, Span, lay_over
from inspector.writers.svg import opening
from inspector.writers.svg_parts import Drawing, identifier
from inspector.writers.svg_text import font_rules

_NOTE = (
    "<!-- For a slide of reveal.js; in Quarto: {{< include FILE >}} between ```{=html} and ```. The picture is\n"
    "     as it was before; the fragments turn it step by step into what it is after. -->\n"
)
_SIZE = ".inspector-figure > svg { max-width: 100%; height: auto; }"


def write_reveal(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """Scenes of one size as one picture with fragments. Raises ValueError for several sizes."""
    layers = lay_over(scenes)
    prefix = identifier(scenes[0].prefix)
    drawing = Drawing(find_theme(theme), "embed", prefix, prefix)
    pieces = (
        _NOTE,
        '<div class="inspector-figure">\n',
        *opening(scenes[-1], drawing),
        f"<style>{font_rules(runs(scenes), prefix)}{_SIZE}</style>\n",
        *(_part(part, drawing, len(scenes)) for part in layers),
        "</svg>\n</div>\n",
    )
    return "".join(pieces).encode()


def _part(part: LayeredPart, drawing: Drawing, count: int) -> str:
    shown = (text for piece in part.pieces for text in _shown(piece, drawing, count))
    return f"{drawing.group(part.id)}{''.join(shown)}</g>\n"


def _shown(shown: Shown, drawing: Drawing, count: int) -> Iterator[str]:
    """A piece, as often as it comes and goes."""
    drawn = drawing.pieces([shown.piece])
    if not drawn:
        return
    for span in shown.spans:
        opened = _groups(span, count)
        yield f"{''.join(opened)}{drawn}{'</g>' * len(opened)}"


def _groups(span: Span, count: int) -> list[str]:
    """The tags around a piece that a stretch of frames shows. The fragment of index k leads to frame k + 1."""
    first, last = span
    groups = []
    if first > 0:
        groups.append(f'<g class="fragment" data-fragment-index="{first - 1}">')
    if last < count - 1:
        groups.append(f'<g class="fragment fade-out" data-fragment-index="{last}">')
    return groups
