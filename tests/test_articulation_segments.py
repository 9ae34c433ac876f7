"""Large figures in parts: nothing is lost, nothing collides, and what is equal is laid out once."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from columns import Op, graph, transformer
from geometry import problems

import inspector.figure.drawing as layout
from inspector.figure import draw
from inspector.graph import Graph
from inspector.layout.articulation_segments import place_segments
from inspector.layout.layered import place
from inspector.layout.problem import Placement, Problem, Route
from inspector.layout.subprocess_layout import place_in_subprocess
from inspector.options import FigureOptions
from inspector.options.choices import Direction


def chain(length: int, *, flipped: bool = False) -> Problem:
    """Boxes in a row, each third of them with a side branch."""
    sizes = {f"b{k}": (40.0, 20.0) for k in range(length)}
    sizes |= {f"s{k}": (30.0, 20.0) for k in range(0, length - 1, 3)}
    pairs = [(f"b{k}", f"b{k + 1}") for k in range(length - 1)]
    pairs += [(f"b{k}", f"s{k}") for k in range(0, length - 1, 3)]
    if flipped:
        pairs = [(target, source) for source, target in pairs]
    routes = tuple(Route(f"{source}-{target}", source, target) for source, target in pairs)
    return Problem("TB", sizes, {}, frozenset(), routes, {}, flipped)


@pytest.mark.parametrize("flipped", [False, True])
def test_equal_parts_are_laid_out_once(flipped: bool) -> None:
    asked = Counter[int]()

    def counted(problem: Problem) -> Placement:
        asked[len(problem.sizes)] += 1
        return place(problem)

    problem = chain(120, flipped=flipped)
    placed = place_segments(problem, counted)
    assert placed.boxes.keys() == problem.sizes.keys()
    assert placed.wires.keys() == {route.id for route in problem.routes}
    assert sum(asked.values()) < 8 and max(asked) < 20
    for route in problem.routes:  # every wire still leads from box to box
        for end, box in ((placed.wires[route.id][0], route.source), (placed.wires[route.id][-1], route.target)):
            area = placed.boxes[box]
            assert area.x - 1 <= end[0] <= area.right + 1 and area.y - 1 <= end[1] <= area.bottom + 1


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("style", ["modules", "circuit"])
def test_a_full_figure_of_a_model_is_sound(style: str, direction: Direction) -> None:
    figure = draw(transformer(8), FigureOptions(style=style, direction=direction), depth="full")
    assert not problems(figure.panels["before"])


def tangled(count: int) -> Graph:
    """A graph that cannot be cut."""
    ops = [Op(f"F{k}Backward0", [k + 1, min(k + 9, count)]) for k in range(count)]
    return graph([*ops, Op("AccumulateGrad")])


def test_what_is_too_large_for_full_is_drawn_folded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_BOXES", 150)
    figure = draw(tangled(200), FigureOptions(style="modules"), depth="full")
    assert "200 boxes are too many for one picture (at most 150); drawn folded" in figure.remarks
    assert any("few modules or loops to fold" in remark for remark in figure.remarks)


@pytest.mark.parametrize("depth", ["full", 3])
def test_what_takes_too_long_is_drawn_folded_and_says_so(depth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    late = "inspector.layout.subprocess_layout.place_in_subprocess"
    monkeypatch.setattr(late, partial(place_in_subprocess, limit=0.001))
    figure = draw(tangled(200), FigureOptions(style="modules"), depth=depth)
    assert "layout was stopped after 0.001 seconds; drawn folded" in figure.remarks
    assert not problems(figure.panels["before"])


@pytest.mark.parametrize("layers", [12, 40])
def test_equal_blocks_are_laid_out_once_whatever_their_numbers(
    layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Problem]()

    def counted(problem: Problem) -> Placement:
        asked.append(problem)
        return place(problem)

    monkeypatch.setattr(layout, "_part_placed", counted)
    draw(transformer(layers), FigureOptions(style="modules"), depth="full")
    assert len(asked) <= 5  # the root, the first block, those in between, the last one, the leaves


@pytest.mark.parametrize("flipped", [False, True])
def test_blocks_are_equal_whatever_precedes_and_follows_them(flipped: bool) -> None:
    pairs = [(f"head{k}", f"head{k + 1}") for k in range(4)] + [("head4", "0.start")]
    for block in range(3):
        ends = f"{block}.start", f"{block + 1}.start"
        for branch in ("left", "right"):
            names = [ends[0], *(f"{block}.{branch}{k}" for k in range(4)), ends[1]]
            pairs += pairwise(names)
    pairs += [("3.start", "tail0"), ("tail0", "tail1"), ("tail0", "tail2")]
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    if flipped:
        pairs = [(target, source) for source, target in pairs]
    routes = tuple(Route(f"{source}-{target}", source, target) for source, target in pairs)
    problem = Problem("TB", dict.fromkeys(names, (40.0, 20.0)), {}, frozenset(), routes, {}, flipped)
    asked = list[int]()

    def counted(part: Problem) -> Placement:
        asked.append(len(part.sizes))
        return place(part)

    placed = place_segments(problem, counted)
    assert asked == [6, 10, 4]  # the head, one block, the tail
    assert placed.boxes.keys() == problem.sizes.keys()
    assert placed.wires.keys() == {route.id for route in routes}
    places = [[placed.boxes[f"{block}.left{k}"] for k in range(4)] for block in range(3)]
    shapes = {tuple((area.x - own[0].x, area.y - own[0].y) for area in own) for own in places}
    assert len(shapes) == 1


def test_operations_of_nearly_one_width_have_one_width() -> None:
    ops = [Op(("Add", "Mul", "Sin")[k % 3] + "Backward0", [k + 1]) for k in range(120)]
    figure = draw(graph([*ops, Op("AccumulateGrad")]), FigureOptions(style="modules"), depth="full")
    pills = [box for box in figure.panels["before"].panels[0].boxes if box.shape == "pill"]
    assert len(pills) == 120 and all(box.area.width % 16 == 0 for box in pills)
