"""The figures as a browser shows them: `chromium.problems` finds nothing, and text is large enough for a slide.

Needs Debian's package `chromium`. Where CI is set a missing one fails; elsewhere these tests are skipped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from chromium import PROGRAM, SLIDE, TOLERANCE, new_page, open_browser, problems, show
from figures import hostile, moments, steps
from golden import FOLDER as GOLDEN
from graphs import SEEDS, SHAPES
from msgspec.structs import replace
from playwright.sync_api import Browser, Page
from running import GALLERY

from inspector.export.drawing_primitives import runs, start_of
from inspector.export.reveal import write_reveal
from inspector.figure import Figure, draw, frames
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.plots import plot_graph
from inspector.report import load
from inspector.scene import Scene
from inspector.typography import sanitize
from inspector.typography.glyph_paths import glyph_path

MAIN, LEAST = 18.0, 14.0
"""Points on a slide: of what a figure says, and of its keys and remarks."""
SAID = {"ink", "gradient"}
"""The inks of what a figure says. Keys, remarks and the values beside functions are smaller."""
SCRIPTS = sorted(path.stem for path in GALLERY.glob("*.py") if (GOLDEN / f"{path.stem}.json").exists())
"""Those whose reports are golden files; the models of `transformers` have a golden picture only."""

pytestmark = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"), reason="no chromium here (Debian's package `chromium`)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None, "no chromium: install Debian's package `chromium`"
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = new_page(browser)
    yield page
    page.close()


def drawn(script: str, look: FigureOptions) -> list[Figure]:
    """The figure of a script's first call, and its steps. test_gallery.py asserts that its golden report is what
    the script gives."""
    call = load(GOLDEN / f"{script}.json").calls[0]
    code = call.location.get("code")
    return [draw(call.graph, look, call=code), frames(call.graph, look, call=code)]


# ---- geometry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("name", SEEDS)
def test_seeds_are_sound_in_every_style(name: str, style: str, page: Page) -> None:
    """Both panels side by side; below, each one on a slide."""
    assert problems(show(page, draw(SHAPES[name](), FigureOptions(style=style)).scene)) == []


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in SEEDS])
def test_harder_shapes_are_sound(name: str, page: Page) -> None:
    assert problems(show(page, list(draw(SHAPES[name]()).panels.values())[-1])) == []


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("name", [name for name in SHAPES if name not in SEEDS])
def test_harder_shapes_are_sound_in_every_style(name: str, style: str, page: Page) -> None:
    for scene in draw(SHAPES[name](), FigureOptions(style=style)).panels.values():
        assert problems(show(page, scene)) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_gallery_figures_are_sound(script: str, page: Page) -> None:
    figure = drawn(script, FigureOptions())[0]
    for scene in (figure.scene, *figure.panels.values()):
        assert problems(show(page, scene)) == []


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_gallery_frames_are_sound_in_every_style(script: str, style: str, page: Page) -> None:
    """On a slide: its size, no text that is not legible, nothing that collides."""
    for figure in drawn(script, FigureOptions(style=style, canvas="16:9")):
        for scene in figure.panels.values():
            assert (scene.width, scene.height) == SLIDE
            picture = show(page, scene)
            assert problems(picture) == []
            assert min(picture.sizes) * picture.scale >= LEAST - 0.01


@pytest.mark.parametrize("name", ["S3", "S5"])
def test_frames_are_sound(name: str, page: Page) -> None:
    for scene in steps(name):
        assert problems(show(page, scene)) == []


@pytest.mark.parametrize("script", ["square", "polynomial", "product", "saddle", "saddle_origin"])
def test_plots_are_sound(script: str, page: Page) -> None:
    """The curve, the tangent and the axes carry text that lies over none of them."""
    scene = plot_graph(load(GOLDEN / f"{script}.json").calls[0].graph).scene
    shown = show(page, scene)
    texts = [area for panel in shown.panels for one in panel for _, area in one.texts]
    assert shown.fonts.count("loaded") == len(shown.fonts)
    assert [(one, other) for one, other in combinations(texts, 2) if one.meets(other)] == []
    assert all(area.x >= 0 and area.right <= scene.width and area.y >= 0 and area.bottom <= scene.height
               for area in texts)  # fmt: skip
    assert min(run.size for run in runs([scene])) >= LEAST


@pytest.mark.parametrize("style", ["attributes", "circuit"])
@pytest.mark.parametrize("script", ["saddle", "cs231n_product"])
def test_code_beside_the_graph_is_sound(script: str, style: str, page: Page) -> None:
    call = load(GOLDEN / f"{script}.json").calls[0]
    source = (GALLERY / f"{script}.py").read_text("utf-8")
    figure = frames(call.graph, FigureOptions(style=style, code=True), call=call.location["code"], script=source)
    for scene in figure.panels.values():
        assert problems(show(page, scene)) == []


# ---- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("name", SEEDS)
def test_text_of_the_seeds_is_legible_on_a_slide(name: str, style: str, page: Page) -> None:
    """18 points and more for what a figure says, never under 14, and nothing left out."""
    figure = draw(SHAPES[name](), FigureOptions(style=style, canvas="16:9"))
    assert figure.remarks == () or style == "modules"  # that says what it folded
    for scene in figure.panels.values():
        assert (scene.width, scene.height) == SLIDE
        picture = show(page, scene)
        assert problems(picture) == []
        sizes = {ink: min(run.size for run in runs([scene]) if run.ink == ink) for ink in _inks(scene)}
        assert min(sizes.values()) * picture.scale >= LEAST - 0.01
        assert min(sizes[ink] for ink in sizes.keys() & SAID) * picture.scale >= MAIN - 0.01


def _inks(scene: Scene) -> set[str]:
    return {run.ink for run in runs([scene])}


# ---- the checks themselves --------------------------------------------------------------------------------


def broken(scene: Scene, **changes: object) -> Scene:
    (panel,) = scene.panels
    return replace(scene, panels=(replace(panel, **changes),))


def test_what_is_wrong_is_found(page: Page) -> None:
    scene = moments("S5")[1]
    (panel,) = scene.panels
    wire = next(wire for wire in panel.wires if wire.id == "n1.0")
    (start, *_, end) = wire.points
    card = next(box for box in panel.boxes if box.shape == "card")
    far = replace(card.texts[0], x=card.area.right + 30)

    def found(scene: Scene) -> str:
        return "\n".join(problems(show(page, scene)))

    short = replace(wire, points=(start, start, (end[0] - 40, end[1]), (end[0] - 40, end[1])), texts=())
    assert "n1.0 does not end on the border of n2" in found(broken(scene, wires=(short,)))
    through = replace(wire, points=(start, start, (end[0] + 60, end[1]), (end[0] + 60, end[1])), texts=())
    assert "wire n1.0 runs through n2" in found(broken(scene, wires=(through,)))
    crossed = replace(wire, texts=(replace(wire.texts[0], y=wire.points[0][1] + 5),))
    assert "wire n1.0 runs through '2x" in found(broken(scene, wires=(crossed,)))
    boxes = tuple(replace(box, texts=(*box.texts, far)) if box is card else box for box in panel.boxes)
    assert f"reaches out of {card.id}" in found(broken(scene, boxes=boxes))
    boxes = tuple(replace(box, texts=(*box.texts, box.texts[0])) if box is card else box for box in panel.boxes)
    assert "lies over" in found(broken(scene, boxes=boxes))
    assert "is clipped" in found(broken(scene, area=replace(panel.area, width=panel.area.width - 60)))


# ---- text -------------------------------------------------------------------------------------------------


def test_embedded_fonts_are_used(page: Page) -> None:
    picture = show(page, moments("S5")[1])
    assert picture.fonts == ["loaded"] * 4
    page.evaluate("document.querySelector('svg style').remove()")
    lengths = page.evaluate("[...document.querySelectorAll('text')].map(text => text.getComputedTextLength())")
    embedded = [text["length"] for panel in picture.panels for one in panel for text in one.group["texts"]]
    assert max(abs(one - other) for one, other in zip(lengths, embedded, strict=True)) > 5 * TOLERANCE


def test_outlines_lie_where_the_browser_sets_the_text(page: Page) -> None:
    """The `path` file's glyphs, measured in the browser, have the places of the `embed` file's text."""
    scene = moments("S5")[1]
    shown = show(page, scene)
    texts = [text for panel in shown.panels for one in panel for text in one.group["texts"]]
    written = [run for run in runs([scene]) if sanitize(run.text).strip()]
    for run, text in zip(written, texts, strict=True):
        path = glyph_path(run.text, run.size, run.face, start_of(run), run.y)
        page.set_content(f'<svg xmlns="http://www.w3.org/2000/svg"><path d="{path}"/></svg>')
        box = page.evaluate("(({x, width}) => [x, x + width])(document.querySelector('path').getBBox())")
        assert box == pytest.approx([text["area"]["x"], text["area"]["right"]], abs=0.15 * run.size)


# ---- fragments --------------------------------------------------------------------------------------------


def test_hostile_texts_do_nothing(page: Page) -> None:
    page.add_init_script("window.alert = () => { window.harmed = true; }")
    page.set_content(write_reveal([hostile()]).decode())
    assert page.evaluate("[!!window.harmed, document.querySelectorAll('script').length]") == [False, 0]


def test_fragments_lead_from_one_frame_to_the_next(page: Page) -> None:
    """With the rules of reveal.js for fragments, after k steps the texts are those of frame k."""
    rules = (
        ".fragment{visibility:hidden}.fragment.visible{visibility:inherit}"
        ".fragment.fade-out{visibility:inherit}.fragment.fade-out.visible{visibility:hidden}"
    )
    fragment = re.sub("<!--.*?-->", "", write_reveal(steps("S3")).decode(), flags=re.DOTALL)
    page.set_content(f"<body><style>{rules}</style>{fragment}</body>")
    for number, scene in enumerate(steps("S3")):
        if number:
            page.evaluate(
                f"document.querySelectorAll('[data-fragment-index=\"{number - 1}\"]')"
                ".forEach(group => group.classList.add('visible'))"
            )
        seen = page.evaluate(
            "[...document.querySelectorAll('text')].filter(text => getComputedStyle(text).visibility == 'visible')"
            ".map(text => text.textContent)"
        )
        assert sorted(seen) == sorted(sanitize(run.text) for run in runs([scene]) if sanitize(run.text).strip())
    assert page.viewport_size == {"width": SLIDE[0], "height": SLIDE[1]}
