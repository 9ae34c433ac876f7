"""What holds for every format: the table, the same bytes in every process, hostile texts, wrong choices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import graphs
import pytest
from figures import figure, hostile, moments

from inspector.export import WRITERS, format_of, write_graph, write_scenes
from inspector.export.frame_overlay import lay_over
from inspector.export.optional_dependency import MissingExtra

OF_SCENES = [name for name, format in WRITERS.items() if format.holds not in ("graph", "page", "original")]
OF_GRAPHS = [name for name, format in WRITERS.items() if format.holds == "graph"]

_DIGESTS = """
import graphs, hashlib
from figures import hostile, steps
from inspector.export import WRITERS, write_graph, write_scenes
from inspector.export.formats import write_torchviz
from inspector.graph import unknown
from inspector.page import still_of, write_page
from inspector.report import BackwardCall
for name, format in WRITERS.items():
    if format.holds == "graph":
        files = [write_graph(name, graphs.SHAPES["S3"]())]
    elif format.holds == "original":
        files = [write_torchviz('digraph { n0 [label="x\\n (2)"] n0 -> n1 }')]
    elif format.holds == "page":
        call = BackwardCall(1, unknown("not asked"), graphs.SHAPES["S3"]())
        files = [write_page(call, still=still_of(hostile(), "light"))]
    else:
        files = [write_scenes(name, scenes) for scenes in (steps("S3"), [hostile()])]
    print(name, *(hashlib.sha256(file).hexdigest() for file in files))
"""


@pytest.mark.parametrize(
    ("file", "format"),
    [
        ("a.svg", "svg"), ("A.PDF", "pdf"), ("x.y.png", "png"), ("a.html", "html"), ("a.reveal.html", "reveal"),
        ("a.mmd", "mermaid"), ("a.torchviz.svg", "torchviz"), ("a.tex", "tex"), ("a.bmp", None), ("svg", None),
    ],
)  # fmt: skip
def test_the_suffix_picks_the_format(file: str, format: str | None) -> None:
    assert format_of(file) == format


def test_the_bytes_are_the_same_in_every_process() -> None:
    here = Path(__file__).parent
    outputs = [
        subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}", "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert outputs[0] == outputs[1]
    assert [line.split()[0] for line in outputs[0].splitlines()] == list(WRITERS)


@pytest.mark.parametrize("format", OF_SCENES)
@pytest.mark.parametrize("theme", ["dark", "print"])
def test_themes_differ(format: str, theme: str) -> None:
    assert write_scenes(format, moments("S5"), theme=theme) != write_scenes(format, moments("S5"))


@pytest.mark.parametrize("format", OF_SCENES)
def test_a_wrong_theme_is_told_with_the_choices(format: str) -> None:
    with pytest.raises(ValueError, match="light, dark, print"):
        write_scenes(format, moments("S5"), theme="neon")


@pytest.mark.parametrize("format", OF_SCENES)
def test_hostile_texts_can_be_written(format: str) -> None:
    assert len(write_scenes(format, [hostile()])) > 1_000


@pytest.mark.parametrize("format", OF_GRAPHS)
def test_a_graph_is_written_without_a_layout(format: str) -> None:
    assert "AccumulateGrad" in write_graph(format, graphs.SHAPES["S5"]()).decode()


@pytest.mark.parametrize("format", ["gif", "tex", "reveal"])
def test_moments_of_several_sizes_are_refused(format: str) -> None:
    with pytest.raises(ValueError, match="must have the same size, got 2"):
        write_scenes(format, [figure("S5").scene, *moments("S5")])


@pytest.mark.parametrize(("format", "package"), [("pptx", "pptx"), ("gif", "PIL")])
def test_a_missing_extra_is_named(format: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith((f"inspector.export.{format}", package))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as told:
        write_scenes(format, moments("S5"))
    assert str(told.value) == f"{format} needs the extra 'slides': pip install \"autograd-inspector[slides]\""


def test_pieces_that_all_moments_show_are_there_once() -> None:
    before, after = moments("S5")
    layered = lay_over([before, after, after])
    pieces = [shown for part in layered for shown in part.pieces]
    assert {shown.spans for shown in pieces} == {((0, 2),), ((0, 0),), ((1, 2),)}
    assert {shown.always for shown in pieces if shown.spans == ((0, 2),)} == {True}
    boxes = [part.id for part in layered if part.kind == "box"]
    assert sorted(boxes) == sorted({box.id for scene in (before, after) for box in scene.panels[0].boxes})


def test_what_comes_and_goes_has_a_span_for_each_time() -> None:
    before, after = moments("S5")
    spans = {shown.spans for part in lay_over([before, after, before]) for shown in part.pieces}
    assert ((0, 0), (2, 2)) in spans
