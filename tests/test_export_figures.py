"""The files of a call: which there are, in which format, under which name, from the command and the library."""

from __future__ import annotations

import time
from io import BytesIO
from pathlib import Path

import graphs
import pptx
import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image

from inspector.api.draw import draw
from inspector.commands import render_subprocess
from inspector.commands.export_figures import draw_call, draw_frames, write_pictures
from inspector.commands.options import Destination, DrawOptions, OptionError, Options, WatchOptions, destination
from inspector.export import WRITERS
from inspector.folding import fold
from inspector.folding.folded_graph import with_step_order
from inspector.graph import Graph, unknown
from inspector.options import FigureOptions, Presentation
from inspector.options.choices import ORDERS
from inspector.report import BackwardCall
from inspector.report.originals import Original

CALL = BackwardCall(1, {"file": "saddle.py", "line": 5, "code": "z.backward()"}, graphs.saddle(2.0, 0.0))
ORIGINAL = Original(source="digraph { n0 -> n1 }")
STEPS = 5
BEGINNINGS = {
    "svg": b"<svg", "html": b"<!doctype html>", "pdf": b"%PDF-", "png": b"\x89PNG", "pptx": b"PK",
    "tex": b"%% z = ", "gif": b"GIF89a", "reveal": b"<!-- ", "dot": b"digraph", "mermaid": b"flowchart",
    "torchviz": b"<?xml", "animation": b"<svg",
}  # fmt: skip


def written(folder: Path, *formats: str, look: DrawOptions | None = None, graph: Graph | None = None) -> list[str]:
    """The names of the files that are made, which are those that are said to be."""
    call = CALL if graph is None else BackwardCall(2, unknown("not asked"), graph)
    place = Destination(folder, None, formats)
    files = write_pictures(call, place, look or DrawOptions(), ORIGINAL).files
    assert sorted(path.name for path in files) == sorted(path.name for path in folder.iterdir())
    return [path.name for path in files]


@pytest.mark.parametrize("format", WRITERS)
def test_a_format_has_its_names_and_its_bytes(format: str, tmp_path: Path) -> None:
    parts = ["", ".before", ".after"] if WRITERS[format].holds in ("picture", "pages") else [""]
    assert written(tmp_path, format) == [f"backward-1{part}{WRITERS[format].suffix}" for part in parts]
    assert all(path.read_bytes().startswith(BEGINNINGS[format]) for path in tmp_path.iterdir())


def test_steps_have_files_of_their_own_where_a_file_holds_one(tmp_path: Path) -> None:
    names = written(tmp_path, "png", "pdf", "pptx", look=DrawOptions(presentation=Presentation(frames=True)))
    steps = [f"backward-1.step-{number:02d}.png" for number in range(STEPS + 2)]
    assert [name for name in names if "step-" in name] == steps
    assert len(pypdfium2.PdfDocument(tmp_path / "backward-1.steps.pdf")) == STEPS + 2
    assert len(pptx.Presentation(tmp_path / "backward-1.pptx").slides) == STEPS + 2


@pytest.mark.parametrize("style", ["attributes", "circuit", "engine"])
def test_before_and_after_have_the_numbers_of_the_steps(style: str) -> None:
    """Those of the order that is wished, and a legend that says which."""
    call = BackwardCall(1, unknown("not asked"), graphs.saddle(2.0, 0.0))
    shown = {}
    for order in ORDERS:
        in_steps = Presentation(frames=True, order=order)
        look = DrawOptions(figure=FigureOptions(style=style, canvas="16:9"), presentation=in_steps)
        (after,) = draw_call(call, look).panels["after"].panels
        (last,) = draw_frames(call, look).panels["after"].panels
        shown[order] = {badge.id: badge.text for badge in after.badges}
        assert shown[order] == {badge.id: badge.text for badge in last.badges}
        said = {text.text for box in after.boxes if box.id == "legend" for text in box.texts}
        assert ("order by level, from the root" in said) == (order == "textbook")
    assert shown["engine"] != shown["textbook"]


def test_a_view_keeps_its_boxes_in_another_order() -> None:
    graph = with_step_order(fold(graphs.saddle(2.0, 0.0), 1), "textbook")
    assert graph.order == "textbook" and with_step_order(graph, "textbook") is graph


