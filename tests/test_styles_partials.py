"""The `partials` style: a box for each tensor, a partial derivative on each edge, sums over paths."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import graphs
import pytest
from pictured import boxes, labels, plan

EXPECTED = {  # seed: boxes, partial derivatives, sums
    "S1": (["x = 2", "y = x²|4"], ["∂y/∂x = 2x = 4"], ["∂y/∂x = 4"]),
    "S2": (
        ["v1 = x²|4", "v2 = 2·x|4", "v3 = v1 + v2|8", "x = 2", "z = v3 + 1|9"],
        ["∂v1/∂x = 2x = 4", "∂v2/∂x = 2", "∂v3/∂v1 = 1", "∂v3/∂v2 = 1", "∂z/∂v3 = 1"],
        ["∂z/∂x = 1 · 1 · 4 + 1 · 1 · 2 = 6"],
    ),
    "S3": (
        ["f = v1 + v2|3", "u = 1", "v = 2", "v1 = u·v|2", "v2 = u²|1"],
        ["∂f/∂v1 = 1", "∂f/∂v2 = 1", "∂v1/∂u = v = 2", "∂v1/∂v = u = 1", "∂v2/∂u = 2u = 2"],
        ["∂f/∂u = 1 · 2 + 1 · 2 = 4", "∂f/∂v = 1 · 1 = 1"],
    ),
    "S4": (
        ["v1 = x²|0", "v2 = y²|0", "x = 0", "y = 0", "z = v1 − v2|0"],
        ["∂v1/∂x = 2x = 0", "∂v2/∂y = 2y = 0", "∂z/∂v1 = 1", "∂z/∂v2 = −1"],
        ["∂z/∂x = 1 · 0 = 0", "∂z/∂y = (−1) · 0 = 0"],
    ),
    "S5": (
        ["v1 = x²|4", "v2 = y²|0", "x = 2", "y = 0", "z = v1 − v2|4"],
        ["∂v1/∂x = 2x = 4", "∂v2/∂y = 2y = 0", "∂z/∂v1 = 1", "∂z/∂v2 = −1"],
        ["∂z/∂x = 1 · 4 = 4", "∂z/∂y = (−1) · 0 = 0"],
    ),
}


@pytest.mark.parametrize("seed", EXPECTED)
def test_seed_after_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "after", "partials")
    tensors, partials, sums = EXPECTED[seed]
    assert boxes(shown, "box") == tensors
    assert labels(shown) == partials
    assert sorted(words.text for words in shown.notes) == sums


def test_before_backward_there_are_values_only() -> None:
    shown = plan(graphs.product_and_square(), "before", "partials")
    assert labels(shown) == []
    assert shown.notes == ()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("symbols", "∂y/∂x = 2x"), ("numbers", "∂y/∂x = 4"), ("both", "∂y/∂x = 2x = 4"), ("none", "gradient 4")],
)
def test_as_much_of_the_derivative_as_is_wished(wanted: str, expected: str) -> None:
    assert labels(plan(graphs.square(), "after", "partials", derivatives=wanted)) == [expected]


def test_parallel_edges_are_two_paths() -> None:
    shown = plan(graphs.parallel_edges(), "after", "partials")
    assert [words.text for words in shown.notes] == ["∂y/∂x = 3 + 3 = 6"]
    assert labels(shown) == ["∂y/∂x = x = 3"] * 2


def test_a_tensor_has_the_name_that_derivatives_call_it_by() -> None:
    graph = graphs.product_and_square()
    graph["n1"]["alias"] = {"name": "v1", "expression": "u·v"}
    assert "v1 = u·v|2" in boxes(plan(graph, "after", "partials"), "box")
    assert "v2 = u²|1" in boxes(plan(graph, "after", "partials"), "box")
