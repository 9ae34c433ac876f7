"""Write a Scene as PNG, two pixels per point. Uses resvg, so no system library is
needed."""

from __future__ import annotations

from collections.abc import Sequence

import resvg_py

from inspector.export.svg import write_svg
from inspector.scene.scene import Scene

SCALE = 2
"""Pixels per point, for a sharp picture on high-resolution screens."""

LARGEST = 400_000_000
"""Maximum number of pixels (1.6 GB of memory, at four bytes each)."""


def write_png(scenes: Sequence[Scene], *, theme: str = "light", ground: bool = True) -> bytes:
    """The first Scene as the bytes of a PNG file. ground: whether it has the theme's ground, or none.

    Raises ValueError if the figure has too many pixels.
    """
    return rasterise(scenes[0], theme, ground=ground)


def rasterise(scene: Scene, theme: str, *, ground: bool) -> bytes:
    """A Scene as PNG. ground: whether the background is filled. Raises ValueError if it is too large."""
    wide, high = round(SCALE * scene.width), round(SCALE * scene.height)
    if wide * high > LARGEST:
        raise ValueError(f"a PNG of {wide:,} by {high:,} pixels is too large; fold the graph, or use svg or pdf")
    svg = write_svg(scene, theme=theme, text="path", ground=ground)
    # Only characters that the bundled fonts lack are text elements; loading the system's fonts for others takes
    # time.
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=SCALE, skip_system_fonts="<text" not in svg))
