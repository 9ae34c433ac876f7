"""Scenes from Graphs: sound geometry for every shape, the same bytes in every process, no harm from the engine."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import geometry
import graphs
import pytest
from msgspec.structs import replace
from pictured import draw_plans

from inspector.figure import Figure, draw
from inspector.figure.frame_plans import FramePlans
from inspector.figure.layout_problem import fit_plans, make_problem
from inspector.graph import Graph, from_rows, to_rows
from inspector.layout import subprocess_layout
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.layout.layered import place
from inspector.layout.problem import Problem
from inspector.options import FigureOptions, choices
from inspector.scene import Badge, Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.styles import Plan
from inspector.styles.plan import PlannedBox, PlannedWire, StyledText

DIRECTIONS = [None, *choices.DIRECTIONS]


def texts_of(scene: Scene) -> set[str]:
    return {text.text for panel in scene.panels for _, text in geometry.texts(panel)}


def problem_of(graph: Graph) -> Problem:
    plans = fit_plans([FramePlans(FigureOptions()).plan(graph, moment) for moment in ("before", "after")])
    return make_problem(plans, None)


# ---- geometry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("shape", graphs.SHAPES)
def test_nothing_collides(shape: str, direction: choices.Direction | None) -> None:
    figure = draw(graphs.SHAPES[shape](), FigureOptions(direction=direction))
    for scene in (figure.scene, *figure.panels.values()):
        assert geometry.problems(scene) == []


@pytest.mark.parametrize("shape", [name for name in graphs.SHAPES if name != "never ran"])
def test_before_and_after_have_the_same_geometry(shape: str) -> None:
    figure = draw(graphs.SHAPES[shape](), FigureOptions(style="attributes"))
    before, after = figure.scene.panels
    shared = _shared_skeleton(before, after)
    assert shared[0] == shared[1]
    alone, other = figure.panels.values()
    assert (alone.width, alone.height) == (before.area.width, before.area.height)
    assert geometry.skeleton(other.panels[0]) == geometry.skeleton(after)


def _shared_skeleton(before: Panel, after: Panel) -> tuple[object, object]:
    one, other = geometry.skeleton(before), geometry.skeleton(after)
    assert {box.id for box in before.boxes if box.shape != "plain"} == {
        box.id for box in after.boxes if box.shape != "plain"
    }
    return one, other


@pytest.mark.parametrize("seed", graphs.SEEDS)
def test_seeds_are_fit_for_a_slide(seed: str) -> None:
    """Main text of 18 points and no text below 14, on a panel about as large as a slide of 960 by 540."""
    scene = draw(graphs.SEEDS[seed]()).panels["after"]
    shrunk = min(1.0, 960 / scene.width, 540 / scene.height)
    for identifier, text in geometry.texts(scene.panels[0]):
        assert text.size * shrunk >= geometry.SMALLEST_TEXT, (identifier, text.text)
    names = [box.texts[0].size for box in scene.panels[0].boxes if box.shape == "pill"]
    assert set(names) == {18.0}


def test_the_saddle_fits_a_slide_as_it_is() -> None:
    scene = draw(graphs.saddle(2.0, 0.0)).panels["after"]
    assert scene.width <= 960
    assert scene.height <= 540


def test_the_panels_of_a_wide_graph_stack_and_of_a_tall_one_stand_side_by_side() -> None:
    wide, tall = draw(graphs.saddle(2.0, 0.0)).scene, draw(graphs.named_chain(9)).scene
    assert wide.panels[1].area.y == wide.panels[0].area.bottom
    assert tall.panels[1].area.x == tall.panels[0].area.right


def test_directions_are_kept() -> None:
    def root_and_leaf(direction: choices.Direction) -> tuple[Rectangle, Rectangle]:
        scene = draw(graphs.square(), FigureOptions(direction=direction)).scene
        areas = {box.id: box.area for box in scene.panels[0].boxes}
        return areas["n0"], areas["n1"]

    root, leaf = root_and_leaf("LR")
    assert root.right < leaf.x
    root, leaf = root_and_leaf("RL")
    assert leaf.right < root.x
    root, leaf = root_and_leaf("TB")
    assert root.bottom < leaf.y
    root, leaf = root_and_leaf("BT")
    assert leaf.bottom < root.y


def test_the_figure_for_the_eyes_and_for_those_without() -> None:
    figure = draw(graphs.saddle(2.0, 0.0))
    assert figure.scene.title == "z = x**2 - y**2: before and after z.backward()"
    assert figure.panels["after"].title == "z = x**2 - y**2: after z.backward()"
    assert "x: data 2; grad None → 4" in figure.scene.description
    assert {"before", "after", "z.backward()", "None → 4", "2y · (−1) = 0"} <= texts_of(figure.scene)
    assert "loss.backward(retain_graph=True)" in texts_of(
        draw(graphs.square(), call="loss.backward(retain_graph=True)").scene
    )


def test_a_graph_that_nothing_went_through_has_one_panel() -> None:
    figure = draw(graphs.saddle(2.0, 0.0, ran=False))
    assert list(figure.panels) == ["before"]
    assert "before" not in texts_of(figure.scene)


def test_wrong_words_are_answered_with_the_right_ones() -> None:
    with pytest.raises(ValueError, match="unknown style 'nice'; choose from: attributes"):
        draw(graphs.square(), FigureOptions(style="nice"))
    with pytest.raises(ValueError, match="choose from: LR, RL, TB, BT"):
        draw(graphs.square(), FigureOptions(direction="up"))  # type: ignore[arg-type]


def test_a_root_without_a_graph_is_a_card_alone() -> None:
    rows = to_rows(graphs.square())
    lonely = dict(rows["nodes"][1], grad_fn=None, is_leaf=True, requires_grad=False)
    figure = draw(from_rows({"nodes": [lonely], "edges": [], "roots": ["t0"], "steps": [], "error": None}))
    assert geometry.problems(figure.scene) == []
    assert "root, leaf, no grad" in texts_of(figure.scene)


def test_an_empty_graph_is_an_empty_figure() -> None:
    figure = draw(from_rows({"nodes": [], "edges": [], "roots": [], "steps": [], "error": None}))
    assert geometry.problems(figure.scene) == []


def test_a_later_style_can_hang_several_cards_on_one_box() -> None:
    """Three cards and two lines of text on one function, in both orientations."""
    boxes = [PlannedBox("f", "pill", (StyledText("SplitBackward"),), badge="12345"),
             PlannedBox("g", "circle", (StyledText("+"),))]  # fmt: skip
    boxes += [PlannedBox(name, "card", (StyledText(name),)) for name in ("q", "k", "v")]
    boxes += [PlannedBox(f"t{index}", "plain", (StyledText("= float32[64, 784]"),)) for index in range(2)]
    hanging = {"q": "f", "k": "f", "v": "f", "t0": "g", "t1": "g"}
    wires = [PlannedWire("f.0", "f", "g"), PlannedWire("f.1", "f", "g")]
    wires += [PlannedWire(f"{name}-f", name, "f", dashed=True, head="none") for name in ("q", "k", "v")]
    for direction in choices.DIRECTIONS:
        (panel,) = draw_plans([Plan("one", tuple(boxes), tuple(wires), hanging)], direction)
        assert geometry.problems(Scene(panel.area.width, panel.area.height, (panel,))) == []


# ---- the checks themselves --------------------------------------------------------------------------------


def _broken(figure: Figure, **parts: object) -> list[str]:
    scene = figure.panels["after"]
    panel = replace(scene.panels[0], **parts)  # type: ignore[arg-type]
    return geometry.problems(replace(scene, panels=(panel,)))


def test_the_geometry_checks_notice_what_is_wrong() -> None:
    figure = draw(graphs.square())
    panel = figure.panels["after"].panels[0]
    pill, other = (next(box for box in panel.boxes if box.id == name) for name in ("n0", "n1"))
    wire = next(wire for wire in panel.wires if wire.id == "n0.0")
    far = TextRun(panel.area.right - 5, 20.0, "over the edge", 18.0)
    (x0, y0), (x1, y1) = wire.points[0], wire.points[-1]

    def straight(*ends: tuple[float, float]) -> Wire:
        return replace(wire, points=(ends[0], ends[0], ends[1], ends[1]))

    cases: list[tuple[str, dict[str, object]]] = [
        ("is clipped", {"boxes": (replace(pill, texts=(far,)),), "wires": (), "badges": ()}),
        ("reaches out of", {"boxes": (replace(pill, texts=(far,)),), "wires": (), "badges": ()}),
        ("is set in 9", {"boxes": (replace(pill, texts=(replace(pill.texts[0], size=9.0),)), other)}),
        ("overlap", {"boxes": (*panel.boxes, Box("again", pill.area, "pill"))}),
        ("lies over", {"boxes": (*panel.boxes, Box("again", pill.area, "plain", texts=pill.texts))}),
        ("does not end on the border", {"wires": (straight((x0, y0), (x1 - 9, y1)),)}),
        ("runs through box n1", {"wires": (straight((x0, y0), (x1 + 60, y1)),)}),
        ("runs through text", {"wires": (straight((x0, y0), (x1 + 60, y1)),)}),
        ("badge b lies over text", {"badges": (Badge("b", *pill.area.center, "1"),)}),
    ]
    for message, parts in cases:
        assert any(message in line for line in _broken(figure, **parts)), message


# ---- the same in every process ----------------------------------------------------------------------------

_PRINT = """
import sys
sys.path[:0] = sys.argv[1:3]
import graphs
from inspector.figure import draw
print([draw(graphs.SHAPES[name]()).scene for name in ("S3", "fan-out", "net")])
"""


def test_two_processes_draw_the_same() -> None:
    tests = Path(__file__).parent
    drawn = [
        subprocess.run(
            [sys.executable, "-c", _PRINT, str(tests), str(tests.parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn[0] == drawn[1]
    assert "AccumulateGrad" in drawn[0]


def test_the_child_answers_as_the_process_itself() -> None:
    problem = problem_of(graphs.fan_out())
    assert subprocess_layout.place_in_subprocess(problem) == place(problem)


def test_large_graphs_are_laid_out_in_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def in_child(problem: object) -> object:
        asked.append(problem)
        return place(problem)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess_layout, "place_in_subprocess", in_child)
    draw(graphs.chain(40))
    assert not asked
    draw(graphs.chain(120), FigureOptions(style="attributes"))
    assert len(asked) == 1


# ---- nothing hurts the user -------------------------------------------------------------------------------


def test_layout_needs_no_torch() -> None:
    code = "import sys, inspector.layout.subprocess_layout, inspector.styles; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0


def test_a_crash_of_the_engine_is_one_line() -> None:
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    with pytest.raises(LayoutFailed, match=r"^the layout process was killed by SIGSEGV$"):
        subprocess_layout.place_in_subprocess(problem_of(graphs.square()), command=crash)


def test_an_endless_engine_is_stopped() -> None:
    endless = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with pytest.raises(LayoutFailed, match=r"stopped after 0\.5 seconds"):
        subprocess_layout.place_in_subprocess(problem_of(graphs.square()), limit=0.5, command=endless)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit(7)", "ended with status 7"),
        ("print('hello')", "gave no answer"),
        ("import pickle, sys; pickle.dump('no memory', sys.stdout.buffer)", "no memory"),
    ],
)
def test_an_engine_that_does_not_answer(code: str, message: str) -> None:
    with pytest.raises(LayoutFailed, match=message):
        subprocess_layout.place_in_subprocess(problem_of(graphs.square()), command=[sys.executable, "-c", code])


def test_a_child_that_cannot_be_started() -> None:
    with pytest.raises(LayoutFailed, match="cannot start the layout process"):
        subprocess_layout.place_in_subprocess(problem_of(graphs.square()), command=["/no/such/program"])


def test_the_child_takes_this_package_whatever_lies_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("inspector.py", "pickle.py", "networkx.py"):
        (tmp_path / module).write_text("raise ImportError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    subprocess_layout.place_in_subprocess(problem_of(graphs.square()))


def test_more_than_three_thousand_boxes_are_too_many() -> None:
    boxes = [PlannedBox(f"b{index}", "pill", (StyledText("f"),)) for index in range(3001)]
    with pytest.raises(TooManyBoxes, match=r"3,001 boxes are too many for one picture") as raised:
        draw_plans([Plan("before", tuple(boxes), ())])
    assert raised.value.count == 3001


def test_a_thousand_boxes_are_drawn() -> None:
    figure = draw(graphs.layered(10, 90), FigureOptions(style="engine"), depth="full")
    assert len(figure.scene.panels[0].boxes) > 900
    assert geometry.skeleton(figure.scene.panels[0]) == geometry.skeleton(figure.scene.panels[1])
