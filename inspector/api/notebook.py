"""What a notebook shows: the page in a frame, with the picture and a text for where no page can be shown."""

from __future__ import annotations

from html import escape

from inspector.export.svg import write_svg
from inspector.options.choices import Text, Theme
from inspector.page import PageSource, still_of, write_page
from inspector.report import BackwardCall
from inspector.scene import Scene

MOST_BYTES = 5_000_000
"""Maximum size of a page in a cell; above, only the picture is shown."""
_HEIGHT = 640
_FRAME = (
    '<iframe srcdoc="{page}" sandbox="allow-scripts allow-downloads" width="100%" height="{height}"'
    ' frameborder="0" title="{title}"></iframe>'
)


def notebook_bundle(
    call: BackwardCall,
    scene: Scene,
    *,
    source: PageSource | None = None,
    theme: Theme = "light",
    text: Text = "plain",
) -> dict[str, str]:
    """The representations of a call by MIME type: HTML, SVG and a line of text.

    The frame is sandboxed: the page cannot reach the notebook. A page of more than 5 MB is left out, and the text
    says so.
    """
    picture = write_svg(scene, theme=theme, text=text)
    page = write_page(call, source, still=still_of(scene, theme), theme="dark" if theme == "dark" else None)
    if len(page) > MOST_BYTES:
        note = f"{scene.title} (the page is not shown: {len(page) / 1e6:.0f} MB)"
        return {"image/svg+xml": picture, "text/plain": note}
    frame = _FRAME.format(page=escape(page.decode()), height=_HEIGHT, title=escape(scene.title))
    return {"text/html": frame, "image/svg+xml": picture, "text/plain": scene.title}
