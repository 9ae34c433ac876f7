"""PowerPoint: native shapes that can be edited, arrows that stay glued, names that Morph goes by."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from math import dist
from typing import Any

import graphs
import pptx
import pytest
import torch
from figures import HOSTILE, figure, hostile, moments, steps
from golden import FOLDER as GOLDEN
from pptx.enum.shapes import MSO_SHAPE_TYPE

import inspector
from inspector.export.frame_overlay import lay_over
from inspector.export.pptx import write_pptx
from inspector.export.pptx_wires import bend_of, pieces_of, side_of
from inspector.figure import draw
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.plots import plot_graph
from inspector.report import from_json
from inspector.scene import Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.scene.splines import joined, s_curve, straight
from inspector.typography import sanitize
from inspector.typography.sanitize import isolate_right_to_left

POINT = 12_700


def opened(file: bytes) -> Any:
    return pptx.Presentation(BytesIO(file))


def shapes(parent: Any) -> list[Any]:
    """Every shape of a slide, those in groups too."""
    found = []
    for shape in parent.shapes:
        found.append(shape)
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            found += shapes(shape)
    return found


def glued(connector: Any) -> list[Any]:
    """The connections of the two ends."""
    return connector._element.xpath(".//a:stCxn | .//a:endCxn")  # type: ignore[no-any-return]


def test_a_slide_for_each_moment_and_nothing_is_a_picture() -> None:
    presentation = opened(write_pptx(steps("S3")))
    assert len(presentation.slides) == len(steps("S3"))
    kinds = {shape.shape_type for slide in presentation.slides for shape in shapes(slide)}
    assert MSO_SHAPE_TYPE.PICTURE not in kinds
    assert {MSO_SHAPE_TYPE.AUTO_SHAPE, MSO_SHAPE_TYPE.TEXT_BOX, MSO_SHAPE_TYPE.GROUP} <= kinds


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("name", ["S3", "two roots", "net"])
def test_connectors_are_glued_at_both_ends(name: str, style: str) -> None:
    scene = list(draw(graphs.SHAPES[name](), FigureOptions(style=style)).panels.values())[-1]
    (slide,) = opened(write_pptx([scene])).slides
    ids = {shape.shape_id for shape in shapes(slide)}
    assert len(ids) == len(list(shapes(slide)))
    connectors = [shape for shape in shapes(slide) if shape._element.tag.endswith("}cxnSp")]
    assert connectors
    for connector in connectors:
        ends = [int(end.get("id")) for end in glued(connector)]
        assert len(ends) == 2
        assert set(ends) <= ids


GLUED = [
    pytest.param(script, style, marks=[pytest.mark.slow] * ((row + column) % 2))
    for row, script in enumerate(["square", "product", "baydin", "cs231n_neuron", "classifier"])
    for column, style in enumerate(STYLE_NAMES)
]


@pytest.mark.parametrize(("script", "style"), GLUED)
def test_glued_connectors_lead_along_every_wire_from_its_source_to_its_target(script: str, style: str) -> None:
    call = from_json((GOLDEN / f"{script}.json").read_text("utf-8")).calls[0]
    scene = list(draw(call.graph, FigureOptions(style=style, canvas="16:9")).panels.values())[-1]
    (slide,) = opened(write_pptx([scene])).slides
    found = shapes(slide)
    assert not [shape.name for shape in found if shape.shape_type == MSO_SHAPE_TYPE.FREEFORM]
    owners = {shape.shape_id: shape.name for shape in found}
    glues = {shape.name: [owners[int(end.get("id"))] for end in glued(shape)] for shape in found if glued(shape)}
    for wire in scene.panels[0].wires:
        if wire.source == wire.target:
            continue  # a sample of the legend
        own = re.compile(rf"!!{re.escape(wire.id)}( part \d+)?")
        parts = [ends for name, ends in glues.items() if own.fullmatch(name)]
        joints = [f"!!{wire.id} joint {number}" for number in range(1, len(parts))]
        ends = [end for part in parts for end in part]
        boxes = [re.sub(r" \d+$", "", end) for end in (ends[0], ends[-1])]
        assert boxes == [f"!!{wire.source}", f"!!{wire.target}"]
        assert ends[1:-1] == [joint for joint in joints for _ in range(2)]


def test_an_arrow_leads_from_its_source_to_its_target() -> None:
    scene = moments("S5")[1]
    (slide,) = opened(write_pptx([scene])).slides
    found = {shape.name: shape for shape in shapes(slide)}
    owners = {shape.shape_id: shape.name for shape in shapes(slide)}
    wire = next(wire for wire in scene.panels[0].wires if wire.id == "n0.0")
    connector = found["!!n0.0"]
    ends = [re.sub(r" \d+$", "", owners[int(end.get("id"))]) for end in glued(connector)]
    assert ends == [f"!!{wire.source}", f"!!{wire.target}"]
    assert (connector.begin_x, connector.begin_y) != (connector.end_x, connector.end_y)


def test_names_are_equal_over_slides() -> None:
    scenes = steps("S3")
    slides = opened(write_pptx(scenes)).slides
    names = [[shape.name for shape in slide.shapes] for slide in slides]
    assert all(len(set(each)) == len(each) for each in names)
    assert all(name.startswith("!!") for each in names for name in each)
    for each, scene in zip(names, scenes, strict=True):
        assert {f"!!{box.id}" for box in scene.panels[0].boxes} <= set(each)
        assert {f"!!{wire.id}" for wire in scene.panels[0].wires} <= set(each)
    kinds = [{shape.name: shape._element.tag for shape in slide.shapes} for slide in slides]
    assert all(kinds[0][name] == each[name] for each in kinds for name in kinds[0].keys() & each.keys())
    places = [{shape.name: (shape.left, shape.top) for shape in slide.shapes} for slide in slides]
    assert all(places[0][name] == each[name] for each in places for name in places[0].keys() & each.keys()
               if name.removeprefix("!!") in graphs_nodes())  # fmt: skip


def test_a_slide_has_a_title_where_the_figure_has_it() -> None:
    """In the layout's placeholder, for outlines and screen readers; it is drawn once."""
    for scene, slide in zip(steps("S3"), opened(write_pptx(steps("S3"))).slides, strict=True):
        (box,) = [box for box in scene.panels[0].boxes if box.id == "title"]
        title = slide.shapes.title
        assert title is not None and title.name == "!!title"
        assert len(title.text_frame.paragraphs) == 1, "all of it stands on one line of this figure"
        assert title.text_frame.text.split() == " ".join(text.text for text in box.texts).split()
        first = box.texts[0]
        assert title.left / POINT == pytest.approx(first.x, abs=0.1)
        assert title.top / POINT == pytest.approx(first.y - 0.92 * first.size, abs=0.1)
        words = [run for paragraph in title.text_frame.paragraphs for run in paragraph.runs if run.text.strip()]
        assert [(run.text, run.font.size.pt) for run in words] == [(text.text, text.size) for text in box.texts]
        said = [shape.text_frame.text for shape in shapes(slide) if shape.has_text_frame]
        assert said.count(first.text) == 0 or len(box.texts) == 1
    titles = [slide.shapes.title.text_frame.text for slide in opened(write_pptx(steps("S3"))).slides]
    assert len(set(titles)) == len(titles)


