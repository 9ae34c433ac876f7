"""PDF: pages of the right size that show what the PNG shows, real text in embedded fonts, no dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from figures import HOSTILE, figure, hostile, moments, steps
from PIL import Image, ImageChops, ImageStat

from inspector.export.pdf import write_pdf
from inspector.export.png import rasterise
from inspector.scene import Scene
from inspector.typography import covers


def texts(scene: Scene) -> Iterator[str]:
    for panel in scene.panels:
        for part in (*panel.boxes, *panel.wires):
            yield from (run.text for run in part.texts)


def pages(file: bytes) -> list[Any]:
    document = pypdfium2.PdfDocument(file)
    return [document[index] for index in range(len(document))]


def test_a_page_for_each_scene_of_its_size() -> None:
    scenes = [figure("S5").scene, *steps("S5")]
    sizes = [page.get_size() for page in pages(write_pdf(scenes))]
    assert sizes == [pytest.approx((scene.width, scene.height), abs=0.01) for scene in scenes]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["S3", "S5", "fan-out"])
def test_it_shows_what_the_png_shows(name: str, theme: str) -> None:
    scene = figure(name).scene
    (page,) = pages(write_pdf([scene], theme=theme))
    drawn = page.render(scale=2).to_pil().convert("RGB")
    expected = Image.open(BytesIO(rasterise(scene, theme, ground=True))).convert("RGB")
    assert drawn.size == expected.size
    assert len(drawn.getcolors(drawn.width * drawn.height)) > 20
    difference = ImageStat.Stat(ImageChops.difference(drawn, expected))
    assert max(difference.mean) < 2.5


def test_text_is_text_and_in_the_bundled_fonts() -> None:
    scene = moments("S5")[1]
    file = write_pdf([scene])
    (page,) = pages(file)
    found = page.get_textpage().get_text_range()
    squeezed = "".join(found.split())
    assert all("".join(text.split()) in squeezed for text in texts(scene))
    fonts = set(re.findall(rb"/BaseFont /[A-Z]{6}\+([A-Za-z-]+)", file))
    assert fonts == {b"Inter-Regular", b"Inter-Medium", b"Inter-Bold", b"FiraCode-Medium"}
    assert not re.search(rb"/BaseFont /(?![A-Z]{6}\+)", file)


def test_what_the_fonts_lack_is_a_square_where_it_stands() -> None:
    (page,) = pages(write_pdf([hostile()]))
    found = page.get_textpage().get_text_range()
    for text in HOSTILE:
        if covers(text, "regular") and text.isascii() and text.isprintable() and text:
            assert text in found
    assert "\N{WHITE SQUARE}\N{WHITE SQUARE} = 2" in found


def test_properties_tell_what_it_shows_and_no_dates() -> None:
    file = write_pdf(moments("S5"))
    properties = pypdfium2.PdfDocument(file).get_metadata_dict()
    assert properties["Title"] == "z = x**2 - y**2: before z.backward()"
    assert "x: data 2; grad None → 4" in properties["Subject"]
    assert (properties["CreationDate"], properties["ModDate"]) == ("", "")
    assert b"Date" not in file
