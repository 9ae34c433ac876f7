"""Every style in every look: sound geometry, canvases, details, directions, arrows, wrong words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import geometry
import graphs
import pytest
import torch
from golden import FOLDER
from pictured import boxes, panel_texts, plan
from torch import nn

import inspector
from inspector.figure import Figure, draw, frames
from inspector.figure.canvas import SIZES
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.options.choices import DIRECTIONS
from inspector.report import from_json
from inspector.scene import Scene
from inspector.styles import STYLES

SMALL = [name for name in STYLE_NAMES if name != "modules"]


def scenes(figure: Figure) -> list[Scene]:
    return [figure.scene, *figure.panels.values()]


def test_the_names_offered_are_those_there_are() -> None:
    assert sorted(STYLE_NAMES) == sorted(STYLES)


@pytest.mark.parametrize("style", SMALL)
@pytest.mark.parametrize("shape", [name for name in graphs.SHAPES if name != "net"])
def test_nothing_collides(style: str, shape: str) -> None:
    for scene in scenes(draw(graphs.SHAPES[shape](), FigureOptions(style=style))):
        assert geometry.problems(scene) == []


@pytest.mark.parametrize("style", SMALL)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("arrows", ["forward", "backward"])
def test_directions_and_arrows_are_independent(style: str, direction: str, arrows: str) -> None:
    for shape in ("S3", "fan-out"):
        figure = draw(graphs.SHAPES[shape](), FigureOptions(style=style, direction=direction, arrows=arrows))  # type: ignore[arg-type]
        for scene in scenes(figure):
            assert geometry.problems(scene) == []
        areas = {box.id: box.area for box in figure.scene.panels[0].boxes}
        root, far = areas["n0"], areas["n3"] if "n3" in areas else areas["n1"]
        if shape == "S3" and style != "record":
            along = far.center[0] - root.center[0] if direction in ("LR", "RL") else far.center[1] - root.center[1]
            assert (along > 0) == (direction in ("LR", "TB"))


@pytest.mark.parametrize("style", SMALL)
@pytest.mark.parametrize("shape", graphs.SEEDS)
def test_before_and_after_have_the_same_geometry(style: str, shape: str) -> None:
    before, after = draw(graphs.SEEDS[shape](), FigureOptions(style=style)).panels.values()
    one, other = (geometry.skeleton(scene.panels[0]) for scene in (before, after))
    assert one[:2] == other[:2]
    assert one[2] == other[2]


@pytest.mark.parametrize("style", SMALL)
@pytest.mark.parametrize("shape", graphs.SEEDS)
@pytest.mark.parametrize("canvas", SIZES)
def test_a_canvas_holds_legible_text(style: str, shape: str, canvas: str) -> None:
    figure = draw(graphs.SEEDS[shape](), FigureOptions(style=style, canvas=canvas))  # type: ignore[arg-type]
    for scene in figure.panels.values():
        assert geometry.problems(scene) == []
        sizes = {text.size for _, text in geometry.texts(scene.panels[0])}
        assert min(sizes) >= 14.0 - 1e-6
        fits = (scene.width, scene.height) == SIZES[canvas]  # type: ignore[index]
        assert fits or any("more than a" in remark for remark in figure.remarks)
        if canvas == "16:9":
            assert fits
            assert figure.remarks == ()
            names = [text.size for box in scene.panels[0].boxes if box.shape == "pill" for text in box.texts]
            assert not names or min(names) == 18.0


def test_title_and_legend_stand_beside_a_narrow_graph() -> None:
    """Where the graph is too high for a slide with both above and below it."""
    panel = draw(graphs.polynomial(), FigureOptions(style="engine", canvas="16:9")).panels["after"].panels[0]
    places = {box.id: box.area for box in panel.boxes}
    left = min(area.x for name, area in places.items() if name not in ("title", "legend"))
    assert max(places["title"].right, places["legend"].right) < left
    assert places["title"].bottom < places["legend"].y


def test_an_operator_begins_the_next_line() -> None:
    panel = draw(graphs.polynomial(), FigureOptions(style="record", canvas="16:9")).panels["after"].panels[0]
    (title,) = [box for box in panel.boxes if box.id == "title"]
    assert [text.text for text in title.texts][:2] == ["z = x**2 + 2*x", "+ 1"]


def test_what_is_left_out_is_said() -> None:
    """First the legend, then local derivatives, then the details; a wish of the reader's is kept."""
    graph = from_json((FOLDER / "polynomial.json").read_text("utf-8")).calls[0].graph
    (remark,) = draw(graph, FigureOptions(style="engine", canvas="16:9")).remarks
    assert remark == "torch's formulas are left out, to fit the canvas"
    (remark,) = draw(graph, FigureOptions(style="engine", canvas="half")).remarks
    assert remark == "legend and torch's formulas are left out, to fit the canvas; all text has one size"
    remark, *_ = draw(graph, FigureOptions(style="engine", canvas="half", detail="expert")).remarks
    assert "does not fit a half canvas" in remark and "; drawn folded" in remark
    graph = from_json((FOLDER / "cs224n_max.json").read_text("utf-8")).calls[0].graph
    (remark,) = draw(graph, FigureOptions(style="attributes", canvas="16:9")).remarks
    assert remark == "all text has one size, to fit the canvas"
    graph = from_json((FOLDER / "baydin.json").read_text("utf-8")).calls[0].graph
    (remark,) = draw(graph, FigureOptions(style="attributes", canvas="16:9")).remarks
    assert remark == "legend and local derivatives are left out, to fit the canvas; all text has one size"


