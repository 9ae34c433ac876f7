"""Slides and drawings in the programs that open them; each test runs where its program is installed.

`pytest -m slow tests/test_slide_programs.py` (Debian: libreoffice-impress, inkscape, fonts-liberation).
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy
import pypdfium2  # type: ignore[import-untyped]
import pytest
from figures import moments, steps
from PIL import Image

from inspector.export.png import write_png
from inspector.export.pptx import write_pptx
from inspector.export.svg import write_svg

IMPRESS, INKSCAPE = shutil.which("soffice"), shutil.which("inkscape")


@pytest.mark.slow
@pytest.mark.skipif(IMPRESS is None, reason="no LibreOffice (Debian: libreoffice-impress)")
def test_libreoffice_shows_every_slide_with_its_title_on_one_line(tmp_path: Path) -> None:
    scenes = steps("S3")
    (tmp_path / "slides.pptx").write_bytes(write_pptx(scenes))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [str(IMPRESS), "--headless", profile, "--convert-to", "pdf", "--outdir", ".", "slides.pptx"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=180)
    pages = pypdfium2.PdfDocument(tmp_path / "slides.pdf")
    assert len(pages) == len(scenes)
    for number, page in enumerate(list(pages)[1:-1], start=1):
        lines = page.get_textpage().get_text_range().splitlines()
        assert any(f"step {number} of {len(scenes) - 2}" in line for line in lines), lines


@pytest.mark.slow
@pytest.mark.skipif(INKSCAPE is None, reason="no Inkscape (Debian: inkscape)")
def test_inkscape_draws_what_the_png_shows(tmp_path: Path) -> None:
    scene = moments("S5")[1]
    (tmp_path / "figure.svg").write_text(write_svg(scene, text="path"), "utf-8")
    width = round(scene.width)
    command = [str(INKSCAPE), "--export-type=png", f"--export-width={width}", "-o", "out.png", "figure.svg"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=180)
    theirs = Image.open(tmp_path / "out.png").convert("L")
    ours = Image.open(io.BytesIO(write_png([scene]))).convert("L").resize(theirs.size)
    difference = numpy.abs(numpy.asarray(theirs, float) - numpy.asarray(ours, float))
    assert difference.mean() < 2, "shades of 255, of which edges that are smoothed in another way take some"
