"""Scripts of courses on a slide in Chromium, see `slides.py`. Slow: `pytest -m slow tests/test_slides.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slides
from chromium import PROGRAM, new_page, open_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None and not os.environ.get("CI"), reason="no chromium here"),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with open_browser() as browser:
        yield new_page(browser)


@pytest.mark.parametrize("style", slides.STYLES)
@pytest.mark.parametrize("script", slides.scripts_of(list(slides.FOLDERS)), ids=lambda path: path.stem)
def test_a_script_fits_a_slide(script: Path, style: str, page: Any) -> None:
    slide = slides.judged(script, style, page)
    assert slide is not None and slide.wrong == []