def test_what_does_not_fit_is_said() -> None:
    figure = draw(graphs.layered(4, 6), FigureOptions(style="attributes", canvas="half"), depth="full")
    (remark,) = figure.remarks
    assert re.fullmatch(
        r"the figure does not fit a half canvas: with 14 pt text the style attributes needs \d+ by \d+ points; .*",
        remark,
    )


def test_what_is_many_canvases_wide_is_folded_until_it_fits() -> None:
    graph = graphs.layered(30, 4, letters=True)
    figure = draw(graph, FigureOptions(style="attributes", canvas="half"))
    assert "the style attributes needs" in figure.remarks[0] and "; drawn folded" in figure.remarks[0]
    assert "the style modules needs" in figure.remarks[1] and "neighbouring Nodes share" in figure.remarks[1]
    assert (figure.panels["after"].width, figure.panels["after"].height) == (480.0, 540.0)
    whole = draw(graph, FigureOptions(style="attributes", canvas="half"), depth="full")
    assert "; drawn folded" not in "".join(whole.remarks)
    assert whole.panels["after"].width > 2 * figure.panels["after"].width


def test_a_tight_picture_is_as_large_as_it_needs() -> None:
    assert draw(graphs.square(), FigureOptions(canvas="tight")).remarks == ()


def test_a_beginner_sees_operations_and_no_accumulate_grad() -> None:
    shown = plan(graphs.saddle(2.0, 0.0), "after", "attributes", detail="beginner")
    assert boxes(shown, "pill") == ["^2", "^2", "\N{MINUS SIGN}"]
    leaf = next(box for box in shown.boxes if box.shape == "card" and box.texts[0].text == "x")
    assert leaf.badge == "5"
    assert leaf.id in {wire.target for wire in shown.wires}
    assert boxes(plan(graphs.saddle(2.0, 0.0), "after", "attributes"), "pill")[0] == "AccumulateGrad"


def test_an_expert_sees_everything() -> None:
    shown = plan(graphs.saddle(2.0, 0.0), "after", "attributes", detail="expert")
    assert "PowBackward0|exponent = 2" in boxes(shown, "box")
    leaf = next(box for box in shown.boxes if box.shape == "card")
    assert {"version", "retains_grad", "dtype, device"} <= {row.key for row in leaf.rows}


@pytest.mark.parametrize("detail", ["beginner", "standard", "expert"])
def test_details_have_sound_geometry(detail: str) -> None:
    for shape in ("S3", "fan-out", "raised", "two roots", "leaf root", "parallel edges"):
        figure = draw(graphs.SHAPES[shape](), FigureOptions(style="attributes", detail=detail))  # type: ignore[arg-type]
        for scene in scenes(figure):
            assert geometry.problems(scene) == []


