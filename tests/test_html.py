"""HTML: fragments for reveal.js, and the table of gradients."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from figures import figure, hostile, moments, steps

from inspector.export.gradient_table import table
from inspector.export.reveal import write_reveal

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


@pytest.mark.parametrize("scenes", [moments("S5"), steps("S3"), (hostile(),), (figure("S5").scene,)])
def test_it_needs_nothing_else_and_ids_are_unique(scenes) -> None:
    file = write_reveal(scenes)
    page = Page(file)
    assert not {"script", "link", "img", "iframe", "object", "b"} & {tag for tag, _ in page.elements}
    attributes = [attribute for _, found in page.elements for attribute in found]
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.decode())
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(set(ids)) == len(ids)


# ---- the table of gradients --------------------------------------------------------------------------------


def test_a_line_that_is_no_row_is_told_below_the_table() -> None:
    told = table("tensor: data; grad before → after\nx: data 1; grad None → 2\nbackward raised: <boom>")
    assert told.count("<tr>") == 2
    assert told.endswith("<p>backward raised: &lt;boom&gt;</p>\n")
    assert table("") == ""


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