def test_names_on_the_slide_of_a_plot_are_different() -> None:
    (slide,) = opened(write_pptx([plot_graph(graphs.saddle(2.0, 0.0)).scene])).slides
    names = [shape.name for shape in shapes(slide)]
    assert len(names) > 20 and len(set(names)) == len(names)


def graphs_nodes() -> set[str]:
    return set(graphs.SHAPES["S3"]().network)


def test_slides_after_the_first_morph() -> None:
    slides = opened(write_pptx(moments("S5"))).slides
    assert [b"morph" in slide._element.xml.encode() for slide in slides] == [False, True]


def test_alt_text_and_notes_say_what_is_shown() -> None:
    (slide,) = opened(write_pptx([moments("S5")[1]])).slides
    told = {shape.name: shape._element.xpath(".//p:cNvPr")[0].get("descr") for shape in slide.shapes}
    assert "grad, None → 4" in told["!!t2"]
    assert told["!!n1.0"] == "2x · 1 = 4"
    assert "x: data 2; grad None → 4" in slide.notes_slide.notes_text_frame.text


@pytest.mark.parametrize(("size", "expected"), [((960, 540), (960, 540)), ((720, 540), (720, 540)),
                                                ((600, 400), (960, 540)), ((1920, 400), (1920, 1080)),
                                                ((40_000, 100), (4032, 2268))])  # fmt: skip
