"""HTML: a page that needs nothing else, and fragments for reveal.js."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from figures import HOSTILE, figure, hostile, moments, steps

from inspector.export.gradient_table import table
from inspector.export.html import write_html
from inspector.export.reveal import write_reveal
from inspector.scene.theme import THEMES

VOID = {"meta", "input", "rect", "circle", "path", "br"}


class Page(HTMLParser):
    """The elements of a page with their attributes; raises where one is not closed."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("write", [write_html, write_reveal])
@pytest.mark.parametrize("scenes", [moments("S5"), steps("S3"), (hostile(),), (figure("S5").scene,)])
def test_it_needs_nothing_else_and_ids_are_unique(write, scenes) -> None:
    file = write(scenes)
    page = Page(file)
    assert not {"script", "link", "img", "iframe", "object", "b"} & {tag for tag, _ in page.elements}
    attributes = [attribute for _, found in page.elements for attribute in found]
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.decode())
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(set(ids)) == len(ids)


# ---- the page ---------------------------------------------------------------------------------------------


def test_the_policy_allows_the_one_style_sheet_and_nothing_else() -> None:
    file = write_html(moments("S5"))
    (style,) = re.findall(r"<style>(.*?)</style>", file.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (meta["content"] for meta in Page(file).all("meta") if "http-equiv" in meta)
    assert str(policy).startswith(f"default-src 'none'; style-src 'sha256-{digest}'; font-src data:")


def test_a_button_for_each_moment_and_the_first_is_chosen() -> None:
    page = Page(write_html(steps("S3")))
    buttons = page.all("input")
    assert [button["type"] for button in buttons] == ["radio"] * len(steps("S3"))
    assert ["checked" in button for button in buttons] == [True] + [False] * (len(buttons) - 1)
    assert [label["for"] for label in page.all("label")] == [button["id"] for button in buttons]
    assert len(page.all("svg")) == len(buttons)


def test_the_title_is_what_all_moments_share_and_the_figures_hold_text() -> None:
    text = write_html(moments("S5")).decode()
    assert "<title>z = x**2 - y**2</title>" in text
    assert ">AccumulateGrad</text>" in text
    assert text.count("@font-face") == 4


def test_the_table_of_gradients_is_a_table() -> None:
    text = write_html(moments("S5")).decode()
    assert '<th scope="row">x</th><td>2</td><td>None</td><td>4</td>' in text
    assert '<th scope="row">z</th><td>4</td><td>None</td><td>None (not a leaf)</td>' in text


def test_a_line_that_is_no_row_is_told_below_the_table() -> None:
    told = table("tensor: data; grad before → after\nx: data 1; grad None → 2\nbackward raised: <boom>")
    assert told.count("<tr>") == 2
    assert told.endswith("<p>backward raised: &lt;boom&gt;</p>\n")
    assert table("") == ""


@pytest.mark.parametrize("theme", THEMES)
def test_the_page_wears_the_theme(theme: str) -> None:
    text = write_html(moments("S5"), theme=theme).decode()
    assert f"background: {THEMES[theme]['ground']}" in text
    assert f"color-scheme: {'dark' if theme == 'dark' else 'light'}" in text


def test_hostile_texts_are_only_text() -> None:
    text = write_html([hostile()]).decode()
    assert "<script>" not in text
    assert "alert(1)" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text)
    assert HOSTILE[0] not in text


# ---- reveal.js --------------------------------------------------------------------------------------------


def test_one_picture_with_a_fragment_for_each_step() -> None:
    scenes = steps("S3")
    page = Page(write_reveal(scenes))
    assert len(page.all("svg")) == 1
    fragments = [group for group in page.all("g") if "class" in group]
    assert {str(group["class"]) for group in fragments} == {"fragment", "fragment fade-out"}
    indexes = {int(str(group["data-fragment-index"])) for group in fragments}
    assert indexes == set(range(len(scenes) - 1))


def test_what_is_always_there_is_no_fragment() -> None:
    text = write_reveal(moments("S5")).decode()
    assert text.count(">PowBackward</text>") == 2
    assert re.search(r'<g class="fragment fade-out" data-fragment-index="0"><text[^>]*>before</text></g>', text)
    assert re.search(r'<g class="fragment" data-fragment-index="0"><text[^>]*>after</text></g>', text)
    assert 'class="fragment' not in write_reveal(moments("S5")[1:]).decode()
