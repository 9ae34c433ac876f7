"""The gallery: each script draws the same picture as ever, and its numbers are those of torch."""

import importlib.util
import os
import re

import pytest
from golden import FOLDER
from needs import RELEASE
from running import GALLERY, OUTPUT

from inspector.export.svg import write_svg
from inspector.figure import draw
from inspector.options import FigureOptions
from inspector.report import load

SEEDS = ("square", "polynomial", "product", "saddle", "saddle_origin")
_TO = "\N{EN DASH}"
MODELS = {
    "gpt2": f"transformer.h.0{_TO}10",
    "bert": f"bert.encoder.layer.0{_TO}10",
    "vit": f"vit.layers.0{_TO}10",
    "t5": f"encoder.block.1{_TO}4",
}
"""Those of `transformers`, and the box of their equal blocks."""
OWN_MODELS = {"nanogpt": f"transformer.h.0{_TO}4", "mingpt": f"transformer.h.0{_TO}4"}
"""Models of the gallery itself, and the box of their equal blocks."""
OTHERS = sorted(path.stem for path in GALLERY.glob("*.py") if path.stem not in (*SEEDS, *MODELS, *OWN_MODELS))


@pytest.mark.parametrize("name", SEEDS)
def test_seed(name, inspect_script, golden):
    ran = inspect_script((GALLERY / f"{name}.py").read_text(), name=f"{name}.py", options=(), warnings="error")
    assert (ran.status, ran.stdout, ran.said) == (0, "", [])
    assert ran.report["script"] == f"{name}.py"
    folder = ran.folder / OUTPUT
    golden.check_json(f"{name}.json", (folder / "report.json").read_text("utf-8"))
    for part in ("", ".before", ".after"):
        golden.check_text(f"{name}{part}.svg", (folder / f"backward-1{part}.svg").read_text("utf-8"))


@pytest.mark.parametrize("name", OTHERS)
def test_other(name, inspect_script, golden):
    ran = inspect_script((GALLERY / f"{name}.py").read_text(), name=f"{name}.py", options=(), warnings="error")
    assert (ran.status, ran.stdout) == (0, "")
    assert [line for line in ran.said if not line.startswith("inspect: note: ")] == [], "notes tell of folding"
    assert (ran.folder / OUTPUT / "backward-1.svg").stat().st_size > 10_000
    golden.check_json(f"{name}.json", (ran.folder / OUTPUT / "report.json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "style"), [("product", "circuit"), ("lstm", "modules")])
def test_pictures_of_the_readme(name, style, golden):
    call = load(FOLDER / f"{name}.json").calls[0]
    look, depth = FigureOptions(style=style), 1 if style == "modules" else "auto"
    scene = draw(call.graph, look, call=call.location["code"], depth=depth).panels["after"]
    golden.check_text(f"{name}.{style}.svg", write_svg(scene))


@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None and not os.environ.get("CI"),
    reason="there is no transformers",
)
@pytest.mark.parametrize("name", MODELS)
def test_model(name, inspect_script, golden):
    _check_picture(name, MODELS[name], inspect_script, golden)


@pytest.mark.parametrize("name", OWN_MODELS)
def test_own_model(name, inspect_script, golden):
    """What a script calls through a dict and a list of modules is in the picture."""
    words = _check_picture(name, OWN_MODELS[name], inspect_script, golden)
    assert {"lm_head", "transformer.ln_f", "transformer.h.5.attn", "transformer.wpe"} <= set(words)
    assert not {"transformer", "transformer.h"} & set(words)


def _check_picture(name, blocks, inspect_script, golden):
    """A folded picture of at most 80 boxes with the blocks, the loss and a path around every block; its words."""
    options = ("--text", "plain", "-o", f"{name}.svg", "--watch", "1")
    ran = inspect_script((GALLERY / f"{name}.py").read_text(), name=f"{name}.py", options=options)
    assert ran.status == 0, ran.stderr
    drawn = (ran.folder / f"{name}.svg").read_text("utf-8")
    words = shown(drawn)
    assert blocks in words and "root" in words
    assert 10 < words.count("gradient in") + sum(word.endswith("Backward") for word in words) <= 80
    if RELEASE < (2, 13):  # these models consist of other Nodes there
        return words
    if not golden.update:
        assert words == shown((FOLDER / f"{name}.svg").read_text("utf-8"))
    else:
        golden.check_text(f"{name}.svg", drawn)
    return words


def shown(svg):
    """The words of a picture but for measured numbers, which may differ from one processor to the next."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    return [NUMBER.sub("#", text) for text in texts]


NUMBER = re.compile("[0-9]+[.][0-9]+(?:e\N{MINUS SIGN}?[0-9]+)?|[0-9]e\N{MINUS SIGN}?[0-9]+")


def test_every_golden_file_is_of_a_script():
    scripts = {*SEEDS, *OTHERS, *MODELS, *OWN_MODELS}
    assert {path.name.split(".")[0] for path in FOLDER.iterdir() if path.is_file()} == scripts
    assert {path.stem for path in (FOLDER / "pages").iterdir()} <= scripts