def test_a_slide_is_16_to_9_and_holds_all_of_the_figure(
    size: tuple[float, float], expected: tuple[float, float]
) -> None:
    box = Box("n0", Rectangle(0, 0, *size), "card")
    presentation = opened(write_pptx([Scene(*size, (Panel("p", Rectangle(0, 0, *size), (box,)),))]))
    assert (presentation.slide_width / POINT, presentation.slide_height / POINT) == expected
    for shape in shapes(presentation.slides[0]):
        assert shape.left >= -1
        assert shape.left + shape.width <= presentation.slide_width + 1
        assert shape.top + shape.height <= presentation.slide_height + 1


def test_text_is_text() -> None:
    (slide,) = opened(write_pptx([hostile()])).slides
    said = [shape.text_frame.text for shape in shapes(slide) if shape.has_text_frame and shape.text_frame.text]
    assert said == [isolate_right_to_left(sanitize(text)) for text in HOSTILE if text]


def test_there_are_no_dates() -> None:
    with zipfile.ZipFile(BytesIO(write_pptx(moments("S5")))) as package:
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        properties = package.read("docProps/core.xml").decode()
    assert "dcterms" not in re.sub("xmlns:[^ >]*", "", properties)
    assert "z = x**2 - y**2" in properties


def test_both_panels_of_a_figure_stand_on_one_slide() -> None:
    (slide,) = opened(write_pptx([figure("S5").scene])).slides
    names = [shape.name for shape in slide.shapes]
    assert len(set(names)) == len(names)
    assert {"!!t2", "!!2 t2"} <= set(names)


