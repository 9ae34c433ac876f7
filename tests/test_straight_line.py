"""Boxes one after the other stand where the engine would put them, without it."""

from __future__ import annotations

from typing import Any

import pytest

import inspector.layout.layered as layered
from inspector.layout.graphviz import DotBlock, DotLink, DotSettings
from inspector.layout.layered import place
from inspector.layout.problem import Problem, Route
from inspector.layout.straight_line import in_line
from inspector.options.choices import Direction

SIZES = {"a": (120.25, 38.0), "b": (71.5, 20.0), "c": (40.0, 38.0), "d": (90.0, 30.0)}
ROUTES = (Route("0", "a", "b"), Route("1", "b", "c", (30.0, 12.0)), Route("2", "c", "d"))
CASES: dict[str, dict[str, Any]] = {
    "line": {"routes": ROUTES},
    "one box": {"sizes": {"a": SIZES["a"]}, "routes": ()},
    "parallel wires": {"routes": (*ROUTES, Route("again", "a", "b"))},
    "attached boxes": {"sizes": {**SIZES, "e": (60.0, 25.0), "f": (33.3, 25.0)}, "hanging": {"e": "b", "f": "d"}},
    "not in order": {"sizes": dict(reversed(SIZES.items()))},
}


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("case", CASES)
def test_it_is_where_dot_puts_it(case: str, direction: Direction, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"sizes": SIZES, "hanging": {}, "routes": ROUTES, **CASES[case]}
    problem = Problem(direction, given["sizes"], given["hanging"], frozenset(), given["routes"])
    asked = list[int]()
    with monkeypatch.context() as patched:
        patched.setattr(layered, "arrange", lambda blocks, *_: asked.append(len(blocks)))
        ours = place(problem)
    assert asked == []
    monkeypatch.setattr(layered, "in_line", lambda *_: None)
    theirs = place(problem)
    dx, dy = (getattr(ours.area, side) - getattr(theirs.area, side) for side in ("x", "y"))
    moved = theirs.moved(dx, dy)
    for box, area in ours.boxes.items():
        there = moved.boxes[box]
        assert (area.x, area.y) == pytest.approx((there.x, there.y), abs=0.02)
    for wire, points in ours.wires.items():
        assert [*sum(points, ())] == pytest.approx([*sum(moved.wires[wire], ())], abs=0.02)


@pytest.mark.parametrize(
    "links",
    [
        [(0, 1)],  # two lines
        [(0, 1), (0, 2)],
        [(0, 2), (1, 2)],
        [(0, 1), (1, 2), (0, 2)],
    ],
)
def test_anything_else_is_left_to_the_engine(links: list[tuple[int, int]]) -> None:
    blocks = [DotBlock(40, 20, (10, 20, 10))] * 3
    assert in_line(blocks, [DotLink(*link) for link in links], DotSettings(False, (15.0, 24.0))) is None
