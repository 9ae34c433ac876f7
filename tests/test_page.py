"""The page of the gallery: every script is on it, and what it shows is there."""

import os
import re
import subprocess
import sys

import pytest
from chromium import PROGRAM, new_page, open_browser
from running import GALLERY, ROOT

from inspector.options import STYLE_NAMES


def python(*arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_script_has_its_place():
    ask = "from gallery.page.__main__ import SECTIONS, TOPICS; print(*[n for _, s in SECTIONS for n in s]); "
    ask += "print(*[n for s in TOPICS.values() for n in s])"
    for names, folder in zip(python("-c", ask).splitlines(), (GALLERY, GALLERY / "course"), strict=True):
        assert sorted(names.split()) == sorted(path.stem for path in folder.glob("*.py"))


@pytest.mark.slow
def test_the_course_links_figures_steps_slides_and_exercises(tmp_path):
    python("-m", "gallery.page", str(tmp_path), "--only", "paths_twice", "--only", "second_cube")
    page = (tmp_path / "index.html").read_text("utf-8")
    linked = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert all((tmp_path / name).stat().st_size > 500 for name in linked)
    files = ("figure.light.svg", "steps.pptx", "exercise.pdf", "page.html")
    for script in ("paths_twice", "second_cube"):
        assert {f"{script}/{name}" for name in files} <= linked
        assert (tmp_path / script / "steps.dark.animated.svg").exists()


@pytest.mark.slow
def test_the_page_shows_a_script_in_every_style_beside_torchviz(tmp_path):
    said = python("-m", "gallery.page", str(tmp_path), "--only", "square", "--only", "lstm")
    assert said == f"{tmp_path / 'index.html'}: 2 scripts\n"
    page = (tmp_path / "styles.html").read_text("utf-8")
    linked = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert all((tmp_path / name).stat().st_size > 500 for name in linked)
    for script in ("square", "lstm"):
        assert {f"{script}/{style}.{theme}.svg" for style in STYLE_NAMES for theme in ("light", "dark")} <= linked
        assert f"{script}/page.html" in linked
    assert "PowBackward0" in (tmp_path / "square" / "torchviz.svg").read_text("utf-8")


@pytest.mark.slow
def test_a_large_model_is_shown_folded_beside_torchviz(tmp_path):
    python("-m", "gallery.page", str(tmp_path), "--only", "vit")
    page = (tmp_path / "styles.html").read_text("utf-8")
    linked = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert all((tmp_path / name).stat().st_size > 500 for name in linked)
    assert {"vit/modules.dark.svg", "vit/page.html", "vit/torchviz.svg"} <= linked
    assert re.search(r"the other styles would draw all of the \d+ Nodes", page)


def test_what_torchviz_says_stands_in_the_place_of_its_picture(tmp_path):
    script = tmp_path / "raises.py"
    script.write_text("import torch\n\nx = torch.ones(1)\nx.sum().backward()\n")
    ask = "import sys; from pathlib import Path; from gallery.page.figures import _draw_peer; "
    ask += "print(_draw_peer(Path(sys.argv[1]), Path(sys.argv[2])))"
    said = python("-c", ask, str(script), str(tmp_path))
    assert said.startswith("RuntimeError: element 0 of tensors does not require grad")


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None and not os.environ.get("CI"), reason="no chromium here")
def test_the_page_changes_styles_and_themes(tmp_path):
    python("-m", "gallery.page", str(tmp_path), "--only", "square")
    with open_browser() as browser:
        page = new_page(browser)
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.goto((tmp_path / "styles.html").as_uri())
        shown = "[...document.querySelectorAll('.big img')].filter(i => i.checkVisibility()).map(i => i.src)"
        assert [src.rpartition("/")[2] for src in page.evaluate(shown)] == ["attributes.light.svg"]
        page.click("button:has-text('circuit')")
        page.check("#dark")
        assert [src.rpartition("/")[2] for src in page.evaluate(shown)] == ["circuit.dark.svg"]
        page.click("label[for=square-engine]")
        assert [src.rpartition("/")[2] for src in page.evaluate(shown)] == ["engine.dark.svg"]
        assert said == []
