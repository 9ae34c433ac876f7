"""Write a Scene as SVG that slide programs, browsers and printers render identically.

The profile: presentation attributes only; no style sheet (except the fonts of `embed`), `rgba()`, `transparent`,
foreignObject, nested svg, dominant-baseline, marker or filter. Arrow heads and text are paths. One unit is one
point of the canvas.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from inspector.export.drawing_primitives import parts, runs
from inspector.export.svg_parts import SvgDrawing, identifier
from inspector.export.svg_text import font_rules
from inspector.options.choices import Text, check_choice
from inspector.scene.scene import Scene
from inspector.scene.theme import find_theme
from inspector.typography.decimal import decimal
from inspector.typography.sanitize import sanitize
from inspector.util.gc_pause import gc_paused


@gc_paused()
def write_svg(scene: Scene, *, theme: str = "light", text: Text = "path", ground: bool = True) -> str:
    """The Scene as the text of an SVG file, identical in every run.

    theme: light, dark or print. text: `path` draws glyphs as outlines, `embed` embeds the fonts, `plain`
    names them. ground: whether the background is filled; otherwise it is transparent. Raises ValueError for an
    unknown theme, text mode, ink or face, and for a wire that is not a spline.
    """
    check_choice("text", text)
    prefix = identifier(scene.prefix)
    drawing = SvgDrawing(find_theme(theme), text, prefix, prefix)
    fonts = f"<style>{font_rules(runs([scene]), prefix)}</style>\n" if text == "embed" else ""
    return "".join((*opening(scene, drawing), fonts, *canvas(scene, drawing, ground), *_panels(scene, drawing)))


def opening(scene: Scene, drawing: SvgDrawing) -> Iterator[str]:
    """The opening svg tag, and the title and description of the Scene."""
    size = f"{decimal(scene.width)} {decimal(scene.height)}"
    wide, high = size.split()
    described = [
        (tag, f"{drawing.prefix}-{tag}", content)
        for tag, content in (("title", _prose(scene.title)), ("desc", _prose(scene.description)))
        if content
    ]
    labels = f' aria-labelledby="{" ".join(name for _, name, _ in described)}"' if described else ""
    # Browsers otherwise round the advances of small text to whole pixels.
    exact = "" if drawing.mode == "path" else ' text-rendering="geometricPrecision"'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{wide}" height="{high}"'
        f' role="img"{labels}{exact}>\n'
    )
    for tag, name, content in described:
        drawing.used.add(name)
        yield f'<{tag} id="{name}">{escape(content)}</{tag}>\n'


def canvas(scene: Scene, drawing: SvgDrawing, ground: bool) -> Iterator[str]:
    """The ground, if it is filled."""
    if ground:
        size = f'width="{decimal(scene.width)}" height="{decimal(scene.height)}"'
        yield f'<rect {size} fill="{drawing.colour("ground")}"/>\n'


def _prose(text: str) -> str:
    """A title or description, sanitized line by line."""
    return "\n".join(sanitize(line) for line in text.splitlines())


def _panels(scene: Scene, drawing: SvgDrawing) -> Iterator[str]:
    for panel in scene.panels:
        yield drawing.group(panel.id) + "\n"
        yield from (drawing.part(part, panel.id) for part in parts(panel))
        yield "</g>\n"
    yield "</svg>\n"