@pytest.mark.parametrize("end", [(200, 100), (200, -100), (-200, 100), (-200, -100)])
@pytest.mark.parametrize("level", [True, False])
def test_an_s_is_turned_the_way_the_wire_runs(end: tuple[float, float], level: bool) -> None:
    x, y = end
    curve = (
        ((0.0, 0.0), (x / 2, 0.0), (x / 2, y), (x, y)) if level else ((0.0, 0.0), (0.0, y / 2), (x, y / 2), (x, y))
    )
    bend = bend_of(curve)  # type: ignore[arg-type]
    assert bend is not None
    assert bend.preset == "curvedConnector3"
    corners = [(-bend.area.width / 2, -bend.area.height / 2), (bend.area.width / 2, bend.area.height / 2)]
    if bend.flip_across:
        corners = [(-across, down) for across, down in corners]
    if bend.flip_down:
        corners = [(across, -down) for across, down in corners]
    for _ in range(bend.turn // 5_400_000):  # clockwise on the page
        corners = [(-down, across) for across, down in corners]
    center = bend.area.center
    assert [(center[0] + across, center[1] + down) for across, down in corners] == [(0, 0), (x, y)]


def test_a_wire_that_winds_has_joints() -> None:
    """Where the straight way is barred: level, an S, level, and round a corner; a tight S is three lines."""
    lines = [((0.0, 0.0), (60.0, 0.0)), ((160.0, 100.0), (260.0, 100.0)), ((260.0, 100.0), (260.0, 300.0))]
    course = joined(
        [
            straight(*lines[0]),
            s_curve((60.0, 0.0), (160.0, 100.0), horizontal=True),
            straight((160.0, 100.0), (240.0, 100.0)),
            ((240.0, 100.0), (260.0, 100.0), (260.0, 100.0), (260.0, 120.0)),
            straight((260.0, 120.0), (260.0, 300.0)),
        ]
    )
    pieces = pieces_of(course)
    assert [(piece.start, piece.end) for piece in pieces] == [lines[0], ((60, 0), (160, 100)), *lines[1:]]
    presets = [piece.bend.preset for piece in pieces]
    assert presets == ["straightConnector1", "curvedConnector3", "straightConnector1", "straightConnector1"]
    tight = s_curve((60.0, 0.0), (80.0, 100.0), horizontal=True)
    assert len(pieces_of(joined([straight(*lines[0]), tight]), [Rectangle(10, 20, 60, 60)])) == 4


def test_a_plots_curve_is_a_line_that_bends_as_it_does() -> None:
    """As a connector of a few straight pieces it missed the very point that the tangent touches."""
    x = torch.tensor(1.0, requires_grad=True)
    with inspector.record() as recording:
        (x**3 - x).backward()
    scene = plot_graph(recording.calls[0].graph).panels["plot"]
    (panel,) = scene.panels
    (curve,) = [wire for wire in panel.wires if wire.id.endswith(".curve")]
    presentation = opened(write_pptx([scene]))
    (slide,) = presentation.slides
    left, top = presentation.slide_width / POINT - scene.width, presentation.slide_height / POINT - scene.height
    (line,) = [shape for shape in shapes(slide) if shape.name == f"!!{curve.id}"]
    (path,) = line._element.xpath(".//a:path")
    drawn = [
        ((line.left + int(point.get("x"))) / POINT - left / 2, (line.top + int(point.get("y"))) / POINT - top / 2)
        for point in path.xpath(".//a:pt")
    ]
    assert (line.width, line.height) == (int(path.get("w")), int(path.get("h")))
    assert len(drawn) > 200
    for knot in curve.points[::3]:
        assert min(dist(knot, point) for point in drawn) < 0.01
    (point,) = [box for box in panel.boxes if box.id.endswith(".point")]
    assert min(dist(point.area.center, place) for place in drawn) < 0.1
    assert not [shape for shape in shapes(slide) if "plot to plot" in shape._element.xpath(".//@descr")]


def test_a_wire_is_glued_to_the_side_it_ends_on() -> None:
    area = Rectangle(0, 0, 100, 40)
    assert [side_of(area, point) for point in ((50, 0), (0, 20), (50, 40), (100, 20), (30, 0), (100, 5))] == [
        0, 1, 2, 3, 0, 3,
    ]  # fmt: skip


def test_a_wire_to_lines_without_an_outline_is_glued_to_all_of_them() -> None:
    """LibreOffice routes connectors anew: glued to the first line, the arrow at a root was askew."""
    gate, root = Rectangle(20, 40, 40, 40), Rectangle(200, 20, 50, 80)
    lines = tuple(TextRun(225, 40 + 25 * number, text, 18, anchor="middle") for number, text in enumerate("L01"))
    boxes = Box("n0", gate, "card"), Box("t0", root, "plain", texts=lines)
    wire = Wire("t0-n0", "n0", "t0", straight((60, 60), (200, 60)))
    panel = Panel("p", Rectangle(0, 0, 960, 540), boxes, (wire,))
    (slide,) = opened(write_pptx([Scene(960, 540, (panel,))])).slides
    of = {shape.shape_id: shape for shape in shapes(slide)}
    (connector,) = [shape for shape in of.values() if shape._element.tag.endswith("}cxnSp")]
    _, end = (of[int(end.get("id"))] for end in glued(connector))
    assert (end.left / POINT, end.top / POINT) == (root.x, root.y)
    assert (end.width / POINT, end.height / POINT) == (root.width, root.height)


def test_the_grounds_of_passes_lie_below_everything() -> None:
    w = torch.tensor(0.9, requires_grad=True)
    h = torch.tensor(0.5)
    with inspector.record() as recording:
        for _ in range(3):
            h = torch.tanh(w * h)
        h.backward()
    scene = draw(recording.calls[0].graph, FigureOptions(style="circuit", canvas="16:9")).panels["after"]
    grounds, wires = {one.id for one in scene.panels[0].grounds}, {one.id for one in scene.panels[0].wires}
    names = [one.name.removeprefix("!!") for one in opened(write_pptx([scene])).slides[0].shapes]
    of_grounds, of_wires = ([at for at, name in enumerate(names) if name in own] for own in (grounds, wires))
    assert len(of_grounds) == 3 and len(of_wires) == len(wires)
    assert max(of_grounds) < min(of_wires)
    kinds = [part.kind for part in lay_over([scene])]
    assert kinds == sorted(kinds, key=("ground", "wire", "box", "badge").index) and kinds[0] == "ground"
