"""Figures that would not fit their canvas: in rows, with their leaves side by side, in one size of text."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import geometry
import graphs
import one_level
import pytest
from _pytest.mark.structures import ParameterSet
from golden import FOLDER
from pictured import draw_plans

from inspector.figure import draw, frames
from inspector.figure.canvas import SIZES
from inspector.figure.compose import compose
from inspector.figure.frame_plans import FramePlans
from inspector.figure.layout_problem import fit_plans, make_problem
from inspector.figure.uniform_text_size import with_uniform_text_size
from inspector.graph import Graph
from inspector.layout.layered import place
from inspector.layout.problem import ALIGNED, CLOSE, IN_THREE_ROWS, IN_TWO_ROWS, Placement, Problem, Route, Spacing
from inspector.layout.rows import best_cuts
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.options.choices import DIRECTIONS, Canvas, Direction
from inspector.report import from_json
from inspector.scene import Panel, Rectangle, Scene
from inspector.scene.scene import Point
from inspector.scene.splines import sampled
from inspector.styles import Plan
from inspector.styles.plan import MAIN_SIZE

WAYS = {"close": CLOSE, "aligned": ALIGNED, "two rows": IN_TWO_ROWS, "three rows": IN_THREE_ROWS}
STYLES = tuple(name for name in STYLE_NAMES if name != "modules")
ARROWS = ("backward", "forward")


def saved(name: str) -> Graph:
    return from_json((FOLDER / f"{name}.json").read_text("utf-8")).calls[0].graph


def plans(graph: Graph, look: FigureOptions) -> list[Plan]:
    return [FramePlans(look, "z.backward()").plan(graph, moment) for moment in ("before", "after")]


def scene(panel: Panel) -> Scene:
    return Scene(panel.area.width, panel.area.height, (panel,), "", "")


def areas(panel: Panel) -> dict[str, Rectangle]:
    return {box.id: box.area for box in panel.boxes}


GRAPHS = ("S3", "fan-out", "cs231n_neuron", "classifier")


def choices() -> list[ParameterSet]:
    """Graph, style, direction and way. The tests without `slow` are a quarter of all, in which every three choices
    still meet: the fourth one follows from them."""
    assert len(GRAPHS) == len(DIRECTIONS) == len(WAYS) == 4
    return [
        pytest.param(
            *(GRAPHS[name], STYLES[style], DIRECTIONS[direction], list(WAYS)[way]),
            marks=[] if (name + style + direction + way) % 4 == 0 else [pytest.mark.slow],
        )
        for name, style, direction, way in product(range(4), range(len(STYLES)), range(4), range(4))
    ]


@pytest.mark.parametrize(("name", "style", "direction", "way"), choices())
def test_nothing_collides(name: str, style: str, direction: Direction, way: str) -> None:
    graph = graphs.SHAPES[name]() if name in graphs.SHAPES else saved(name)
    for arrows in ARROWS:
        shown = plans(graph, FigureOptions(style=style, arrows=arrows))  # type: ignore[arg-type]
        for panel in draw_plans(shown, direction, WAYS[way]):
            assert geometry.problems(scene(panel)) == []


# ---- rows -------------------------------------------------------------------------------------------------


def rows_of(graph: Graph, spacing: Spacing, direction: Direction) -> Panel:
    return draw_plans(plans(graph, FigureOptions(style="circuit")), direction, spacing)[-1]


def test_a_chain_in_rows_is_read_as_a_text_is() -> None:
    """From left to right, then on from the left below; nothing is lost on the way."""
    whole, panel = (rows_of(graphs.chain(12), spacing, "LR") for spacing in (CLOSE, IN_THREE_ROWS))
    assert {box.id for box in panel.boxes} == {box.id for box in whole.boxes}
    assert {wire.id for wire in panel.wires} == {wire.id for wire in whole.wires}
    assert panel.area.width < whole.area.width / 2
    places = areas(panel)
    chain = [places[f"n{number}"] for number in range(12)]
    breaks = [number for number, (one, other) in enumerate(pairwise(chain)) if other.y > one.bottom]
    assert len(breaks) == 2
    assert all(other.x > one.right for number, (one, other) in enumerate(pairwise(chain)) if number not in breaks)
    assert all(chain[number + 1].right < chain[number].x for number in breaks)


def test_columns_of_an_upright_figure_stand_side_by_side() -> None:
    whole, panel = (rows_of(graphs.chain(12), spacing, "TB") for spacing in (CLOSE, IN_TWO_ROWS))
    assert panel.area.height < 0.7 * whole.area.height
    places = areas(panel)
    assert places["n11"].x > places["n0"].right
    assert places["n11"].y < places["n5"].bottom


def test_rows_of_a_figure_from_right_to_left_begin_at_the_left() -> None:
    """The last Node stands first, at the top, where it also stands in one row."""
    places = areas(rows_of(graphs.chain(12), IN_TWO_ROWS, "RL"))
    assert places["n0"].y > places["n11"].bottom


def placed_in_rows(wires: int, direction: Direction = "LR", rows: Spacing = IN_TWO_ROWS) -> Placement:
    """Six boxes in a row; so many wires lead from each to the next one."""
    boxes = [f"b{number}" for number in range(6)]
    routes = [Route(f"{one}.{slot}", one, other) for one, other in pairwise(boxes) for slot in range(wires)]
    return place(
        Problem(direction, dict.fromkeys(boxes, (60.0, 90.0)), {}, frozenset(), tuple(routes), spacing=rows)
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("wires", [2, 3, 4])
def test_several_wires_run_side_by_side_from_row_to_row(wires: int, direction: Direction) -> None:
    placement = placed_in_rows(wires, direction)
    assert len({round(area.y if direction in ("LR", "RL") else area.x) for area in placement.boxes.values()}) == 2
    courses = [
        [(round(x, 1), round(y, 1)) for x, y in sampled(placement.wires[f"b2.{slot}"])] for slot in range(wires)
    ]
    lengths = {len(course) for course in courses}
    assert min(lengths) > 100  # none of them is the straight way between two boxes
    for one, other in combinations(courses, 2):
        assert not any(crosses(*first, *second) for first in pairwise(one) for second in pairwise(other))


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the lines from a to b and from c to d meet within both."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_more_wires_than_anybody_follows_stay_in_one_row() -> None:
    assert placed_in_rows(5) == placed_in_rows(5, rows=CLOSE)


def test_a_row_ends_where_few_wires_are_cut() -> None:
    """The rows are as short as can be, but a wire that runs back costs more than a little length."""
    ranks = [(100.0 * rank, 100.0 * rank + 80) for rank in range(6)]
    hosts = [0, 1, 2, 3, 4, 5]
    chain = [(rank, rank + 1) for rank in range(5)]
    assert best_cuts(ranks, hosts, chain, 2) == (2,)
    assert best_cuts(ranks, hosts, chain, 3) == (1, 3)
    assert best_cuts(ranks, hosts, [*chain, *[(2, 3)] * 3, *[(1, 2)] * 3], 2) == (2,)
    assert best_cuts(ranks, hosts, [*chain, *[(2, 3)] * 3], 2) == (2,), "one rank more in a row is longer"
    close = [(rank / 10, length / 10) for rank, length in ranks]
    assert best_cuts(close, hosts, [*chain, *[(2, 3)] * 3], 2) == (1,)
    assert best_cuts(ranks, hosts, [(0, 5)] * 5, 2) == ()
    assert best_cuts(ranks, [0, 0, 5], [(0, 5)], 2) == (), "a row of one box alone is none"


# ---- leaves side by side, one size ------------------------------------------------------------------------


def test_leaves_stand_side_by_side_with_their_cards_beyond() -> None:
    graph = saved("regression")
    (_, panel) = draw_plans(plans(graph, FigureOptions(style="attributes")), "TB", ALIGNED)
    places = areas(panel)
    takers = [identifier for identifier, node in graph.functions() if node["is_leaf"]]
    leaves = [target for source, target, _ in graph.edges("accumulate") if source in takers]
    assert len(leaves) == 4
    assert len({round(places[taker].y, 3) for taker in takers}) == 1
    assert len({round(places[leaf].y, 3) for leaf in leaves}) == 1
    assert places[leaves[0]].y > places[takers[0]].bottom


def test_one_size_is_that_of_what_is_said() -> None:
    (panel,) = draw_plans([with_uniform_text_size(plans(saved("olah"), FigureOptions(style="attributes"))[1])])
    assert min(text.size for _, text in geometry.texts(panel)) == MAIN_SIZE


# ---- the last resort --------------------------------------------------------------------------------------


SLIDES = [
    pytest.param(name, canvas, marks=[pytest.mark.slow] * ((row + column) % 2))
    for row, name in enumerate(one_level.MODELS)
    for column, canvas in enumerate(["16:9", "4:3", "half"])
]


@pytest.mark.parametrize(("name", "canvas"), SLIDES)
def test_a_model_of_one_level_is_a_slide(name: str, canvas: Canvas) -> None:
    figure = draw(one_level.recorded(name), FigureOptions(canvas=canvas))
    for panel in figure.panels.values():
        assert (panel.width, panel.height) == SIZES[canvas]
        assert geometry.problems(panel) == []
    assert figure.remarks


def test_a_variational_autoencoder_is_a_slide_with_all_of_its_modules() -> None:
    """In two columns, though two wires pass the cut."""
    figure = draw(one_level.recorded("vae"), FigureOptions(canvas="16:9"))
    names = {text.text for box in figure.panels["after"].panels[0].boxes for text in box.texts}
    assert {"fc1", "fc21", "fc22", "fc3", "fc4"} <= names
    assert any("are left out, to fit the canvas" in remark for remark in figure.remarks)


def test_neighbours_join_where_nothing_else_fits() -> None:
    figure = draw(one_level.recorded("unet"), FigureOptions(canvas="half"))
    assert any(remark.endswith("; neighbouring Nodes share a box") for remark in figure.remarks)
    assert "boxes of neighbours; --depth full opens all" in figure.remarks[-1]
    wide = draw(one_level.recorded("unet"), FigureOptions(canvas="half"), depth="full")
    assert wide.scene.width > 480 and "; fold the graph" in wide.remarks[0]


def test_a_graph_without_modules_is_a_slide_as_well() -> None:
    figure = draw(graphs.layered(6, 9), FigureOptions(style="modules", canvas="half"))
    assert (figure.panels["before"].width, figure.panels["before"].height) == SIZES["half"]


def test_frames_of_a_model_of_one_level_are_slides() -> None:
    figure = frames(one_level.recorded("vae"), FigureOptions(canvas="half"))
    assert len(figure.panels) > 6
    assert {(panel.width, panel.height) for panel in figure.panels.values()} == {SIZES["half"]}
    first, *others = (geometry.skeleton(scene.panels[0]) for scene in figure.panels.values())
    assert all(other == first for other in others)


def test_what_no_canvas_holds_is_drawn_folded_unless_all_is_wished() -> None:
    graph = saved("lstm")
    figure = draw(graph, FigureOptions(style="circuit", canvas="16:9"))
    assert {(panel.width, panel.height) for panel in figure.panels.values()} == {(960.0, 540.0)}
    assert "; drawn folded, in the style modules" in figure.remarks[0]
    figure = draw(graph, FigureOptions(style="circuit", canvas="16:9"), depth="full")
    assert figure.scene.width > 960
    assert "; fold the graph" in figure.remarks[0]


@pytest.mark.parametrize("style", STYLES)
def test_a_panel_is_as_small_as_its_smallest_text_before_it_is_drawn(style: str) -> None:
    """So that of the many ways to lay out a figure but one is drawn."""
    shown = fit_plans(plans(saved("classifier"), FigureOptions(style=style, code=True)))
    problem = make_problem(shown, "LR")
    composed = compose(shown, place(problem), problem)
    assert composed.smallest == min(text.size for panel in composed.panels() for _, text in geometry.texts(panel))
    assert {(panel.area.width, panel.area.height) for panel in composed.panels()} == {composed.size}
