"""Write the frames of a figure as an animated GIF that loops (the extra `slides`)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from inspector.export.frame_overlay import same_size
from inspector.export.optional_dependency import needs_extra
from inspector.export.png import rasterise
from inspector.scene.scene import Scene

with needs_extra("gif", "slides"):
    from PIL import Image

MOMENT = 1_600
LAST_MOMENT = 3_200
"""Milliseconds per moment; the last one is longer, to mark the end of the loop."""


def write_gif(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """Scenes of one size as the frames of a GIF file, with a background. Raises ValueError for different sizes."""
    same_size(scenes)
    images = [_image(scene, theme) for scene in scenes]
    times = [MOMENT] * (len(images) - 1) + [LAST_MOMENT]
    file = BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0, optimize=False)
    return file.getvalue()


def _image(scene: Scene, theme: str) -> Image.Image:
    """A Scene in at most 256 colours of its own, without dithering, since figures have flat colours."""
    pixels = Image.open(BytesIO(rasterise(scene, theme, ground=True))).convert("RGB")
    return pixels.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