@pytest.mark.parametrize("script, reason", [
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the process that draws was killed by SIGSEGV"),
    ("raise SystemExit(7)", "the process that draws ended with status 7"),
    ("raise SystemExit('inspect: no room')", "no room"),
])  # fmt: skip
def test_what_ended_the_drawing_is_named(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may end the rasteriser as well as the layout engine."""
    assert drawing_by(script, tmp_path, monkeypatch).wait() == reason


def drawing_by(
    script: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> render_subprocess.RenderProcess:
    """A drawing whose process runs another script."""
    started = render_subprocess.subprocess.Popen
    monkeypatch.setattr(
        render_subprocess.subprocess, "Popen", lambda command, **more: started([command[0], "-c", script], **more)
    )
    options = Options(WatchOptions(), DrawOptions(), Destination(folder, None, ("svg",)))
    return render_subprocess.RenderProcess(folder / "report.json", options)


@pytest.mark.parametrize("names", [1, 5_000])
def test_the_time_of_the_script_does_not_count(
    names: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of 5,000 files do not fit into a pipe, which nobody reads while the script runs."""
    line = f"{render_subprocess.FILE}\"{'x' * 40}\""
    script = f"import sys; print(({line!r} + chr(10)) * {names}, file=sys.stderr)"
    drawing = drawing_by(script, tmp_path, monkeypatch)
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 3600)
    assert drawing.wait() is None
    assert drawing.files == [Path("x" * 40)] * names


def test_a_drawing_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_subprocess, "TIME_LIMIT", 0.1)
    drawing = drawing_by("import signal; signal.pause()", tmp_path, monkeypatch)
    assert drawing.wait() == "drawing was stopped, 0.1 s after the end of the script"


def test_a_call_that_did_not_run_has_no_after(tmp_path: Path) -> None:
    names = written(
        tmp_path,
        "png",
        "gif",
        look=DrawOptions(presentation=Presentation(frames=True)),
        graph=graphs.saddle(2.0, 0.0, ran=False),
    )
    assert names == ["backward-2.png", "backward-2.before.png", "backward-2.step-00.png", "backward-2.gif"]
    assert Image.open(tmp_path / "backward-2.gif").n_frames == 1


@pytest.mark.parametrize("name", [f"picture{format.suffix}" for format in WRITERS.values()])
def test_one_file_is_all_that_is_written(name: str, tmp_path: Path) -> None:
    place = destination(str(tmp_path / "new" / name), ())
    write_pictures(CALL, place, DrawOptions(), ORIGINAL)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]
    assert place.report is None


def test_one_pdf_with_frames_has_a_page_for_each(tmp_path: Path) -> None:
    look = DrawOptions(presentation=Presentation(frames=True))
    write_pictures(CALL, destination(str(tmp_path / "z.pdf"), ()), look)
    assert len(pypdfium2.PdfDocument(tmp_path / "z.pdf")) == STEPS + 2


def test_a_suffix_that_is_no_format_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"unknown format \.bmp; use \.svg, \.html, \.pdf"):
        destination(str(tmp_path / "z.bmp"), ())
    with pytest.raises(OptionError, match="is a single file and cannot be combined with --format pdf"):
        destination(str(tmp_path / "z.png"), ("pdf",))
    assert destination(str(tmp_path / "z.png"), ("png",)).formats == ("png",)
    assert destination(str(tmp_path / "z.reveal.html"), ()).formats == ("reveal",)
    assert destination(str(tmp_path), ("png", "pdf", "png")).formats == ("png", "pdf")


def test_a_missing_extra_is_told_before_the_script_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.export.formats.find_spec", lambda name: None)
    with pytest.raises(
        OptionError, match=r'pptx needs the extra .slides.: pip install "autograd-inspector\[slides\]"'
    ):
        destination("figure.pptx", ())
    assert destination("figure.pdf", ()).formats == ("pdf",)


@pytest.mark.parametrize("format", [name for name, known in WRITERS.items() if known.holds != "original"])
def test_the_library_saves_every_format(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"Z{WRITERS[format].suffix.upper()}"
    draw(graphs.saddle(2.0, 0.0)).save(path, theme="dark")
    assert path.read_bytes().startswith(BEGINNINGS[format])


def test_the_library_names_the_formats_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown format '\.bmp'; choose from: \.svg, \.html"):
        draw(graphs.saddle(2.0, 0.0)).save(tmp_path / "z.bmp")


def test_a_png_of_the_library_shows_both_panels(tmp_path: Path) -> None:
    picture = draw(graphs.saddle(2.0, 0.0))
    picture.save(tmp_path / "z.png")
    drawn = Image.open(BytesIO((tmp_path / "z.png").read_bytes()))
    assert drawn.size == (2 * picture.figure.scene.width, 2 * picture.figure.scene.height)
