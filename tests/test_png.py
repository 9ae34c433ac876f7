"""PNG: two pixels a point, the ground of the theme or a clear one, and not blank."""

from __future__ import annotations

from io import BytesIO

import pytest
from figures import figure, hostile, moments
from PIL import Image

from inspector.export.png import write_png
from inspector.scene import Scene
from inspector.scene.theme import THEMES


def opened(file: bytes) -> Image.Image:
    image = Image.open(BytesIO(file))
    assert image.format == "PNG"
    return image.convert("RGBA")


@pytest.mark.parametrize("name", ["S1", "S5", "net"])
def test_two_pixels_a_point(name: str) -> None:
    scene = figure(name).scene
    assert opened(write_png([scene])).size == (2 * scene.width, 2 * scene.height)


@pytest.mark.parametrize("theme", THEMES)
def test_without_ground_the_rest_is_clear_and_the_figure_is_not(theme: str) -> None:
    image = opened(write_png(moments("S5"), theme=theme, ground=False))
    levels = image.getchannel("A").histogram()
    assert all(image.getpixel(corner) == (0, 0, 0, 0) for corner in ((0, 0), (image.width - 1, image.height - 1)))
    assert levels[0] > 0.4 * sum(levels)
    assert levels[255] > 0.1 * sum(levels)
    colours = [colour for _, colour in image.getcolors(image.width * image.height) or ()]
    shown = {f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue, alpha in colours if alpha == 255}
    inks = {THEMES[theme][ink] for ink in ("ink", "value", "line", "function", "ground")}
    assert inks <= shown


def test_the_ground_is_that_of_the_theme() -> None:
    image = opened(write_png(moments("S5"), theme="dark"))
    assert image.getchannel("A").getextrema() == (255, 255)
    assert "#{:02X}{:02X}{:02X}".format(*image.getpixel((0, 0))[:3]) == THEMES["dark"]["ground"]


def test_what_the_fonts_lack_is_no_reason_to_fail() -> None:
    assert opened(write_png([hostile()], ground=False)).getchannel("A").getextrema() == (0, 255)


def test_what_is_too_large_for_pixels_is_told_before_memory_is_taken() -> None:
    """The rasteriser ends the whole process where it gets no memory."""
    scene = Scene(257_558.52, 144_876.67, ())
    with pytest.raises(ValueError, match="515,117 by 289,753 pixels is too large"):
        write_png([scene])
