"""Write a Scene as PNG with a transparent background, two pixels per point. Uses resvg, so no system library is
needed."""

from __future__ import annotations

from collections.abc import Sequence

import resvg_py

from inspector.export.svg import write_svg
from inspector.scene.scene import Scene

SCALE = 2
"""Pixels a point: sharp on a projector of twice the slide's size."""

LARGEST = 400_000_000
"""Pixels: with four bytes for each, as much memory as a laptop can spare."""


def write_png(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """The first Scene as the bytes of a PNG file; what lies behind the figure shows through.

    Raises ValueError for a figure that is too large for pixels.
    """
    return rasterise(scenes[0], theme)


def rasterise(scene: Scene, theme: str, *, ground: bool = False) -> bytes:
    """A Scene in pixels, as PNG. ground: whether the canvas is filled. Raises ValueError if it is too large."""
    wide, high = round(SCALE * scene.width), round(SCALE * scene.height)
    if wide * high > LARGEST:
        raise ValueError(f"a PNG of {wide:,} by {high:,} pixels is too large; fold the graph, or use svg or pdf")
    svg = write_svg(scene, theme=theme, text="path", ground=ground)
    # Only what the bundled fonts lack is text here: then the system's fonts are worth the time to load them.
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=SCALE, skip_system_fonts="<text" not in svg))
