"""Branches of one shape stand in equal columns: the gates of an LSTM cell, whole on one slide."""

from __future__ import annotations

from collections.abc import Callable

import torch
from geometry import problems
from torch import Tensor

import inspector
from inspector.figure import Figure, draw
from inspector.graph import Graph
from inspector.layout.alike_branches import with_alike_branches, without_ties
from inspector.layout.layered import place
from inspector.layout.problem import TIE, Problem, Route
from inspector.options import FigureOptions


def leaf(value: float) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def lstm_cell() -> Tensor:
    x, h, c = torch.tensor(1.0), torch.tensor(0.2), torch.tensor(-0.5)
    wi, ui, wf, uf = leaf(0.5), leaf(0.1), leaf(0.3), leaf(-0.2)
    wo, uo, wg, ug = leaf(-0.4), leaf(0.6), leaf(0.9), leaf(0.7)
    i = torch.sigmoid(wi * x + ui * h)
    f = torch.sigmoid(wf * x + uf * h)
    o = torch.sigmoid(wo * x + uo * h)
    g = torch.tanh(wg * x + ug * h)
    c_new = f * c + i * g
    h_new = o * torch.tanh(c_new)
    loss = (h_new - 1) ** 2
    return loss  # noqa: RET504 (the name stands in the figure)


def drawn(script: Callable[[], Tensor]) -> tuple[Graph, Figure]:
    with inspector.record() as recording:
        script().backward()
    graph = recording.calls[0].graph
    return graph, draw(graph, FigureOptions(style="circuit", canvas="16:9"))


def test_the_four_gates_of_an_lstm_cell_stand_in_equal_columns() -> None:
    graph, figure = drawn(lstm_cell)
    scene = figure.panels["after"]
    assert (scene.width, scene.height) == (960.0, 540.0) and problems(scene) == []
    boxes = {box.id: box.area for box in scene.panels[0].boxes}
    functions = [(key, node["name"]) for key, node in graph.functions() if not node["is_leaf"]]
    loss = {"PowBackward0", "SubBackward0"}
    assert all(key in boxes for key, name in functions if name not in loss), "each Node is a gate"
    tops = [key for key, name in functions if name == "SigmoidBackward0"]
    tops += [key for key, name in functions if name == "TanhBackward0" and len(_below(graph, key)) == 4]
    assert len(tops) == 4
    columns = [{round(boxes[key].center[0]) for key in _below(graph, top)} for top in tops]
    assert columns[0] == columns[1] == columns[2] == columns[3] and len(columns[0]) == 3


def _below(graph: Graph, top: str) -> list[str]:
    """The gates of the branch that ends in a function."""
    found, waiting = list[str](), [top]
    while waiting:
        key = waiting.pop()
        if not graph.function(key)["is_leaf"]:
            found.append(key)
            waiting += [target for source, target, _ in graph.edges("next") if source == key]
    return found


def _problem(routes: list[tuple[str, str]]) -> Problem:
    boxes = dict.fromkeys(box for route in routes for box in route)
    drawn = tuple(Route(f"{source}-{target}", source, target) for source, target in routes)
    return Problem("LR", dict.fromkeys(boxes, (30.0, 30.0)), {}, frozenset(), drawn)


BRANCHES = [(start + end, start + after) for start in "abc" for end, after in ("12", "23")]


def test_alike_branches_begin_at_one_rank() -> None:
    late = [("a3", "d"), ("b3", "d"), ("d", "e"), ("e", "f"), ("c3", "f")]
    problem = _problem([*BRANCHES, *late])
    bare, tied = place(problem), without_ties(place(with_alike_branches(problem)))
    assert bare.boxes["c1"].x > bare.boxes["a1"].x, "as late as it may be"
    assert len({round(tied.boxes[box].x) for box in ("a1", "b1", "c1")}) == 1
    assert tied.boxes.keys() == bare.boxes.keys() and tied.wires.keys() == bare.wires.keys()


def test_what_is_not_alike_is_left_alone() -> None:
    problem = _problem([("a", "b"), ("b", "c"), ("c", "e"), ("d", "e"), ("e", "f"), ("b", "f")])
    assert with_alike_branches(problem) is problem
    tied = with_alike_branches(_problem([*BRANCHES, ("a3", "d"), ("b3", "d"), ("c3", "e"), ("d", "e")]))
    assert {route.target for route in tied.routes if route.id.startswith(TIE)} == {"a1", "b1", "c1"}


def test_long_branches_are_compared_without_recursion() -> None:
    count, names = 2_000, ("left", "right")
    boxes = {f"{name}{at}": (10.0, 10.0) for name in names for at in range(count)}
    routes = [
        Route(f"{name}{at}.0", f"{name}{at}", f"{name}{at - 1}" if at else "root")
        for name in names
        for at in range(count)
    ]
    problem = Problem("LR", {"root": (10.0, 10.0), **boxes}, {}, frozenset(), tuple(routes))
    ties = with_alike_branches(problem).routes[len(routes) :]
    assert [tie.target for tie in ties] == [f"{name}{count - 1}" for name in names]
