r"""TikZ: every box once, steps as overlays, nothing of a text taken for a command; and LaTeX takes it.

`pytest -m slow tests/test_tex.py` compiles (Debian: texlive-latex-extra, texlive-pictures, lmodern).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest
from figures import figure, hostile, moments, steps

import inspector
from inspector.export.tex import write_tex
from inspector.export.tex_text import escape

PDFLATEX = shutil.which("pdflatex")
NEEDS_PDFLATEX = pytest.mark.skipif(
    PDFLATEX is None and not os.environ.get("CI"),
    reason="no pdflatex (Debian: texlive-latex-extra texlive-pictures lmodern)",
)


def test_latex_knows_every_sign_of_a_figure() -> None:
    """Accents excepted, which stand on the letter before them, and the frame for what no font has."""
    known: set[str] = set()
    for package in ("styles", "figure", "derivatives", "typography"):
        for path in (Path(inspector.__file__).parent / package).glob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text("utf-8")))
            values = (node.value for node in nodes if isinstance(node, ast.Constant))
            known.update(letter for value in values if isinstance(value, str) for letter in value)
    signs = {letter for letter in known if not unicodedata.combining(letter)} - {"\N{WHITE SQUARE}"}
    assert "\N{CIRCLED DOT OPERATOR}" in signs
    assert not [sign for sign in sorted(signs) if "inspectorcharacter" in escape(sign)]


def test_every_box_is_a_node_once() -> None:
    scenes = steps("S3")
    nodes = re.findall(r"^\\node\[minimum width=.*\] \(([^)]*)\)", write_tex(scenes).decode(), re.MULTILINE)
    shown = {box.id for scene in scenes for box in scene.panels[0].boxes if box.shape != "plain"}
    assert sorted(nodes) == sorted(shown)


def test_what_differs_is_an_overlay_and_what_does_not_is_none() -> None:
    before, after = moments("S5")
    text = write_tex([before, after]).decode()
    assert re.search(r"\\only<1>\{\\node\[.*\{before\}", text)
    assert re.search(r"\\only<2->\{\\node\[.*\{after\}", text)
    assert set(re.findall(r"\\only<([^>]*)>", text)) == {"1", "2-"}
    assert "\\only" not in write_tex([after]).decode()
    assert set(re.findall(r"\\only<([^>]*)>", write_tex([before, after, before]).decode())) == {"1,3-", "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b", r"a\_b"),
        ("x**2 = 4", r"x**2\ =\ 4"),
        ("{\\input}", r"\{\textbackslash{}input\}"),
        ("$#%&~^", r"\$\#\%\&\textasciitilde{}\textasciicircum{}"),
        ("2\N{SUPERSCRIPT TWO} \N{MINUS SIGN}1", r"2\ensuremath{^{2}}\ \ensuremath{-}1"),
        ("αΩλ∂→·", r"\ensuremath{\alpha}\ensuremath{\Omega}\ensuremath{\lambda}"
                   r"\ensuremath{\partial}\ensuremath{\rightarrow}\ensuremath{\cdot}"),
        ("größe", "größe"),
        ("w\N{COMBINING MACRON}", r"\inspectoraccent{=}{w}"),
        ("損\x00", r"\inspectorcharacter{640D}"),
        ("a -- b", r"a\ {-}{-}\ b"),
        ("‖δ⊙h‖ 1\N{EN DASH}4", r"\ensuremath{\|}\ensuremath{\delta}\ensuremath{\odot}h\ensuremath{\|}\ 1--4"),
        ("tanh\N{PRIME}", r"tanh\ensuremath{^{\prime}}"),
    ],
)  # fmt: skip
def test_text_is_set_letter_by_letter(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_a_picture_that_tex_cannot_hold_is_refused() -> None:
    from inspector.scene import Scene

    with pytest.raises(ValueError, match="cannot draw a figure longer than 16,000 pt"):
        write_tex([Scene(20_000, 100, ())])


# ---- by LaTeX ---------------------------------------------------------------------------------------------


def compiled(folder: Path, name: str) -> pypdfium2.PdfDocument:
    command = [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", name]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300)
    assert ended.returncode == 0, ended.stdout[-2000:]
    return pypdfium2.PdfDocument(folder / f"{name}.pdf")


@pytest.mark.slow
@NEEDS_PDFLATEX
def test_it_compiles_alone_to_a_page_for_each_moment(tmp_path: Path) -> None:
    scenes = steps("S3")
    (tmp_path / "backward-1.tex").write_bytes(write_tex(scenes))
    document = compiled(tmp_path, "backward-1")
    assert len(document) == len(scenes)
    size = document[0].get_size()
    assert size == pytest.approx([scenes[0].width / 72.27 * 72, scenes[0].height / 72.27 * 72], abs=1)
    said = document[len(document) - 1].get_textpage().get_text_range()
    assert "AccumulateGrad" in said
    assert "after" in said


@pytest.mark.slow
@NEEDS_PDFLATEX
def test_circles_and_mathematics_compile(tmp_path: Path) -> None:
    scenes = list(figure("S3", "circuit").panels.values())
    (tmp_path / "circuit.tex").write_bytes(write_tex(scenes))
    text = (tmp_path / "circuit.tex").read_text("utf-8")
    assert text.count(" circle [radius=") >= 3, "rounded corners of half the side lose their curve"
    assert len(compiled(tmp_path, "circuit")) == 2


@pytest.mark.slow
@NEEDS_PDFLATEX
def test_it_can_be_put_into_a_frame_and_hostile_texts_with_it(tmp_path: Path) -> None:
    (tmp_path / "figure.tex").write_bytes(write_tex(moments("S5")))
    (tmp_path / "hostile.tex").write_bytes(write_tex([hostile()]))
    (tmp_path / "talk.tex").write_text(
        r"\documentclass[aspectratio=169]{beamer}\usepackage{tikz}\begin{document}"
        r"\begin{frame}{One}\input{figure}\end{frame}"
        r"\begin{frame}{Two}\input{hostile}\end{frame}\end{document}"
    )
    assert len(compiled(tmp_path, "talk")) == 3
