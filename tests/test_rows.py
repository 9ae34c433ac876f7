"""Figures that would not fit their canvas: in rows, with their leaves side by side, in one size of text."""

from __future__ import annotations

from itertools import pairwise

import geometry
import graphs
import pytest
from golden import FOLDER

from inspector.graph import Graph
from inspector.layout import draw, draw_plans
from inspector.layout.evened import even
from inspector.layout.place import place
from inspector.layout.problem import ALIGNED, CLOSE, IN_THREE_ROWS, IN_TWO_ROWS, Problem, Route, Spacing
from inspector.layout.rows import place_rows
from inspector.look import DIRECTIONS, Direction, Look
from inspector.report import from_json
from inspector.scene import Panel, Scene
from inspector.scene.scene import Rectangle
from inspector.styles.moments import Moments
from inspector.styles.plan import MAIN_SIZE, Plan

WAYS = {"close": CLOSE, "aligned": ALIGNED, "two rows": IN_TWO_ROWS, "three rows": IN_THREE_ROWS}
STYLES = ("attributes", "circuit", "partials", "record", "engine", "torchviz")
ARROWS = ("backward", "forward")


def saved(name: str) -> Graph:
    return from_json((FOLDER / f"{name}.json").read_text("utf-8")).calls[0].graph


def plans(graph: Graph, look: Look) -> list[Plan]:
    return [Moments(look, "z.backward()").plan(graph, moment) for moment in ("before", "after")]


def scene(panel: Panel) -> Scene:
    return Scene(panel.area.width, panel.area.height, (panel,), "", "")


def areas(panel: Panel) -> dict[str, Rectangle]:
    return {box.id: box.area for box in panel.boxes}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["S3", "fan-out", "cs231n_neuron", "classifier"])
def test_nothing_collides(name: str, style: str, direction: Direction, way: str) -> None:
    graph = graphs.SHAPES[name]() if name in graphs.SHAPES else saved(name)
    for arrows in ARROWS:
        shown = plans(graph, Look(style=style, arrows=arrows))  # type: ignore[arg-type]
        for panel in draw_plans(shown, direction, WAYS[way]):
            assert geometry.problems(scene(panel)) == []


# ---- rows -------------------------------------------------------------------------------------------------


def rows_of(graph: Graph, spacing: Spacing, direction: Direction) -> Panel:
    return draw_plans(plans(graph, Look(style="circuit")), direction, spacing)[-1]


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


def test_what_no_single_wire_holds_together_stays_in_one_row() -> None:
    """Two wires lead from each box to the next one: no row can end between them."""
    boxes = [f"b{number}" for number in range(6)]
    routes = [Route(f"{one}.{slot}", one, other) for one, other in pairwise(boxes) for slot in range(2)]
    sizes = dict.fromkeys(boxes, (60.0, 30.0))
    problem = Problem("LR", sizes, {}, frozenset(), tuple(routes), spacing=IN_TWO_ROWS)
    assert place_rows(problem, place) == place(problem)


# ---- leaves side by side, one size ------------------------------------------------------------------------


def test_leaves_stand_side_by_side_with_their_cards_beyond() -> None:
    graph = saved("regression")
    (_, panel) = draw_plans(plans(graph, Look(style="attributes")), "TB", ALIGNED)
    places = areas(panel)
    takers = [identifier for identifier, node in graph.functions() if node["is_leaf"]]
    leaves = [target for source, target, _ in graph.edges("accumulate") if source in takers]
    assert len(leaves) == 4
    assert len({round(places[taker].y, 3) for taker in takers}) == 1
    assert len({round(places[leaf].y, 3) for leaf in leaves}) == 1
    assert places[leaves[0]].y > places[takers[0]].bottom


def test_one_size_is_that_of_what_is_said() -> None:
    (panel,) = draw_plans([even(plans(saved("olah"), Look(style="attributes"))[1])])
    assert min(text.size for _, text in geometry.texts(panel)) == MAIN_SIZE


# ---- the last resort --------------------------------------------------------------------------------------


def test_what_no_canvas_holds_is_drawn_folded_unless_all_is_wished() -> None:
    graph = saved("lstm")
    figure = draw(graph, Look(style="circuit", canvas="16:9"))
    assert {(panel.width, panel.height) for panel in figure.panels.values()} == {(960.0, 540.0)}
    assert "more than a 16:9 canvas has: it is drawn folded, in the style modules" in figure.remarks[0]
    figure = draw(graph, Look(style="circuit", canvas="16:9"), depth="full")
    assert figure.scene.width > 960
    assert "more than a 16:9 canvas has: fold it" in figure.remarks[0]