@pytest.mark.parametrize("style", SMALL)
def test_the_legend_says_what_an_arrow_means(style: str) -> None:
    graph = graphs.square()
    for arrows in ("forward", "backward"):
        shown = plan(graph, "after", style, arrows=arrows)
        (entry,) = [entry for entry in shown.legend if entry.sign == "arrow"]
        assert ("direction of gradients" in entry.text) == (arrows == "backward")


@pytest.mark.parametrize("style", SMALL)
def test_two_drawings_are_equal(style: str) -> None:
    graph = graphs.product_and_square()
    assert draw(graph, FigureOptions(style=style)) == draw(graph, FigureOptions(style=style))
    assert frames(graph, FigureOptions(style=style)) == frames(graph, FigureOptions(style=style))


@pytest.mark.parametrize(
    ("name", "word"),
    [("detail", "all"), ("direction", "up"), ("arrows", "both"), ("canvas", "A4"), ("derivatives", "some")],
)
def test_wrong_words_are_answered_with_the_right_ones(name: str, word: str) -> None:
    with pytest.raises(ValueError, match=f"unknown {name} {word!r}; choose from: "):
        FigureOptions(**{name: word})  # type: ignore[arg-type]


def test_an_unknown_style_is_answered_with_the_styles() -> None:
    for door in (draw, frames):
        with pytest.raises(ValueError, match="unknown style 'nice'; choose from: attributes, circuit, "):
            door(graphs.square(), FigureOptions(style="nice"))


def test_nan_and_hostile_names_are_drawn() -> None:
    program = graphs.Program().leaf('a"<&>', float("nan")).leaf("שלום", 1.0)
    inputs = [('a"<&>', "1", 1.0), ("שלום", "1", 1.0)]
    program.op("y" * 200, "AddBackward0", float("nan"), inputs, code="y = " + "a + " * 60)
    graph = program.graph("y" * 200)
    for style in SMALL:
        figure = draw(graph, FigureOptions(style=style))
        for scene in scenes(figure):
            assert geometry.problems(scene) == []
        if style != "torchviz":
            assert any("nan" in text for text in panel_texts(figure.scene.panels[0]))


_PRINTED = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import graphs
from inspector.figure import draw, frames
from inspector.options import FigureOptions
from inspector.export.svg import write_svg
for style in sys.argv[2:]:
    lit = draw(graphs.fan_out(), FigureOptions(style=style, path="a:out"))
    for figure in (lit, frames(graphs.square(), FigureOptions(style=style))):
        for scene in figure.panels.values():
            print(hashlib.sha256(write_svg(scene).encode()).hexdigest())
"""


def test_the_same_bytes_in_every_process() -> None:
    command = [sys.executable, "-c", _PRINTED, str(Path(__file__).parent), *SMALL]
    printed = [
        subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("0", "4242")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0].split()) == len(SMALL) * (2 + 4)


def test_a_folded_figure_that_is_too_large_is_folded_further() -> None:
    """Three stages of seven parts that are all of another width: the parts stand in a row, which is too long."""
    widths = iter(zip(range(3, 24), range(4, 25), strict=True))

    def stage() -> nn.Sequential:
        return nn.Sequential(*(nn.Sequential(nn.Linear(*next(widths)), nn.Tanh(), nn.Tanh()) for _ in range(7)))

    model = nn.Sequential(stage(), stage(), stage())
    with inspector.record(model) as recording:
        model(torch.ones(2, 3)).sum().backward()
    graph = recording.calls[0].graph
    figure = draw(graph, FigureOptions(style="modules", canvas="16:9"))
    assert "does not fit a 16:9 canvas" in figure.remarks[0] and "; folded to depth" in figure.remarks[0]
    assert (figure.panels["after"].width, figure.panels["after"].height) == (960, 540)
    assert draw(graph, FigureOptions(style="modules")).panels["after"].height > 2 * 540
