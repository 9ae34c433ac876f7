"""Write the frames of a figure as one SVG that shows them in turn, by CSS alone: no script.

Parts that all frames share are drawn once. Without CSS, and for a reader who prefers reduced motion, it is the
picture of the last frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.export.frame_overlay import LayeredPart, ShownPiece, Span, lay_over
from inspector.export.svg import canvas, opening
from inspector.export.svg_parts import SvgDrawing, identifier
from inspector.scene.scene import Scene
from inspector.scene.theme import find_theme
from inspector.typography.decimal import decimal

MOMENT, LAST_MOMENT = 1.6, 3.2
"""Seconds per frame; the last one is longer, to mark the end of the loop. A captioned frame is read, too."""
_READ = 17.0
"""Characters of a caption that are read in a second."""

_Spans = tuple[Span, ...]


def write_animated_svg(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """Scenes of one size as an SVG that loops over them. Raises ValueError for different sizes."""
    layers = lay_over(scenes)
    prefix = identifier(scenes[0].prefix)
    drawing = SvgDrawing(find_theme(theme), "path", prefix, prefix)
    shown = dict.fromkeys(piece.spans for part in layers for piece in part.pieces if not piece.always)
    classes = {spans: f"{prefix}-t{number}" for number, spans in enumerate(shown)}
    pieces = (
        *opening(scenes[-1], drawing),
        f"<style>{''.join(_rules(classes, _times(scenes)))}</style>\n",
        *canvas(scenes[-1], drawing, True),
        *(_part(part, drawing, classes, len(scenes)) for part in layers),
        "</svg>\n",
    )
    return "".join(pieces).encode()


def _times(scenes: Sequence[Scene]) -> list[float]:
    """When each frame begins, in seconds, and the end of the last."""
    times = [0.0]
    for number, scene in enumerate(scenes, start=1):
        least = LAST_MOMENT if number == len(scenes) else MOMENT
        times.append(times[-1] + max(least, len(scene.caption) / _READ))
    return times


def _rules(classes: dict[_Spans, str], times: Sequence[float]) -> Iterator[str]:
    """The style sheet: when each class of pieces is visible."""
    yield "@media (prefers-reduced-motion: no-preference){"
    for spans, name in classes.items():
        steps = "".join(_keyframes(spans, times))
        yield f"@keyframes {name}{{{steps}}}"
        yield f".{name}{{animation:{name} {decimal(times[-1])}s step-end infinite}}"
    yield "}"


def _keyframes(spans: _Spans, times: Sequence[float]) -> Iterator[str]:
    frames = {frame for first, last in spans for frame in range(first, last + 1)}
    shown = [frame in frames for frame in range(len(times) - 1)]
    for frame, is_shown in enumerate(shown):
        if frame == 0 or shown[frame - 1] != is_shown:
            share = 100.0 * times[frame] / times[-1]
            yield f"{decimal(share)}%{{visibility:{'visible' if is_shown else 'hidden'}}}"
    yield f"100%{{visibility:{'visible' if shown[-1] else 'hidden'}}}"


def _part(part: LayeredPart, drawing: SvgDrawing, classes: dict[_Spans, str], count: int) -> str:
    shown = "".join(_shown(piece, drawing, classes, count) for piece in part.pieces)
    return f"{drawing.group(part.id)}{shown}</g>\n"


def _shown(shown: ShownPiece, drawing: SvgDrawing, classes: dict[_Spans, str], count: int) -> str:
    """A piece, in a group that is animated unless all frames show it."""
    drawn = drawing.pieces([shown.piece])
    if not drawn or shown.always:
        return drawn
    rest = "" if shown.spans[-1][1] == count - 1 else ' visibility="hidden"'
    return f'<g class="{classes[shown.spans]}"{rest}>{drawn}</g>'
